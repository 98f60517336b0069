"""Who reads a file of a feed holds the feed: nobody else reads another of it meanwhile, in whatever process.

Rules: docs/feeds.md "Arriving". A file's lease counts for its feed while the file is being read. It is prolonged
beside the work, however long a step of that takes, and ends by itself when the process is gone (hub.feeds.taking).
Refuses: a file whose feed somebody else holds; to write (Lost), where somebody else took it meanwhile.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from hub import clock
from hub.feeds import files, taking
from hub.feeds.taking import Lost, Taking
from hub.problems import Problem
from hub.settling import named
from hub.store.engine import Database

log = logging.getLogger("hub.feeds")
SECONDS = 5.0
AGAIN_MICROS = 10_000_000
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Hold:
    """A file that is ours, for as long as nobody else takes it."""

    database: Database
    taking: Taking

    def ask(self, connection: Connection) -> None:
        """In the transaction that writes what we read. Raises Lost."""
        taking.ask(connection, self.taking)

    def writing(self, work: Callable[[Connection], Result]) -> Result:
        """In one transaction. Raises Lost, Problem."""

        def asked(connection: Connection) -> Result:
            self.ask(connection)
            return work(connection)

        return self.database.writing(asked)


@contextmanager
def held(database: Database, seq: int, now: clock.Clock, rests: bool = False) -> Iterator[Hold | None]:
    """The file, for as long as we are at it; None where somebody else is. `rests`: after a fault it is left alone
    for a while, each time for longer."""
    mine = database.writing(lambda connection: _begun(connection, seq, clock.micros(now())))
    if mine is None:
        yield None
        return
    hold = Hold(database, mine)
    beat = _Beat(hold, now)
    beat.start()
    try:
        yield hold
    except Exception:
        if rests:
            _rest(hold, clock.micros(now()))
        raise
    finally:
        beat.stop()


def _begun(connection: Connection, seq: int, now: int) -> Taking | None:
    mine = taking.take(connection, seq, now)
    if mine is not None:
        files.begin(connection, mine)
    return mine


def _rest(hold: Hold, now: int) -> None:
    until = now + AGAIN_MICROS * 2 ** min(hold.taking.attempts, 6)
    with suppress(Lost, Problem):  # whoever took it has it; else its lease ends by itself
        hold.database.writing(lambda connection: taking.rest(connection, hold.taking, until))


@dataclass(slots=True)
class _Beat:
    hold: Hold
    now: clock.Clock
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"file-{self.hold.taking.seq}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No beat comes after this."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SECONDS):
            try:
                self.hold.database.writing(self._prolong)
            except Lost:
                return  # so the next thing that is written says
            except Exception as error:  # whatever it is, the next one may go well
                log.warning("file %s: its lease could not be prolonged: %s", self.hold.taking.seq, named(error))

    def _prolong(self, connection: Connection) -> None:
        taking.prolong(connection, self.hold.taking, clock.micros(self.now()))
