"""Reads of resources: current, one version, all versions, a page of a search. Nothing here writes.

Each takes Access first: what it may not see is not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, literal, select, tuple_

from hub.access import Access
from hub.search.criterion import Criterion
from hub.search.parameters import IN_COLUMNS
from hub.search.query import Query
from hub.store import keyed
from hub.store.criteria import cost, in_column, rids, value_key
from hub.store.tables import history, resource


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource. `body` is its JSON as served; None where this version is the deletion."""

    rid: int
    type: str
    id: str
    version: int
    last_updated: int
    deleted: bool
    body: bytes | None


_CURRENT = select(*keyed.COLUMNS).where(resource.c.type == bindparam("type"), resource.c.id == bindparam("id"))
_EARLIER = select(history).where(history.c.rid == bindparam("rid"))


def stored(row: Any) -> Stored:
    return Stored(*tuple(row))


def current(connection: Connection, access: Access, resource_type: str, identity: str) -> Stored | None:
    """The current version (perhaps a deletion), or None."""
    access.require("read", resource_type)
    row = connection.execute(_CURRENT, {"type": resource_type, "id": identity}).first()
    return stored(row) if row else None


def versions(connection: Connection, access: Access, resource_type: str, identity: str) -> list[Stored]:
    """Every version, newest first. https://hl7.org/fhir/R4/http.html#history"""
    access.require("history-instance", resource_type)
    newest = connection.execute(_CURRENT, {"type": resource_type, "id": identity}).first()
    if newest is None:
        return []
    now = stored(newest)
    rows = connection.execute(_EARLIER.order_by(history.c.version.desc()), {"rid": now.rid})
    earlier = (Stored(r.rid, now.type, now.id, r.version, r.last_updated, r.deleted, r.body) for r in rows)
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
    row = connection.execute(_EARLIER.where(history.c.version == number), {"rid": now.rid}).first()
    return Stored(row.rid, now.type, now.id, row.version, row.last_updated, row.deleted, row.body) if row else None


def page(connection: Connection, access: Access, query: Query, after: Sequence[int], limit: int) -> list[Stored]:
    """Up to `limit` matches behind a position (see `position`), in the query's order."""
    access.require("search-type", query.type)
    keys = _keys(query)
    if keys:
        prepared = keyed.statement(len(keys), query.sort, bool(after))
        return [stored(row) for row in connection.execute(prepared, keyed.parameters(keys, after, limit))]
    descending = query.sort.startswith("-")
    order = [resource.c.last_updated, resource.c.rid] if query.sort else [resource.c.rid]
    statement = _matching(query).with_only_columns(*keyed.COLUMNS)
    if after:
        here, there = tuple_(*order), tuple_(*(literal(number) for number in after))
        statement = statement.where(here < there if descending else here > there)
    ordered = [column.desc() if descending else column.asc() for column in order]
    return [stored(row) for row in connection.execute(statement.order_by(*ordered).limit(limit))]


def _keys(query: Query) -> list[int]:
    """The keys of a query that asks for nothing else, the most selective first; otherwise none."""
    if len(query.criteria) > keyed.MOST_KEYS or not all(map(_is_keyed, query.criteria)):
        return []
    return [value_key((c.parameter.base, c.parameter.code), c.values[0]) for c in sorted(query.criteria, key=cost)]


def _is_keyed(criterion: Criterion) -> bool:
    parameter = criterion.parameter
    return (
        len(criterion.values) == 1
        and parameter.type in ("token", "reference", "uri")
        and parameter.code not in IN_COLUMNS
    )


def position(query: Query, last: Stored) -> list[int]:
    """Where a page ended, for the next one."""
    return [last.last_updated, last.rid] if query.sort else [last.rid]


def total(connection: Connection, access: Access, query: Query) -> int:
    """How many resources match."""
    access.require("search-type", query.type)
    return int(connection.execute(_matching(query).with_only_columns(func.count())).scalar_one())


def _matching(query: Query) -> Select[tuple[int]]:
    """Current resources that the index says match. The most selective criterion drives, the others are probed.

    An index key holds the type, so where one drives, the type is not asked again: asking would tempt SQLite
    to walk the whole type in order.
    """
    statement = select(resource.c.rid).where(resource.c.deleted.is_(False))
    criteria = sorted(query.criteria, key=cost)
    if not criteria or criteria[0].parameter.code in IN_COLUMNS:
        statement = statement.where(resource.c.type == query.type)
    for criterion in criteria:
        if criterion.parameter.code in IN_COLUMNS:
            statement = statement.where(in_column(criterion))
        elif criterion is criteria[0]:
            statement = statement.where(resource.c.rid.in_(rids(criterion)))
        else:
            found = rids(criterion)
            statement = statement.where(exists(found.where(found.selected_columns.rid == resource.c.rid)))
    return statement
