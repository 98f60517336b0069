"""Resources by row number, thousands at once, as far as they are there for the caller now; and the windows in which
whole types and patients are walked through.

A window looks at row numbers alone, and costs the same whether its caller sees all of them or none.
The statements are the driver's own: putting them together would cost more than running them.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub.sight import SEVERAL, Sight
from hub.store import arrays
from hub.store.engine import driver, mark
from hub.store.keyed import COLUMNS
from hub.store.read import Stored
from hub.store.sight import condition

AT_ONCE = 5000  # numbers in one statement
_BRIEF = "r.rid, r.type, r.version, r.last_updated, r.deleted, r.patient, r.labels"
_WHOLE = ", ".join(f"r.{column.name}" for column in COLUMNS)


class Brief(NamedTuple):
    """A resource without its content."""

    rid: int
    type: str
    version: int
    last_updated: int
    deleted: bool
    patient: int
    labels: int


def briefs(connection: Connection, sight: Sight, rids: Sequence[int]) -> list[Brief]:
    """In the order of row numbers."""
    return sorted(Brief(*row) for row in _rows(connection, sight, rids, _BRIEF))


def whole(connection: Connection, sight: Sight, rids: Sequence[int]) -> dict[int, Stored]:
    """By row number, deleted ones among them."""
    return {row[0]: Stored(*row) for row in _rows(connection, sight, rids, _WHOLE)}


def counted(connection: Connection, sight: Sight, rids: Sequence[int]) -> int:
    """How many of them are there and not deleted."""
    return sum(row[0] for row in _rows(connection, sight, rids, "count(*)", " AND NOT r.deleted"))


def labelled(connection: Connection, sight: Sight, rids: Sequence[int], labels: int) -> list[Brief]:
    """Those that have one of these labels and are not deleted."""
    also = f" AND NOT r.deleted AND r.labels > 0 AND r.labels & {labels} <> 0"
    return [Brief(*row) for row in _rows(connection, sight, rids, _BRIEF, also)]


def _rows(connection: Connection, sight: Sight, rids: Sequence[int], columns: str, more: str = "") -> Iterable[Any]:
    also, values = condition(connection, sight, "r")
    for start in range(0, len(rids), AT_ONCE):
        among, wanted = arrays.among(connection.dialect.name, rids[start : start + AT_ONCE])
        asked = f"SELECT {columns} FROM resource r WHERE r.rid {among}{also}{more}"
        yield from driver(connection).execute(asked, (*wanted, *values)).fetchall()


def earlier(
    connection: Connection, versions: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], tuple[int, bytes]]:
    """By row number and version when an earlier version was made and its content, as far as it has one; for whoever
    has seen the resources."""
    found: dict[tuple[int, int], tuple[int, bytes]] = {}
    sign = mark(connection)
    asked = f"SELECT last_updated, body FROM history WHERE rid = {sign} AND version = {sign} AND body IS NOT NULL"
    for each in versions:
        for at, body in driver(connection).execute(asked, each).fetchall():
            found[each] = (at, bytes(body))
    return found


def changed(
    connection: Connection, kind: str, after: Sequence[int], until: int, limit: int
) -> tuple[list[int], list[int]]:
    """Row numbers of a type behind (last_updated, row number) and up to a time; and the place where they end,
    nothing where nothing follows."""
    rows = _fetched(connection, _changed(mark(connection)), (kind, *after, until, limit))
    return [rid for _, rid in rows], list(rows[-1]) if len(rows) == limit else []


def of_members(connection: Connection, job: str, after: Sequence[Any], limit: int) -> tuple[list[int], list[Any]]:
    """The same of what belongs to one of a job's patients, behind (patient, type, row number)."""
    patient, kind, rid = after
    rows = _fetched(connection, _of_members(mark(connection)), (job, patient, patient, kind, rid, limit))
    return [row[2] for row in rows], list(rows[-1]) if len(rows) == limit else []


def of_several(connection: Connection, job: str, after: Sequence[Any], limit: int) -> tuple[list[int], list[Any]]:
    """The same of what belongs to several patients, some of them a job's, behind (type, row number)."""
    rows = _fetched(connection, _several(mark(connection)), (*after, limit))
    rids = [rid for _, rid in rows]
    mine: set[int] = set()
    for start in range(0, len(rids), AT_ONCE):
        among, wanted = arrays.among(connection.dialect.name, rids[start : start + AT_ONCE])
        asked = (
            "SELECT DISTINCT q.rid FROM index_patient q JOIN bulk_member m ON m.patient = q.patient"
            f" WHERE m.job = {mark(connection)} AND q.rid {among}"
        )
        mine.update(row[0] for row in _fetched(connection, asked, (job, *wanted)))
    return [rid for rid in rids if rid in mine], list(rows[-1]) if len(rows) == limit else []


def _fetched(connection: Connection, asked: str, values: Sequence[Any]) -> list[Any]:
    found: list[Any] = driver(connection).execute(asked, tuple(values)).fetchall()
    return found


@cache
def _changed(mark: str) -> str:
    return (
        f"SELECT last_updated, rid FROM resource WHERE type = {mark} AND (last_updated, rid) > ({mark}, {mark})"
        f" AND last_updated <= {mark} ORDER BY last_updated, rid LIMIT {mark}"
    )


@cache
def _of_members(mark: str) -> str:
    # the first two conditions bring the walk to its place, the third is the place itself
    return (
        "SELECT r.patient, r.type, r.rid FROM bulk_member m CROSS JOIN resource r"
        f" WHERE m.job = {mark} AND m.patient >= {mark} AND r.patient = m.patient"
        f" AND (m.patient, r.type, r.rid) > ({mark}, {mark}, {mark})"
        f" ORDER BY m.patient, r.type, r.rid LIMIT {mark}"
    )


@cache
def _several(mark: str) -> str:
    return (
        f"SELECT type, rid FROM resource WHERE patient = {SEVERAL} AND (type, rid) > ({mark}, {mark})"
        f" ORDER BY type, rid LIMIT {mark}"
    )
