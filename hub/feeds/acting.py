"""Rows that are no records but acts: each is done, or refused with a line of the report, and then it is over.

Rules: docs/feeds.md "Acts". A row that was done is kept, so that its file changes nothing when it comes again; one
that was refused is forgotten, so that it is tried again when it is sent again. Whoever is killed between an act and
its mark does it again: an act that is done already must do nothing.
Rows of one subject are done in the order of their lines.
Refuses: what `act` refuses; a row that is taken back is nothing to do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from hub.feeds import files, kept
from hub.feeds.files import Counts
from hub.feeds.holding import Hold
from hub.feeds.kept import Held
from hub.feeds.records import ABOUT, Feed, Kept, Reject

TOGETHER = 50  # subjects that are read at once
Act = Callable[[Feed, Kept], Reject | None]  # None: done. Raises Problem where it must be tried again


@dataclass(frozen=True, slots=True)
class Acting:
    """Does what the rows of the file that is held say; `counts` tell how many lines its report has."""

    hold: Hold
    feed: Feed
    act: Act
    counts: Counts
    step: Callable[[Counts], object] = lambda counts: None

    def run(self) -> None:
        """All that changed. Raises Lost, Problem: the rest is done next time."""
        after = ""
        while keys := self._next(after):
            with self.hold.database.read() as connection:
                held = kept.subjects(connection, self.feed, keys)
            for one in held:
                self._one(one)
            self.step(self.counts)
            after = keys[-1]

    def _next(self, after: str) -> list[str]:
        with self.hold.database.read() as connection:
            return kept.changed(connection, self.feed, ABOUT, after, TOGETHER)

    def _one(self, held: Held) -> None:
        refused: dict[int, Reject] = {}
        for place, row in _in_order(held):
            if (reject := self.act(self.feed, row)) is not None:
                refused[place] = reject
        told = self.counts.rejected + self.counts.warned

        def settle(connection: Connection) -> None:
            files.reject(connection, self.hold.taking.seq, told, list(refused.values()))
            kept.forget(connection, [held.versions[place] for place in refused])
            kept.written(connection, [held])

        self.hold.writing(settle)
        self.counts.subjects += 1
        self.counts.rejected += len(refused)
        self.counts.resources += len(held.news) - len(refused)


def _in_order(held: Held) -> Iterator[tuple[int, Kept]]:
    news = [(place, held.subject.rows[place]) for place in held.news]
    return (one for one in sorted(news, key=lambda one: (one[1].file, one[1].line)) if not one[1].deleted)
