"""Transactions of one load, several at a time: while some are written, the next ones are made ready.

Making ready is Python's work, writing is for the most part the database's: one after the other, each would wait for
the other. What is under way is not in the store yet: see hub.feeds.waited.
A transaction that fails undoes nothing of the others. Its subjects, and those who waited for somebody, are left for
the caller, when nothing is under way any more.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType

from hub.feeds.kept import Held
from hub.feeds.people import Member
from hub.feeds.waited import Waited
from hub.fhir.bundles import Entry
from hub.problems import Problem


class Overtaken(Exception):
    """Somebody else decided meanwhile who a person is, or said something else of them."""


@dataclass(frozen=True, slots=True)
class Made:
    """What one subject becomes."""

    held: Held
    member: Member
    entries: Sequence[Entry]


Commit = Callable[[Sequence[Made]], object]


class Abreast:
    """`commit` writes subjects together; it raises Overtaken or Problem where they cannot be. Up to `most` run at a
    time, in threads. `later` are those who wait for somebody under way."""

    def __init__(self, commit: Commit, most: int):
        self._commit = commit
        self._most = most
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="feed-commit")
        self._running: dict[Future[object], Sequence[Made]] = {}
        self._failed: list[Held] = []
        self.later: list[Held] = []
        self.waited = Waited()

    def __enter__(self) -> "Abreast":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, some: Sequence[Made]) -> None:
        """Have these written. Waits while there are as many as may be. Raises what no subject is to blame for."""
        if len(self._running) == self._most:
            self._look()
        future = self._pool.submit(copy_context().run, self._commit, some)
        self._running[future] = some

    def is_stuck(self, most: int) -> bool:
        """Whether somebody could not be written, or more than so many wait."""
        return bool(self._failed) or len(self.later) > most

    def left(self) -> tuple[list[Held], list[Held]]:
        """When nothing is under way any more: who could not be written, and who waited for others."""
        while self._running:
            self._look()
        failed, later = self._failed, self.later
        self._failed, self.later, self.waited = [], [], Waited()
        return failed, later

    def _look(self) -> None:
        for future in wait(self._running, return_when=FIRST_COMPLETED).done:
            self._ended(future, self._running.pop(future))

    def _ended(self, future: "Future[object]", some: Sequence[Made]) -> None:
        try:
            future.result()
        except (Overtaken, Problem):
            self._failed += [one.held for one in some]  # they are under way still
            return
        for one in some:
            self.waited.ended(one.member.person)
