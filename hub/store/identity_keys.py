"""Source persons that share keys, as statements of the driver: a feed asks this of every new person.

No more than so many rows of any key are read: a key which half the county has costs no more than a rare one.
PostgreSQL gets all keys as one array; SQLite a statement for their number.
https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-LATERAL
"""

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import Connection

from hub.store import arrays
from hub.store.engine import driver, mark

MOST_KEYS = 200  # of one statement; SQLite takes 500 parts

_OF_ARRAY = (
    "SELECT k.hash, p.persons FROM unnest(%s::bigint[]) AS k (hash) CROSS JOIN LATERAL"
    " (SELECT string_agg(person::text, ' ') AS persons, count(*) AS n FROM"
    " (SELECT person FROM identity_key i WHERE i.hash = k.hash LIMIT %s) AS some_of) AS p"
    " WHERE p.n BETWEEN 1 AND %s"
)
_OF_ONE = (
    "SELECT ? AS hash, group_concat(person, ' ') AS persons, count(*) AS n FROM"
    " (SELECT person FROM identity_key WHERE hash = ? LIMIT ?)"
)
_ADD_ONE = "INSERT INTO identity_key (hash, person) VALUES (?, ?)"
_ADD_ARRAY = "INSERT INTO identity_key (hash, person) SELECT h, %s::bigint FROM unnest(%s::bigint[]) AS k (h)"


def sharing(connection: Connection, hashes: Iterable[int], most: int) -> list[tuple[int, list[int]]]:
    """(key, persons) of these keys, but of those that more than `most` persons have."""
    wanted = sorted(set(hashes))[:MOST_KEYS]
    if not wanted:
        return []
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        rows = cursor.execute(_OF_ARRAY, (arrays.numbers(wanted), most + 1, most)).fetchall()
    else:
        values = [n for each in wanted for n in (each, each, most + 1)]
        rows = cursor.execute(_of_keys(len(wanted)), [*values, most]).fetchall()
    return [(row[0], [int(person) for person in row[1].split()]) for row in rows]


def having(connection: Connection, number: int, most: int) -> int:
    """How many persons have this key, up to `most`."""
    one = mark(connection)
    asked = f"SELECT count(*) FROM (SELECT person FROM identity_key WHERE hash = {one} LIMIT {one}) AS found"
    return int(driver(connection).execute(asked, (number, most)).fetchone()[0])


def add(connection: Connection, person: int, hashes: Sequence[int]) -> None:
    """From now on this person is found by these."""
    if not hashes:
        return
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        cursor.execute(_ADD_ARRAY, (person, arrays.numbers(hashes)))
    else:
        cursor.executemany(
            "INSERT INTO identity_key (hash, person) VALUES (?, ?)", [(each, person) for each in hashes]
        )


@cache
def _of_keys(count: int) -> str:
    return f"SELECT hash, persons FROM ({' UNION ALL '.join([_OF_ONE] * count)}) WHERE n BETWEEN 1 AND ?"
