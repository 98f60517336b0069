"""Source persons that share keys, as statements of the driver: a feed asks this of every new person.

No more than so many rows of any key are read: a key which half the county has costs no more than a rare one.
PostgreSQL gets all keys as one array; SQLite a statement for their number.
https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-LATERAL
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from sqlalchemy import Connection

from hub.store import arrays
from hub.store.engine import driver, mark

MOST_KEYS = 200  # of one statement; SQLite takes 500 parts
COMMON_SECONDS = 600.0  # how long a key that too many have is not asked for again: it hardly ever becomes rare
MOST_COMMON = 50_000

# of a key that more have than that it says so, with no persons
_OF_ARRAY = (
    "SELECT k.hash, CASE WHEN p.n <= %(most)s THEN p.persons END FROM unnest(%(hashes)s::bigint[]) AS k (hash)"
    " CROSS JOIN LATERAL (SELECT string_agg(person::text, ' ') AS persons, count(*) AS n FROM"
    " (SELECT person FROM identity_key i WHERE i.hash = k.hash LIMIT %(some)s) AS some_of) AS p WHERE p.n > 0"
)
_OF_ONE = (
    "SELECT ? AS hash, group_concat(person, ' ') AS persons, count(*) AS n FROM"
    " (SELECT person FROM identity_key WHERE hash = ? LIMIT ?)"
)
_ADD_ARRAYS = "INSERT INTO identity_key (hash, person) SELECT * FROM unnest(%s::bigint[], %s::bigint[])"
_ADD_ONE = "INSERT INTO identity_key (hash, person) VALUES (?, ?)"
_common: dict[tuple[str, int], float] = {}  # (database, key): until when


def sharing(connection: Connection, hashes: Iterable[int], most: int) -> list[tuple[int, list[int]]]:
    """(key, persons) of these keys, but of those that more than `most` persons have."""
    found: list[tuple[int, list[int]]] = []
    for some in _chunks(sorted(set(hashes) - common(connection, hashes))):
        for number, persons in _shared(connection, some, most):
            if persons is None:
                _remember(connection, number)
            else:
                found.append((number, [int(person) for person in persons.split()]))
    return found


def common(connection: Connection, hashes: Iterable[int]) -> set[int]:
    """Those of the keys that too many persons had a moment ago."""
    now, database = time.monotonic(), str(connection.engine.url)  # a URL is put together at each look-up
    return {each for each in hashes if _common.get((database, each), 0.0) > now}


def _remember(connection: Connection, number: int) -> None:
    if len(_common) >= MOST_COMMON:
        _common.clear()
    _common[str(connection.engine.url), number] = time.monotonic() + COMMON_SECONDS


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[start : start + MOST_KEYS] for start in range(0, len(numbers), MOST_KEYS))


def _shared(connection: Connection, wanted: Sequence[int], most: int) -> list[tuple[int, str | None]]:
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        rows = cursor.execute(_OF_ARRAY, (most, arrays.numbers(wanted), most + 1)).fetchall()
    else:
        values = [n for each in wanted for n in (each, each, most + 1)]
        rows = cursor.execute(_of_keys(len(wanted)), [most, *values]).fetchall()
    return [(row[0], row[1]) for row in rows]


def having(connection: Connection, number: int, most: int) -> int:
    """How many persons have this key, up to `most`."""
    one = mark(connection)
    asked = f"SELECT count(*) FROM (SELECT person FROM identity_key WHERE hash = {one} LIMIT {one}) AS found"
    return int(driver(connection).execute(asked, (number, most)).fetchone()[0])


def add(connection: Connection, rows: Iterable[tuple[int, int]]) -> None:
    """(key, person): from now on these persons are found by these."""
    ordered = sorted(rows)
    if not ordered:
        return
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        cursor.execute(_ADD_ARRAYS, arrays.columns(("bigint", "bigint"), ordered))
    else:
        cursor.executemany(_ADD_ONE, ordered)


@cache
def _of_keys(count: int) -> str:
    parts = " UNION ALL ".join([_OF_ONE] * count)
    return f"SELECT hash, CASE WHEN n <= ? THEN persons END FROM ({parts}) WHERE n > 0"
