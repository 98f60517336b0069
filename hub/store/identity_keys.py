"""Source persons that share keys, as statements of the driver: a feed asks this of every new person.

No more than so many rows of any key are read: a key which half the county has costs no more than a rare one.
PostgreSQL gets all keys as one array; SQLite a statement for their number.
https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-LATERAL
"""

from collections.abc import Iterable
from functools import cache

from sqlalchemy import Connection

from hub.store import arrays
from hub.store.engine import driver

MOST_KEYS = 200  # of one statement; SQLite takes 500 parts

_OF_ARRAY = (
    "SELECT k.hash, p.person FROM unnest(%s::bigint[]) AS k (hash) CROSS JOIN LATERAL"
    " (SELECT person FROM identity_key i WHERE i.hash = k.hash LIMIT %s) AS p"
)


def sharing(connection: Connection, hashes: Iterable[int], most: int) -> list[tuple[int, int]]:
    """(key, person) of those that have one of these keys: up to `most` of each key."""
    wanted = sorted(set(hashes))[:MOST_KEYS]
    if not wanted:
        return []
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        rows = cursor.execute(_OF_ARRAY, (arrays.numbers(wanted), most)).fetchall()
    else:
        rows = cursor.execute(_of_keys(len(wanted)), [n for each in wanted for n in (each, most)]).fetchall()
    return [(row[0], row[1]) for row in rows]


@cache
def _of_keys(count: int) -> str:
    one = "SELECT * FROM (SELECT hash, person FROM identity_key WHERE hash = ? LIMIT ?)"
    return " UNION ALL ".join([one] * count)
