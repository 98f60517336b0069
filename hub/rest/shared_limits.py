"""Nodes over one PostgreSQL count together: once a second each adds what its clients took, and learns the sum.

A client that spreads over the nodes gets what each gives it within a second, then all know. What is kept is a hash
(hub.rest.slots: the key is HUB_SECRET_KEY, the same on all nodes) and a number, in a table that PostgreSQL does not
log: after a crash of the database the buckets are full, as after a restart of a node without its files.
Of the processes of a node one does it, who has the lock of its file. The numbers are moments by the database's
clock (hub.clock); one that no clock that is right could have written counts for nothing.
Refuses: nothing. Where the database does not answer, what was taken waits, and each node counts for itself.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from operator import add
from pathlib import Path

from sqlalchemy import Connection, text

from hub import clock
from hub.problems import Problem
from hub.rest.limits import COUNTED, DAY, NANO, Book
from hub.store import clocks
from hub.store.engine import Database

log = logging.getLogger("hub.limits")
EVERY_SECONDS = 1.0
FORGET_SECONDS = 600.0
SIGN = 1 << 63  # marks are unsigned, PostgreSQL's numbers are not

BUCKETS = 2  # that nodes may have emptied in one second, each its own, so that the sum is no more than so many

# what is taken moves a number on, from `least` where it was below: a full bucket, a day without requests; and where
# it was above `most`: there somebody's clock was wrong
_TELL = text("""
INSERT INTO limit_taken AS held (book, mark, number)
SELECT :book, mark, least(:least + taken, :most)
FROM unnest(cast(:marks AS bigint[]), cast(:taken AS bigint[])) AS told (mark, taken)
ON CONFLICT (book, mark) DO UPDATE SET number = least(:most, excluded.number - :least
    + CASE WHEN held.number > :most THEN :least ELSE greatest(held.number, :least) END)
""")
_KNOWN = text("""
SELECT mark, number FROM limit_taken WHERE book = :book AND number > :least AND number <= :most LIMIT 16384
""")
_FORGET = text("DELETE FROM limit_taken WHERE book = :book AND (number <= :least OR number > :most)")


class Sharing:
    """One for a process; `folder` is the node's data directory."""

    def __init__(self, database: Database, books: list[Book], folder: Path, clock: Callable[[], int] = clock.nanos):
        self._database, self._clock, self._over = database, clock, threading.Event()
        self._books = [book for book in books if book.fresh]
        self._lock = os.open(folder / "limits.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._forgotten = time.monotonic()

    def start(self) -> None:
        if self._books:
            threading.Thread(target=self._run, name="shared-limits", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            try:
                self._database.reading(clocks.follow)  # each process: all of a node write the same numbers
                if self.is_mine():
                    self.exchange()
            except Problem as problem:
                log.warning("limits are counted by this node alone for now: %s", problem.kind)

    def is_mine(self) -> bool:
        """Whether this process does it for its node, from now until it ends."""
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def exchange(self) -> None:
        """Add what this node's clients took, learn what all took. Raises Problem where the database does not
        answer."""
        forget = time.monotonic() - self._forgotten > FORGET_SECONDS
        for book in self._books:
            for mark, number in self._told(book, forget):
                book.numbers.change_at(mark % (2 * SIGN), partial(self._at_least, book, number))
        if forget:
            self._forgotten = time.monotonic()

    def _told(self, book: Book, forget: bool) -> Iterator[tuple[int, int]]:
        assert book.fresh
        taken, least = book.fresh.taken_out(), self._least(book)
        marks = sorted(taken)
        told = {
            "marks": [mark - 2 * SIGN if mark >= SIGN else mark for mark in marks],
            "taken": [taken[mark] for mark in marks],
        }
        of = {"book": book.name, "least": least, "most": self._most(book, BUCKETS)}

        def exchanged(connection: Connection) -> list[tuple[int, int]]:
            if marks:
                connection.execute(_TELL, of | told)
            if forget:
                connection.execute(_FORGET, of)
            return [(row.mark, row.number) for row in connection.execute(_KNOWN, of)]

        try:
            yield from self._database.writing(exchanged) if marks or forget else self._database.reading(exchanged)
        except Problem:
            for mark in marks:  # told later
                book.fresh.change_at(mark, partial(add, taken[mark]))
            raise

    def _least(self, book: Book) -> int:
        """A number that says: nothing taken."""
        now = self._clock()
        return now if book.pace else now // NANO // DAY << COUNTED

    def _most(self, book: Book, buckets: int = 1) -> int:
        """The highest number that there can be now, by a clock that is right."""
        return self._least(book) + (buckets * book.pace.window if book.pace else (1 << COUNTED) - 1)

    def _at_least(self, book: Book, number: int, held: int) -> int:
        """What a node holds of a name once it knows the sum. A bucket is never more than empty."""
        most = self._most(book)
        return max(held if held <= most else 0, min(number, most))
