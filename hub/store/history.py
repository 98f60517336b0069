"""The versions of resources, newest first, in pages: of one resource, of a type, of several types.

Rules: https://hl7.org/fhir/R4/http.html#history (`_since`: versions made at or after a moment; `_at`: versions that
were current at some time of a period)
A place in the history is (last_updated, rid): two versions of one resource never have the same last_updated. A page
goes on behind a place, and current versions are read before earlier ones: a version that another writer moves into
the history meanwhile is seen there, so nothing is missing and, each being taken once, nothing comes twice.
Types are read one by one along an index of each: what a client may not see is never touched.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, bindparam, exists, func, select, text, tuple_

from hub.access import Access
from hub.fhir.types import resource_types
from hub.search.values import FOREVER, NEVER
from hub.sight import ALL, Sight
from hub.store import keyed
from hub.store.keyed import COLUMNS
from hub.store.read import Stored, stored
from hub.store.sight import named, seen
from hub.store.tables import history, resource

AT_ONCE = 400  # row numbers in one statement

Key = tuple[int, int, int]  # last_updated, rid, version


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions: made at `since` or later and before `until`, current at `at` or later; behind a place."""

    since: int = NEVER
    until: int = FOREVER
    at: int | None = None
    after: tuple[int, int] = (FOREVER, FOREVER)


def of_instance(
    connection: Connection, access: Access, resource_type: str, identity: str, wanted: Wanted, limit: int
) -> tuple[int, list[Stored]] | None:
    """How many versions of one resource are wanted, and the first of them; None where it never was."""
    access.require("history-instance", resource_type)
    row = keyed.current(connection, access.sight, resource_type, identity)
    if row is None:
        return None
    given = {"one": row[0], **_given(wanted, limit)}
    everything = given | {"place": FOREVER, "number": FOREVER, "limit": FOREVER}
    total = len(_keys(connection, ALL, "rid", wanted, everything))
    return total, _versions(connection, _keys(connection, ALL, "rid", wanted, given), limit)


def of_types(
    connection: Connection, access: Access, interaction: str, types: Iterable[str], wanted: Wanted, limit: int
) -> list[Stored]:
    """The first versions of resources of these types."""
    keys: list[Key] = []
    for each in types:
        access.require(interaction, each)
        keys += _keys(connection, access.sight, "type", wanted, {"one": each, **_given(wanted, limit)})
    return _versions(connection, keys, limit)


def types_shown(connection: Connection, access: Access) -> list[str]:
    """The types that are stored and of which this client may see the history of the whole system."""
    # of a type nothing of which is there for the caller, an empty history is read
    return [each for each in connection.execute(_TYPES).scalars() if access.may("history-system", each)]


def may_see_any(access: Access) -> bool:
    return any(access.may("history-system", each) for each in resource_types())


# the next type is looked up behind the one before: a step of an index for each type, not for each resource
_TYPES = text(
    "WITH RECURSIVE stored(type) AS (SELECT min(type) FROM resource UNION ALL "
    "SELECT (SELECT min(resource.type) FROM resource WHERE resource.type > stored.type) "
    "FROM stored WHERE stored.type IS NOT NULL) SELECT type FROM stored WHERE type IS NOT NULL"
)


def _given(wanted: Wanted, limit: int) -> dict[str, int]:
    place, number = wanted.after
    found = {"since": wanted.since, "until": wanted.until, "place": place, "number": number, "limit": limit}
    return found if wanted.at is None else found | {"at": wanted.at}


def _keys(connection: Connection, sight: Sight, by: str, wanted: Wanted, given: dict[str, Any]) -> set[Key]:
    """Current versions first, then earlier ones: see the module's text."""
    found: set[Key] = set()
    for table in (resource, history):
        statement = _statement(table, by, wanted.at is not None)
        if not sight.everything:
            statement = statement.where(_is_seen(table, sight))
        rows = connection.execute(statement, named(sight, **given))
        found.update((row.last_updated, row.rid, row.version) for row in rows)
    return found


@lru_cache(maxsize=8)
def _statement(table: Table, by: str, at: bool) -> Select[Any]:
    columns = table.c
    place = tuple_(bindparam("place", type_=columns.rid.type), bindparam("number", type_=columns.rid.type))
    found = select(columns.last_updated, columns.rid, columns.version).where(
        columns[by] == bindparam("one"),
        columns.last_updated >= bindparam("since"),
        columns.last_updated < bindparam("until"),
        tuple_(columns.last_updated, columns.rid) < place,
    )
    if at:
        found = found.where(_was_current(table))
    return found.order_by(columns.last_updated.desc(), columns.rid.desc()).limit(bindparam("limit"))


def _is_seen(table: Table, sight: Sight) -> Any:
    """An earlier version is there for who may see the resource as it stands: what was raised, is raised for all."""
    if table is resource:
        return seen(resource, sight)
    now = resource.alias()
    return exists(select(now.c.rid).where(now.c.rid == table.c.rid, seen(now, sight)).correlate(table))


def _was_current(table: Table) -> Any:
    """It was made later than `at`, or was no deletion and still stood then: the version after it is later, too."""
    made = table.c.last_updated >= bindparam("at")
    if table is resource:
        return made | table.c.deleted.is_(False)
    return made | and_(table.c.deleted.is_(False), _followed(history.alias(), table) | _followed(resource, table))


def _followed(later: Any, table: Table) -> Any:
    after = select(later.c.rid).where(
        later.c.rid == table.c.rid,
        later.c.version == table.c.version + 1,
        later.c.last_updated > bindparam("at"),
    )
    return exists(after.correlate(table))


def _versions(connection: Connection, keys: Iterable[Key], limit: int) -> list[Stored]:
    """The newest of these, with their bodies."""
    newest = heapq.nlargest(limit, keys)
    found: dict[tuple[int, int], Stored] = {}
    for start in range(0, len(newest), AT_ONCE):
        part = [key[1:] for key in newest[start : start + AT_ONCE]]
        found |= _bodies(connection, part)
    return [found[key[1:]] for key in newest]


def _bodies(connection: Connection, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Stored]:
    current = connection.execute(select(*COLUMNS).where(resource.c.rid.in_({rid for rid, _ in wanted})))
    now = {row.rid: stored(row) for row in current}
    found = {(row.rid, row.version): row for row in now.values()}
    earlier = [key for key in wanted if key not in found]
    if earlier:
        chosen = select(history).where(tuple_(history.c.rid, history.c.version).in_(earlier))
        for row in connection.execute(chosen):
            of = now[row.rid]
            whose = (of.patient, of.labels, of.source, True)
            version = Stored(row.rid, row.type, of.id, row.version, row.last_updated, row.deleted, row.body, *whose)
            found[row.rid, row.version] = version
    return found


def last_bodies(connection: Connection, rids: Sequence[int]) -> dict[int, bytes]:
    """By row number the last content of what was deleted."""
    if not rids:
        return {}
    older = history.alias()
    there = (older.c.rid == history.c.rid, older.c.body.is_not(None))
    last = select(func.max(older.c.version)).where(*there).correlate(history).scalar_subquery()
    asked = select(history.c.rid, history.c.body).where(history.c.rid.in_(rids), history.c.version == last)
    return {row.rid: row.body for row in connection.execute(asked)}
