"""The reads that nearly every request makes, as statements of the driver: one resource, one version, and
searches by keys alone (tokens, references and uris with one value each: `identifier=`, `patient=&status=`).

Putting a statement together costs more than running it, so there is one for each number of keys. One plan is right
for all values: the first key's rows are walked in the order of the answer, and each other key is probed at every
row. The general forms are hub.store.read.page and hub.store.order.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, select, true

from hub.sight import Sight
from hub.store import arrays
from hub.store.engine import driver, mark
from hub.store.sight import Shape, condition, itself
from hub.store.tables import index_token, resource

MOST_KEYS = 6
COLUMNS = (
    resource.c.rid,
    resource.c.type,
    resource.c.id,
    resource.c.version,
    resource.c.last_updated,
    resource.c.deleted,
    resource.c.body,
    resource.c.patient,
    resource.c.labels,
    resource.c.source,
)


_NAMES = ", ".join(f"r.{column.name}" for column in COLUMNS)
Row = tuple[Any, ...]
_OF_ARRAYS = (
    f"SELECT {_NAMES} FROM resource r WHERE (r.type, r.id) IN (SELECT * FROM unnest(%s::varchar[], %s::varchar[]))"
)
_LOCKED = " ORDER BY r.type, r.id FOR UPDATE"


def current(connection: Connection, sight: Sight, resource_type: str, identity: str) -> Row | None:
    """The row of a resource, deleted or not."""
    also, values = condition(connection, sight, "r")
    rows = _rows(connection, _current(mark(connection), also), (resource_type, identity, *values))
    return rows[0] if rows else None


def several(
    connection: Connection, sight: Sight, identities: Iterable[tuple[str, str]], lock: bool = False
) -> list[Row]:
    """The rows of these (type, id), deleted or not, in their order; with `lock` nobody else changes them until the
    transaction ends."""
    ordered = sorted(set(identities))
    if not ordered:
        return []
    also, values = condition(connection, sight, "r")
    if connection.dialect.name == "postgresql":
        types, ids = arrays.columns(("varchar", "varchar"), ordered)
        return _rows(connection, _OF_ARRAYS + also + (_LOCKED if lock else ""), (types, ids, *values))
    # the transaction holds the only right to write
    one = _current("?", also)
    return [row for pair in ordered for row in _rows(connection, one, (*pair, *values))]


def earlier(connection: Connection, sight: Sight, rid: int, version: int) -> Row | None:
    """The row of a version that is not the current one."""
    also, values = condition(connection, sight, "r")
    rows = _rows(connection, _earlier(mark(connection), also), (version, rid, *values))
    return rows[0] if rows else None


def page(connection: Connection, sight: Sight, keys: Sequence[int], after: int, limit: int) -> list[Row]:
    """Rows of up to `limit` resources that have all keys and a rid past `after`, by rid."""
    also, values = condition(connection, sight, "r")
    statement = _page(mark(connection), len(keys), also)
    return _rows(connection, statement, (keys[0], after, *keys[1:], *values, limit))


def of_any(connection: Connection, sight: Sight, keys: Iterable[int], most: int) -> list[tuple[int, Row]]:
    """(key, row) of the resources that have one of these keys: up to `most` of each key, whatever their types."""
    return _of_each(connection, sight, keys, most, "")


def newest_of(connection: Connection, sight: Sight, keys: Iterable[int], most: int) -> list[tuple[int, Row]]:
    """As `of_any`, but those that were made last, the newest of each key first."""
    return _of_each(connection, sight, keys, most, " DESC")


def _of_each(
    connection: Connection, sight: Sight, keys: Iterable[int], most: int, order: str
) -> list[tuple[int, Row]]:
    wanted = sorted(set(keys))
    if not wanted:
        return []
    also, values = condition(connection, sight, "r")
    if connection.dialect.name == "postgresql":
        rows = _rows(connection, _of_array(also, order), (arrays.numbers(wanted), *values, most))
        return [(row[0], row[1:]) for row in rows]
    one = _of_one(also, order)
    return [(key, row) for key in wanted for row in _rows(connection, one, (key, *values, most))]


def _rows(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
    found: list[Row] = driver(connection).execute(statement, values).fetchall()
    return found


@cache
def _of_array(also: str, order: str) -> str:
    # the limit inside makes PostgreSQL ask key by key, whatever it guesses of how common they are
    return (
        f"SELECT k.hash, f.* FROM unnest(%s::bigint[]) AS k (hash) CROSS JOIN LATERAL (SELECT {_NAMES}"
        f" FROM index_token d JOIN resource r ON r.rid = d.rid WHERE d.hash = k.hash AND NOT r.deleted{also}"
        f" ORDER BY d.rid{order} LIMIT %s) AS f"
    )


@cache
def _of_one(also: str, order: str) -> str:
    return (
        f"SELECT {_NAMES} FROM index_token d JOIN resource r ON r.rid = d.rid"
        f" WHERE d.hash = ? AND NOT r.deleted{also} ORDER BY d.rid{order} LIMIT ?"
    )


@cache
def _current(mark: str, also: str) -> str:
    return f"SELECT {_NAMES} FROM resource r WHERE r.type = {mark} AND r.id = {mark}{also}"


@cache
def _earlier(mark: str, also: str) -> str:
    return (
        "SELECT h.rid, r.type, r.id, h.version, h.last_updated, h.deleted, h.body, r.patient, r.labels, r.source"
        f" FROM history h JOIN resource r ON r.rid = h.rid WHERE h.version = {mark} AND h.rid = {mark}{also}"
    )


@cache
def _page(mark: str, keys: int, also: str) -> str:
    # OFFSET 0 keeps PostgreSQL from turning the probe into a join that reads all rows of a common key
    offset = "OFFSET 0" if mark == "%s" else ""
    probe = f" AND EXISTS (SELECT 1 FROM index_token t WHERE t.hash = {mark} AND t.rid = d.rid {offset})"
    return (
        f"SELECT {_NAMES} FROM index_token d JOIN resource r ON r.rid = d.rid"
        f" WHERE d.hash = {mark} AND d.rid > {mark}{probe * (keys - 1)} AND NOT r.deleted{also}"
        f" ORDER BY d.rid LIMIT {mark}"
    )


def having(keys: int, shape: Shape | None) -> Select[Any]:
    """The resources that have all the keys; the first one drives. `shape` is of the caller's Sight, None for who
    sees everything."""
    driver, *others = [bindparam(f"key{number}", type_=index_token.c.hash.type) for number in range(keys)]
    found = select(*COLUMNS).where(
        resource.c.deleted.is_(False),
        resource.c.rid.in_(select(index_token.c.rid).where(index_token.c.hash == driver)),
        true() if shape is None else itself(shape),
    )
    for other in others:
        also = select(index_token.c.rid).where(index_token.c.hash == other, index_token.c.rid == resource.c.rid)
        found = found.where(exists(also.correlate(resource)))
    return found


def parameters(keys: Sequence[int], after: Sequence[int], limit: int) -> dict[str, int]:
    return {
        **{f"key{number}": value for number, value in enumerate(keys)},
        **{f"after{number}": value for number, value in enumerate(after)},
        "limit": limit,
    }
