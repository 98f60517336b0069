"""Writes of resources. hub.transactions and hub.reindex alone import this (a contract in pyproject.toml holds it).

What a commit writes goes to PostgreSQL as one statement, whatever its size: each round trip and each commit of
its own costs more than the rows. Rows travel as arrays, so that there are few statements to prepare.
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
SQLite has no round trips: one statement a table.

Each function takes the connection of a transaction that its caller ends; `store` alone may also be given a
connection where each statement is a transaction, if nothing else is to be written with it.
Raises Overtaken where a version that was read is not the current one any more.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from hub.search.edges import address
from hub.search.index import IndexRows
from hub.sight import Sight
from hub.store import arrays
from hub.store import batch as batch_
from hub.store.batch import PARTS, Batch, Rows
from hub.store.engine import Overtaken, driver
from hub.store.keyed import COLUMNS
from hub.store.read import Stored
from hub.store.sight import condition

Identity = tuple[str, str]  # type, id

_NAMES = ", ".join(column.name for column in COLUMNS)
_OF_ARRAYS = (
    f"SELECT {_NAMES} FROM resource WHERE (type, id) IN (SELECT * FROM unnest(%s::varchar[], %s::varchar[]))"
)
_LOCKED = " ORDER BY type, id FOR UPDATE"
_ONE = f"SELECT {_NAMES} FROM resource WHERE type = ? AND id = ?"


def held(
    connection: Connection, sight: Sight, identities: Iterable[Identity], lock: bool
) -> dict[Identity, Stored]:
    """The current versions of these, as far as they are there for the caller; with `lock` nobody else changes them
    until the transaction ends. They are locked in one order, so that two transactions never wait for each other in
    a circle."""
    ordered = sorted(set(identities))
    if not ordered:
        return {}
    cursor = driver(connection)
    also, values = condition(connection, sight, "resource")
    if connection.dialect.name == "postgresql":
        types, ids = arrays.columns(("varchar", "varchar"), ordered)
        rows = cursor.execute(_OF_ARRAYS + also + (_LOCKED if lock else ""), (types, ids, *values)).fetchall()
    else:  # the transaction holds the only right to write
        rows = [row for pair in ordered for row in cursor.execute(_ONE + also, (*pair, *values)).fetchall()]
    return {(row[1], row[2]): Stored(*row) for row in rows}


def store(connection: Connection, batch: Batch) -> None:
    """Write a batch. Outbox rows that are there already (same kind and key) stay as they are."""
    parts = {name: rows for name, rows in _rows(batch) if rows}
    if not parts:
        return
    if connection.dialect.name == "postgresql":
        _at_once(connection, parts)
    else:
        _one_by_one(connection, parts)


def _rows(batch: Batch) -> Iterable[tuple[str, Rows]]:
    """The rows of each part of the statement, each in one order: two writers of the same new keys never wait for
    each other in a circle."""
    created = sorted(batch.created, key=lambda row: (row.type, row.id))
    yield "created", [(*_columns(row), batch.person) for row in created]
    yield "replaced", [_next(old, new) for old, new in sorted(batch.replaced, key=lambda pair: pair[0].rid)]
    yield "facts", sorted(batch.facts)
    for table, rows_of in _INDEXES.items():
        gone: list[Any] = []
        fresh: list[Any] = []
        for rid, (before, now) in batch.index.items():
            was, is_ = rows_of(before), rows_of(now)
            gone += [(*row, rid) for row in was - is_]
            fresh += [(*row, rid) for row in is_ - was]
        if table == "index_consent":
            # one statement must not delete a row and insert another one in its place
            gone, fresh, changed = _in_place(gone, fresh)
            yield f"{table} changed", sorted(changed)
        yield f"{table} gone", sorted(gone)
        yield f"{table} {'merged' if batch.merge else 'fresh'}", sorted(fresh)
    yield "outbox", [tuple(row.get(name) for name in PARTS["outbox"].columns) for row in batch.outbox]
    yield "audit", batch.audit


def _in_place(gone: list[Any], fresh: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Rows of Consents that go, that come, and that come where another one goes."""
    went = {_place(row) for row in gone}
    changed = [row for row in fresh if _place(row) in went]
    places = set(map(_place, changed))
    left = [[row for row in rows if _place(row) not in places] for rows in (gone, fresh)]
    return left[0], left[1], changed


def _place(row: Any) -> tuple[Any, ...]:
    return (*row[:3], row[-1])


def _columns(row: Stored) -> tuple[Any, ...]:
    where = address(row.type, row.id)
    facts = (row.patient, row.labels, row.source)
    return (row.rid, row.type, row.id, row.version, row.last_updated, row.deleted, row.body, where, *facts)


def _next(old: Stored, new: Stored) -> tuple[Any, ...]:
    return (
        *(new.rid, old.version, new.version, new.last_updated, new.deleted, new.body),
        *(new.patient, new.labels),
    )


# the rows of an IndexRows, by the table that holds them
_INDEXES: Mapping[str, Callable[[IndexRows], set[Any]]] = {
    "index_token": lambda rows: {(number,) for number in rows.tokens},
    "index_date": lambda rows: rows.dates,
    "index_string": lambda rows: rows.strings,
    "index_number": lambda rows: rows.numbers,
    "index_reference": lambda rows: {(number,) for number in rows.edges},
    "index_patient": lambda rows: {(number,) for number in rows.patients},
    "index_about": lambda rows: {(number,) for number in rows.about},
    "index_relation": lambda rows: rows.relations,
    "index_consent": lambda rows: rows.consents,
}


def _at_once(connection: Connection, parts: Mapping[str, Rows]) -> None:
    statement, values = batch_.postgresql(parts)
    driver(connection).execute(statement, values)


def _one_by_one(connection: Connection, parts: Mapping[str, Rows]) -> None:
    cursor = driver(connection)
    for name, rows in parts.items():
        part = PARTS[name]
        for statement in part.sqlite:
            named = ":" in statement
            cursor.executemany(
                statement, [dict(zip(part.columns, row, strict=True)) for row in rows] if named else rows
            )
            if part.found and cursor.rowcount != len(rows):
                raise Overtaken
