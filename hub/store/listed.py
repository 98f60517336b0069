"""Which resources there are and in which version, without their content: a roster of thousands, or a thousand
Subscriptions, are read when nobody remembers them, not for each event.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection

from hub.search.criterion import ReferenceValue
from hub.sight import Sight
from hub.store import arrays
from hub.store.criteria import value_key
from hub.store.engine import driver, mark
from hub.store.sight import condition


class Listing(NamedTuple):
    """A resource as it is now; nothing else ever has these four."""

    rid: int
    id: str
    version: int
    last_updated: int


def groups_naming(connection: Connection, patient: str, most: int) -> list[Listing]:
    """Up to `most` Groups whose entries name this Patient, active or not."""
    key = value_key(("Group", "member"), ReferenceValue("Patient", patient))
    rows = driver(connection).execute(_naming(mark(connection)), (key, most)).fetchall()
    return [Listing(*row) for row in rows]


def having_any(connection: Connection, keys: Sequence[int]) -> list[Listing]:
    """What has one of these keys in the index, each once, in the order of their row numbers."""
    which, values = arrays.among(connection.dialect.name, keys)
    rows = driver(connection).execute(_having(which), tuple(values)).fetchall()
    return [Listing(*row) for row in rows]


def labels_if_there(connection: Connection, sight: Sight, kind: str, identity: str) -> int | None:
    """The labels of a resource that is there for the caller; None where it is not, or is deleted."""
    also, values = condition(connection, sight, "r")
    found = driver(connection).execute(_there(mark(connection), also), (kind, identity, *values)).fetchone()
    return int(found[0]) if found else None


@cache
def _there(mark: str, also: str) -> str:
    return f"SELECT r.labels FROM resource r WHERE r.type = {mark} AND r.id = {mark} AND NOT r.deleted{also}"


@cache
def _naming(mark: str) -> str:
    return (
        "SELECT r.rid, r.id, r.version, r.last_updated FROM index_token d JOIN resource r ON r.rid = d.rid"
        f" WHERE d.hash = {mark} AND r.type = 'Group' AND NOT r.deleted ORDER BY d.rid LIMIT {mark}"
    )


@cache
def _having(which: str) -> str:
    return (
        "SELECT DISTINCT r.rid, r.id, r.version, r.last_updated FROM index_token d JOIN resource r ON r.rid = d.rid"
        f" WHERE d.hash {which} AND NOT r.deleted ORDER BY r.rid"
    )
