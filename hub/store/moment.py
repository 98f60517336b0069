"""The moment of the first page of a sorted search: what was committed then, and where each resource stood.

On PostgreSQL it is the snapshot of the first page's own statement: a row changed since is one whose transaction
(xmin) the snapshot does not see (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT).
Row numbers of transactions turn over every 4 billion, so only rows stamped MARGIN before the moment or later are
looked at; between its stamp and its commit a version takes far less. A SQLite database has one writer at a time, so
what was committed is what is no newer than the newest version there.
Why: docs/adr/0009. Ceiling: a transaction that writes inside a savepoint at the very moment of the first page
(Idempotency-Key) is taken as committed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from hub.store.tables import history, resource

MARGIN = 20_000_000  # microseconds from the stamp of a version to its commit, at most
TURN = 2**32


@dataclass(frozen=True, slots=True)
class Moment:
    """SQLite: (newest change). PostgreSQL: (an earlier time, the first transaction that had not begun,
    and how far before that one those under way had begun…): short, for it goes into a link."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Version:
    last_updated: int
    body: bytes | None


def now(kind: str, types: Sequence[Any]) -> Any:
    """The moment as a column of the statement that reads the first page."""
    if kind == "postgresql":
        text = "pg_current_snapshot()::text || ':' || (extract(epoch FROM now()) * 1000000)::bigint"
        return literal_column(f"({text})", String).label("moment")
    newest = [
        select(func.max(resource.c.last_updated).label("newest")).where(resource.c.type == name).correlate(None)
        for name in types
    ]
    each = newest[0].subquery() if len(newest) == 1 else union_all(*newest).subquery()
    found = select(func.coalesce(func.max(each.c.newest), 0)).scalar_subquery()
    return cast(found, BigInteger).label("moment")


def read(connection: Connection, value: Any) -> Moment:
    """The moment that such a column told."""
    if connection.dialect.name != "postgresql":
        return Moment((int(value),))
    _, first, under_way, at = str(value).split(":")
    before = (int(first) - int(number) for number in filter(None, under_way.split(",")))
    return Moment((int(at) - MARGIN, int(first), *before))


def _unseen(connection: Connection, moment: Moment, table: str) -> ColumnElement[bool]:
    """PostgreSQL: the transaction that wrote this row was not committed at the moment."""
    _, first, *under_way = moment.numbers
    xmin: ColumnElement[int] = literal_column(f"({table}.xmin::text::bigint)", BigInteger)
    later = ((xmin - first % TURN + TURN) % TURN) < TURN // 2
    return or_(later, xmin.in_([(first - number) % TURN for number in under_way])) if under_way else later


def changed(connection: Connection, moment: Moment) -> ColumnElement[bool]:
    """The current version is newer than the moment."""
    newer = resource.c.last_updated > moment.numbers[0]
    if connection.dialect.name == "postgresql":
        return and_(newer, _unseen(connection, moment, "resource"))
    return newer


def versions(connection: Connection, moment: Moment, rids: Iterable[int]) -> Mapping[int, Version]:
    """Of changed resources the version that was current at the moment; the first one of those made later.
    What has no earlier version stands where it is."""
    wanted = sorted(rids)
    if not wanted:
        return {}
    columns: list[Any] = [history.c.rid, history.c.version, history.c.last_updated]
    on_postgresql = connection.dialect.name == "postgresql"
    columns.append(_unseen(connection, moment, "history").label("unseen") if on_postgresql else literal_column("1"))
    statement = select(*columns).where(history.c.rid.in_(wanted)).order_by(history.c.rid, history.c.version.desc())
    chosen: dict[int, int] = {}
    since: dict[int, int] = {}  # when what took a version's place was written
    for rid, version, last_updated, unseen in connection.execute(statement):
        if since.get(rid, moment.numbers[0] + 1) > moment.numbers[0] and unseen:
            chosen[rid] = version  # the earliest one that was replaced after the moment
        since[rid] = last_updated
    return _read(connection, chosen)


def _read(connection: Connection, chosen: Mapping[int, int]) -> dict[int, Version]:
    found: dict[int, Version] = {}
    which = select(history.c.rid, history.c.version, history.c.last_updated, history.c.body)
    for row in connection.execute(which.where(history.c.rid.in_(list(chosen)))):
        if chosen[row.rid] == row.version:
            found[row.rid] = Version(row.last_updated, row.body)
    return found
