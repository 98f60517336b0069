"""Reads of what belongs to a patient, in the order of row numbers. Nothing here writes.

The statement is the driver's own: putting it together would cost more than running it.
"""

from functools import cache

from sqlalchemy import Connection

from hub.search.edges import address
from hub.sight import Sight
from hub.store.engine import driver, mark
from hub.store.keyed import COLUMNS
from hub.store.read import Stored
from hub.store.sight import condition

_NAMES = ", ".join(f"resource.{column.name}" for column in COLUMNS)


@cache
def _page(mark: str, also: str) -> str:
    found = (
        f"SELECT rid FROM resource WHERE patient = {mark} AND rid > {mark}"
        f" UNION ALL SELECT rid FROM index_patient WHERE patient = {mark} AND rid > {mark}"
    )
    return (
        f"SELECT {_NAMES} FROM ({found} ORDER BY rid) AS found CROSS JOIN resource"
        f" WHERE resource.rid = found.rid AND NOT resource.deleted{also} ORDER BY resource.rid LIMIT {mark}"
    )


def members(connection: Connection, sight: Sight, patient: str, after: int, limit: int) -> list[Stored]:
    """Up to `limit` resources of the Patient with this id behind a row number, as far as they are there for the
    caller; what its scopes cover (hub.access) it looks at itself."""
    also, values = condition(connection, sight, "resource")
    who = address("Patient", patient)
    rows = driver(connection).execute(_page(mark(connection), also), (who, after, who, after, *values, limit))
    return [Stored(*row) for row in rows.fetchall()]
