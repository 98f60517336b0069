"""Forgets tokens, codes, assertions, sessions, launches and failed sign-ins that are past use.

An assertion's jti is kept for two hours past its expiry: forgotten sooner, a node whose clock is behind, or was set
back by an hour, would take it again. Access tokens end where the clock is set back (hub.set_back): by its new time
they would be good for longer than their client was told. A code is kept for a day, a used refresh token as long as
an unused one: who shows one again ends its family.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, delete, select, tuple_

from auth import throttle
from auth.assertion import SKEW_SECONDS
from hub import clock, set_back
from hub.store.engine import Database
from hub.store.tables import assertion, token
from hub.store.tables_auth import authorization_code, launch_context, refresh_token, user_session
from hub.worker import Chore

BATCH = 1000
DAY = 86_400
CLOCKS = 7_200

# each with the seconds that its rows are kept past their end
KEPT: tuple[tuple[Table, int], ...] = (
    (token, SKEW_SECONDS),
    (assertion, CLOCKS),
    (authorization_code, DAY),
    (refresh_token, SKEW_SECONDS),
    (user_session, SKEW_SECONDS),
    (launch_context, SKEW_SECONDS),
)


def chores(database: Database, lock_minutes: int) -> list[Chore]:
    """What a worker does of it. `lock_minutes`: how long failed sign-ins count (HUB_SIGN_IN_LOCK_MINUTES)."""

    def forget_failures(connection: Connection) -> int:
        return throttle.forget(connection, clock.now(), lock_minutes)

    return [
        Chore(timedelta(minutes=1), lambda _: database.writing(lambda c: forget_expired(c, clock.now()))),
        Chore(timedelta(minutes=10), lambda _: database.writing(forget_failures)),
        *set_back.chores(database, end_tokens),
    ]


def end_tokens(connection: Connection) -> None:
    """Clients ask for another one, as they do every few minutes."""
    connection.execute(delete(token))


def forget_expired(connection: Connection, now: datetime, batch: int = BATCH) -> int:
    """Delete at most `batch` rows of each table; how many went. Ask again while it is `batch` or more."""
    return sum(_forget(connection, table, clock.micros(now) - kept * 1_000_000, batch) for table, kept in KEPT)


def _forget(connection: Connection, table: Table, before: int, batch: int) -> int:
    identity = tuple(table.primary_key)
    old = select(*identity).where(table.c.expires < before).limit(batch)
    which = tuple_(*identity).in_(old) if len(identity) > 1 else identity[0].in_(old)
    return connection.execute(delete(table).where(which)).rowcount
