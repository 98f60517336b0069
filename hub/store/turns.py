"""Writers that name the same thing take turns: with SQLite one writes at a time anyway, with PostgreSQL by locks
that end with the transaction. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from hub.search.hashes import key
from hub.store import arrays
from hub.store.clocks import MICROS, follow_told
from hub.store.engine import driver

# unnest gives its rows in order: two writers never wait for each other in a circle
_LOCK = "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number"
_NUMBERED = f"SELECT CASE WHEN pg_current_xact_id() IS NOT NULL THEN {MICROS} END"


def lock_words(connection: Connection, words: Iterable[str]) -> None:
    """Make writers that name the same word take turns (conditional creates of one identity, say)."""
    lock_numbers(connection, map(key, words))


def begin_to_write(connection: Connection, words: Iterable[str]) -> None:
    """The same, by whoever stamps what it writes after this: from now on who asks what is being written knows of it
    (hub.store.settled), and the clock is right."""
    if connection.dialect.name == "postgresql":
        follow_told(lambda: int(driver(connection).begin(_NUMBERED)))
        lock_words(connection, words)


def lock_numbers(connection: Connection, numbers: Iterable[int]) -> None:
    """The same, by numbers that are keys already."""
    ordered = sorted(set(numbers))
    if ordered and connection.dialect.name == "postgresql":
        driver(connection).execute(_LOCK, (arrays.numbers(ordered),))
