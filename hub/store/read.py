"""Reads of resources: current, one version, all versions, a page of a search. Nothing here writes.

Each takes Access first: what it may not see is not there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from hub.access import Access
from hub.search.query import Query
from hub.sight import UNKNOWN
from hub.store import keyed
from hub.store.criteria import cost, is_keyed, value_key
from hub.store.sight import named
from hub.store.tables import history, resource

SELECTIVE = 1  # a cost up to which counting is not worth it
MAX_VERSION = 2**31 - 1  # what the column holds: a larger number is of no version, and no parameter


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource. `body` is its JSON as stored; None where this version is the deletion. `patient`,
    `labels` and `source` are those of the resource, whatever the version (hub.sight); `is_earlier` where another
    version is current, so that it may be about somebody else."""

    rid: int
    type: str
    id: str
    version: int
    last_updated: int
    deleted: bool
    body: bytes | None
    patient: int = UNKNOWN
    labels: int = 0
    source: int = 0
    is_earlier: bool = False


_EARLIER = select(history).where(history.c.rid == bindparam("rid"))


def stored(row: Any) -> Stored:
    return Stored(*tuple(row))


def current(connection: Connection, access: Access, resource_type: str, identity: str) -> Stored | None:
    """The current version (perhaps a deletion), or None."""
    access.require("read", resource_type)
    row = keyed.current(connection, access.sight, resource_type, identity)
    return Stored(*row) if row else None


def several(connection: Connection, access: Access, resource_type: str, ids: Iterable[str]) -> dict[str, Stored]:
    """By id the current versions (perhaps deletions) of those that are there."""
    access.require("read", resource_type)
    rows = keyed.several(connection, access.sight, ((resource_type, identity) for identity in ids))
    return {stored.id: stored for stored in (Stored(*row) for row in rows)}


def versions(connection: Connection, access: Access, resource_type: str, identity: str) -> list[Stored]:
    """Every version, newest first. https://hl7.org/fhir/R4/http.html#history"""
    access.require("history-instance", resource_type)
    row = keyed.current(connection, access.sight, resource_type, identity)
    if row is None:
        return []
    now = Stored(*row)
    rows = connection.execute(_EARLIER.order_by(history.c.version.desc()), {"rid": now.rid})
    whose = (now.patient, now.labels, now.source)
    earlier = (
        Stored(r.rid, now.type, now.id, r.version, r.last_updated, r.deleted, r.body, *whose, True) for r in rows
    )
    # between the two reads another writer may have moved the current version into the history
    return [now, *(found for found in earlier if found.version < now.version)]


def version(
    connection: Connection, access: Access, resource_type: str, identity: str, number: int
) -> Stored | None:
    """One version by its number, or None."""
    access.require("vread", resource_type)
    now = current(connection, access, resource_type, identity)
    if now is None or now.version == number:
        return now
    if number > MAX_VERSION:
        return None
    row = keyed.earlier(connection, access.sight, now.rid, number)
    return replace(Stored(*row), is_earlier=True) if row else None


def page(connection: Connection, access: Access, query: Query, after: Sequence[int], limit: int) -> list[Stored]:
    """Up to `limit` matches behind a position (see `position`), in the order of row numbers. A sorted query gives
    its first page only; hub.store.order turns pages."""
    asked = query.granted(access)
    if asked.sort:
        from hub.store.order import sorted_page  # it stands on this file

        return sorted_page(connection, asked, after, limit).rows
    keys = keys_of(asked)
    if keys and not is_panel_better(connection, asked):
        return [Stored(*row) for row in keyed.page(connection, asked.sight, keys, after[0] if after else 0, limit)]
    statement = _matching(connection, asked).with_only_columns(*keyed.COLUMNS)
    if after:
        statement = statement.where(resource.c.rid > after[0])
    rows = connection.execute(statement.order_by(resource.c.rid).limit(limit), named(asked.sight))
    return [stored(row) for row in rows]


def is_panel_better(connection: Connection, query: Query) -> bool:
    """Whether the few patients of the caller find less than the keys do."""
    if query.sight.everything or query.sight.all_patients or min(map(cost, query.criteria)) <= SELECTIVE:
        return False
    from hub.store.panel import is_small  # most callers' searches name a patient

    return is_small(connection, query.sight)


def keys_of(query: Query) -> list[int]:
    """The keys of a query that asks for nothing else, the most selective first; otherwise none."""
    if (
        query.conditions
        or not query.type
        or len(query.criteria) > keyed.MOST_KEYS
        or not all(map(is_keyed, query.criteria))
    ):
        return []
    return [value_key((c.parameter.base, c.parameter.code), c.values[0]) for c in sorted(query.criteria, key=cost)]


def position(last: Stored) -> list[int]:
    """Where an unsorted page ended, for the next one."""
    return [last.rid]


def total(connection: Connection, access: Access, query: Query) -> int:
    """How many resources match."""
    asked = query.granted(access)
    statement = _matching(connection, asked).with_only_columns(func.count())
    return int(connection.execute(statement, named(asked.sight)).scalar_one())


def _matching(connection: Connection, query: Query) -> Any:
    from hub.store.matching import matching  # it is large, and most searches are keyed

    return matching(connection, query)
