"""Who reads a file of a feed holds the feed: nobody else reads another of it meanwhile, in whatever process.

Rules: docs/feeds.md "Arriving". A file's lease counts for its feed while the file is being read. It is prolonged
beside the work, however long a step of that takes, and ends by itself when the process is gone.
Refuses: a file whose feed somebody else holds.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hub import clock
from hub.feeds import files
from hub.problems import Problem
from hub.store.engine import Database

log = logging.getLogger("hub.feeds")
SECONDS = 5.0


@contextmanager
def held(database: Database, seq: int, now: clock.Clock) -> Iterator[bool]:
    """Whether it is ours, for as long as we are at it."""
    if not database.writing(lambda connection: files.take(connection, seq, clock.micros(now()))):
        yield False
        return
    beat = _Beat(database, seq, now)
    beat.start()
    try:
        yield True
    finally:
        beat.stop()


@dataclass(slots=True)
class _Beat:
    database: Database
    seq: int
    now: clock.Clock
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"file-{self.seq}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No beat comes after this."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SECONDS):
            try:
                self.database.writing(lambda c: files.prolong(c, self.seq, clock.micros(self.now())))
            except Problem as problem:
                log.warning("file %s: its lease could not be prolonged: %s", self.seq, problem.kind)
