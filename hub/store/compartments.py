"""Reads of what is in a compartment, by the index row that says so (hub.search.compartments). Nothing here writes.

The statement is the driver's own: putting it together would cost more than running it.
"""

from sqlalchemy import Connection

from hub.store.engine import driver
from hub.store.read import Stored

_PAGE = (
    "SELECT resource.rid, resource.type, resource.id, resource.version, resource.last_updated, resource.body"
    " FROM (SELECT rid FROM index_token WHERE hash = {0} AND rid > {0} ORDER BY rid LIMIT {0}) AS found"
    " CROSS JOIN resource WHERE resource.rid = found.rid AND NOT resource.deleted ORDER BY resource.rid"
)
_PAGES = {"sqlite": _PAGE.format("?"), "postgresql": _PAGE.format("%s")}


def members(connection: Connection, key: int, after: int, limit: int) -> list[Stored]:
    """Up to `limit` resources behind a row number that have this key, whatever may be seen of them: the caller
    looks at each (hub.access, and whether the key is another one's)."""
    rows = driver(connection).execute(_PAGES[connection.dialect.name], (key, after, limit))
    return [Stored(row[0], row[1], row[2], row[3], row[4], False, row[5]) for row in rows.fetchall()]
