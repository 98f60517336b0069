"""Writers of one process share a commit: whoever waits while another commits goes along with the next.

SQLite has one writer at a time, and what a commit costs hardly depends on how much is in it. No delay is added: who
comes alone is committed alone. Each work is a savepoint, so that one that fails undoes nothing of the others; they
follow each other as if each had been a transaction, and nobody is answered before all of it is durable.
https://sqlite.org/lang_savepoint.html
Refuses: nothing. A work that the database refuses is done anew, alone; where a commit fails, all that were in it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import Any

from sqlalchemy import Connection

Work = Callable[[Connection], Any]
MOST = 32  # a commit does not grow without end while others wait for their turn


class Job:
    """A work that somebody waits for, and what became of it."""

    def __init__(self, work: Work, tries: int):
        self.tries = tries
        context = copy_context()  # it is done in another thread, perhaps
        self.work: Work = lambda connection: context.run(work, connection)
        self.result: Any = None
        self.error: BaseException | None = None
        self.leads = False
        self.turn = threading.Event()  # it is done, or its thread leads

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


class Together:
    """`transaction` opens one of a SQLite database; `alone` does a work in one of its own, up to so many times, and
    raises what is to be told; `faults` are the errors of the database."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        alone: Callable[[Work, int], Any],
        faults: tuple[type[BaseException], ...],
        tries: int,
    ):
        self._transaction = transaction
        self._alone = alone
        self._faults = faults
        self._tries = tries
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._led = False

    def do(self, work: Work, tries: int = 0) -> Any:
        """The work's result, once it is durable; or its error."""
        job = Job(work, tries or self._tries)
        with self._lock:
            self._waiting.append(job)
            job.leads, self._led = not self._led, True
        if not job.leads:
            job.turn.wait()
        if job.leads:
            self._lead()
        return job.outcome()

    def _lead(self) -> None:
        jobs: list[Job] = []
        try:
            with self._transaction() as connection:
                jobs = self._next()  # also those who came while this one waited for the other processes
                again = _in_one(connection, jobs, self._faults)
        except self._faults:
            jobs = again = jobs or self._next()  # nothing of it is stored
        for job in again:
            self._by_itself(job)
        for job in jobs:
            job.turn.set()
        self._hand_over()

    def _next(self) -> list[Job]:
        """Those who waited longest, the leader first among them."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

    def _hand_over(self) -> None:
        with self._lock:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].leads = True
                self._waiting[0].turn.set()

    def _by_itself(self, job: Job) -> None:
        job.error = None
        try:
            job.result = self._alone(job.work, job.tries)
        except BaseException as error:
            job.error = error


def _in_one(connection: Connection, jobs: Iterable[Job], faults: tuple[type[BaseException], ...]) -> list[Job]:
    """Do them one after the other. Gives those that the database refused: they are undone, and they only."""
    refused: list[Job] = []
    driver: Any = connection.connection.driver_connection  # SQLAlchemy's way costs as much as a small work
    tell = driver.execute
    for job in jobs:
        tell("SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except BaseException as error:
            tell("ROLLBACK TO job")
            job.error = error
            if isinstance(error, faults):
                refused.append(job)
        tell("RELEASE job")
    return refused
