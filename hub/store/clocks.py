"""The database's clock, which all processes over one PostgreSQL follow (hub.clock): what one node writes as a
moment, another compares with its own. SQLite's clock is the machine's.

`clock_timestamp`, not `now`, which stands still in a transaction:
https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT
Why: docs/adr/0023.
"""

from collections.abc import Callable

from sqlalchemy import Connection, text

from hub import clock

MICROS = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
ASKED = f"SELECT {MICROS}"


def follow(connection: Connection) -> None:
    """Ask what time it is there, and go by it from now on: one round trip with PostgreSQL, none with SQLite."""
    if connection.dialect.name == "postgresql":
        follow_told(lambda: int(connection.execute(text(ASKED)).scalar_one()))


def follow_told(ask: Callable[[], int]) -> None:
    """The same, by whoever asks for it with what he asks anyway (microseconds since 1970, UTC)."""
    before = clock.own()
    told = ask()
    clock.follow(told, before, clock.own())
