"""Writers that name the same thing take turns: with SQLite one writes at a time anyway, with PostgreSQL by locks
that end with the transaction. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from hub.search.hashes import key
from hub.store import arrays
from hub.store.engine import driver

# unnest gives its rows in order: two writers never wait for each other in a circle
_LOCK = "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number"


def lock_words(connection: Connection, words: Iterable[str]) -> None:
    """Make writers that name the same word take turns (conditional creates of one identity, say)."""
    lock_numbers(connection, map(key, words))


def lock_numbers(connection: Connection, numbers: Iterable[int]) -> None:
    """The same, by numbers that are keys already."""
    ordered = sorted(set(numbers))
    if ordered and connection.dialect.name == "postgresql":
        driver(connection).execute(_LOCK, (arrays.numbers(ordered),))
