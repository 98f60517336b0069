"""Writes of resources. hub.transactions alone imports this (a contract in pyproject.toml holds it).

Each function takes the connection of a transaction that its caller ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, or_, select, update

from hub.search.hashes import key
from hub.search.index import IndexRows
from hub.store.keyed import COLUMNS
from hub.store.read import Stored, stored
from hub.store.tables import history, index_date, index_string, index_token, outbox, resource

Identity = tuple[str, str]  # type, id
ROWS_A_STATEMENT = 400


def lock(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, Stored]:
    """The current versions of these, locked until the transaction ends; always in the same order, so that
    two transactions never wait for each other in a circle."""
    found: dict[Identity, Stored] = {}
    ordered = sorted(set(identities))
    for start in range(0, len(ordered), ROWS_A_STATEMENT):
        wanted = ordered[start : start + ROWS_A_STATEMENT]
        statement = (
            select(*COLUMNS)
            .where(or_(*(and_(resource.c.type == t, resource.c.id == i) for t, i in wanted)))
            .order_by(resource.c.type, resource.c.id)
            .with_for_update()
        )
        for row in connection.execute(statement):
            found[row.type, row.id] = stored(row)
    return found


def lock_words(connection: Connection, words: Iterable[str]) -> None:
    """Make writers that name the same word take turns (conditional creates of one identity, say)."""
    if connection.dialect.name == "postgresql":
        for number in sorted({key(word) for word in words}):
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (number,))


_NEW = insert(resource)
_OLD = insert(history)
_NEXT = (
    update(resource)
    .where(resource.c.rid == bindparam("b_rid"))
    .values(
        version=bindparam("b_version"),
        last_updated=bindparam("b_last_updated"),
        deleted=bindparam("b_deleted"),
        body=bindparam("b_body"),
    )
)


def create(connection: Connection, rows: Sequence[Stored]) -> None:
    """First versions, in one order: two writers of the same new ids never wait for each other in a circle."""
    if rows:
        ordered = sorted(rows, key=lambda row: (row.type, row.id))
        connection.execute(_NEW, [_columns(row) for row in ordered])


def replace(connection: Connection, pairs: Sequence[tuple[Stored, Stored]]) -> None:
    """(old, new): the old version goes to the history, the new one becomes current."""
    if not pairs:
        return
    connection.execute(_OLD, [_earlier(old) for old, _ in pairs])
    names = ("rid", "version", "last_updated", "deleted", "body")
    connection.execute(_NEXT, [{f"b_{name}": getattr(new, name) for name in names} for _, new in pairs])


def _columns(row: Stored) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in COLUMNS}


def _earlier(row: Stored) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in history.c}


def reindex(connection: Connection, changes: Mapping[int, tuple[IndexRows, IndexRows]]) -> None:
    """rid → (rows before, rows now): only the difference is written."""
    for table, rows_of in _INDEXES:
        gone, fresh = [], []
        for rid, (before, now) in changes.items():
            was, is_ = rows_of(before), rows_of(now)
            gone += [(*row, rid) for row in was - is_]
            fresh += [(*row, rid) for row in is_ - was]
        _change(connection, table, gone, fresh)


_INDEXES: tuple[tuple[Table, Any], ...] = (
    (index_token, lambda rows: {(number,) for number in rows.tokens}),
    (index_date, lambda rows: rows.dates),
    (index_string, lambda rows: rows.strings),
)


def _change(connection: Connection, table: Table, gone: list[Any], fresh: list[Any]) -> None:
    names = [column.name for column in table.c]
    if gone:
        where = and_(*(column == bindparam(f"b_{column.name}") for column in table.c))
        connection.execute(
            delete(table).where(where),
            [{f"b_{n}": v for n, v in zip(names, row, strict=True)} for row in gone],
        )
    if fresh:
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in sorted(fresh)])


def remember(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Outbox rows; one that is there already (same kind and key) stays as it is."""
    if not rows:
        return
    fresh: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in rows:
        known = select(outbox.c.seq).where(outbox.c.kind == row["kind"], outbox.c.key == row["key"])
        if not connection.execute(known).first():
            fresh.setdefault((row["kind"], row["key"]), dict(row))
    if fresh:
        connection.execute(insert(outbox), list(fresh.values()))
