"""A clock that is set back: what was to happen a minute later must not happen an hour later.

Leases, waits and the end of tokens are moments. Where the only clock there is goes back (SQLite: one machine), they
lie further ahead than they should: work waits as long as it would have, and who keeps what must end is told.
With PostgreSQL there are other nodes, whose clocks did not go back: nothing is moved then. A clock that is set
forward ends leases early, which a fence bears (hub.inbox.work, hub.outbox).
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, update

from hub import clock
from hub.inbox.messages import RECEIVED
from hub.outbox import WAITING
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from hub.worker import Chore

LEAST = 30_000_000  # microseconds: less is what NTP does
WAITS = ((inbox, RECEIVED), (outbox, WAITING))
log = logging.getLogger("hub.clock")


class SetBack:
    """Asked every second: by how many microseconds the clock was set back since, 0 where it was not."""

    def __init__(self, now: clock.Clock = clock.now, steady: Callable[[], float] = time.monotonic):
        self._now, self._steady = now, steady
        self._ahead = self._looked()

    def _looked(self) -> int:
        """The clock's moment, as far as it is not explained by the time that has passed."""
        return clock.micros(self._now()) - round(self._steady() * 1_000_000)

    def look(self) -> int:
        before, self._ahead = self._ahead, self._looked()
        return before - self._ahead if before - self._ahead > LEAST else 0


def chores(database: Database, *more: Callable[[Connection], object]) -> list[Chore]:
    """`more` is done in the same transaction, once for each time that the clock was set back."""
    if not database.is_sqlite:
        return []
    watched = SetBack()

    def turn(now: int) -> bool:
        by = watched.look()
        if by:
            log.error("the clock was set back by %d s; work waits as long as it would have", by // 1_000_000)
            database.writing(lambda connection: moved(connection, now, by, more))
        return bool(by)

    return [Chore(timedelta(seconds=1), turn)]


def moved(connection: Connection, now: int, by: int, more: tuple[Callable[[Connection], object], ...] = ()) -> None:
    for table, waits in WAITS:
        connection.execute(
            update(table).where(table.c.state == waits, table.c.due > now).values(due=table.c.due - by)
        )
    for each in more:
        each(connection)
