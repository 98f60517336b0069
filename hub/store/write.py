"""Writes of resources. hub.transactions and hub.reindex alone import this (a contract in pyproject.toml holds it).

What a commit writes goes to PostgreSQL as one statement, whatever its size: each round trip and each commit of
its own costs more than the rows. Rows travel as arrays, so that there are few statements to prepare.
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
SQLite has no round trips: one statement a table.

Each function takes the connection of a transaction that its caller ends; `store` alone may also be given a
connection where each statement is a transaction, if nothing else is to be written with it (`alone`).
Raises Overtaken where a version that was read is not the current one any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.search.edges import address
from hub.search.index import IndexRows
from hub.sight import SHARED, Sight
from hub.store import batch as batch_
from hub.store import keyed
from hub.store.batch import PARTS, Batch, Rows
from hub.store.engine import Overtaken, driver
from hub.store.read import Stored

Identity = tuple[str, str]  # type, id


def held(
    connection: Connection, sight: Sight, identities: Iterable[Identity], lock: bool
) -> dict[Identity, Stored]:
    """The current versions of these, as far as they are there for the caller; with `lock` nobody else changes them
    until the transaction ends. They are locked in one order, so that two transactions never wait for each other in
    a circle."""
    rows = keyed.several(connection, sight, identities, lock)
    return {(row[1], row[2]): Stored(*row) for row in rows}


def store(connection: Connection, batch: Batch, alone: bool = False) -> None:
    """Write a batch. Outbox rows that are there already (same kind and key) stay as they are. `alone`: the
    statement is the transaction, and begins it; what was stamped too long ago counts as overtaken."""
    parts = {name: rows for name, rows in _rows(batch) if rows}
    if not parts:
        return
    if connection.dialect.name == "postgresql":
        _at_once(connection, parts, batch.stamp if alone else None)
    else:
        _one_by_one(connection, parts)


def _rows(batch: Batch) -> Iterable[tuple[str, Rows]]:
    """The rows of each part of the statement, each in one order: two writers of the same new keys never wait for
    each other in a circle."""
    created = sorted(batch.created, key=lambda row: (row.type, row.id))
    yield "created", [(*_columns(row), batch.persons.get((row.type, row.id), 0)) for row in created]
    yield "replaced", [_next(old, new) for old, new in sorted(batch.replaced, key=lambda pair: pair[0].rid)]
    yield "facts", sorted(batch.facts)
    changes = list(batch.index.items())
    for table, (name, is_number) in _INDEXES.items():
        gone, fresh = _changed(changes, name, is_number)
        if table == "index_consent":
            # one statement must not delete a row and insert another one in its place
            gone, fresh, changed = _in_place(gone, fresh)
            yield f"{table} changed", sorted(changed)
        yield f"{table} gone", sorted(gone)
        yield f"{table} {'merged' if batch.merge else 'fresh'}", sorted(fresh)
    yield "outbox", [tuple(row.get(name) for name in PARTS["outbox"].columns) for row in batch.outbox]
    yield "audit", batch.audit


def _changed(
    changes: Sequence[tuple[int, tuple[IndexRows, IndexRows]]], name: str, is_number: bool
) -> tuple[list[Any], list[Any]]:
    """The rows of one table that go and that come."""
    gone: list[Any] = []
    fresh: list[Any] = []
    for rid, (before, now) in changes:
        was, is_ = getattr(before, name), getattr(now, name)
        for found, rows in ((gone, was - is_), (fresh, is_ - was)):
            found += [(row, rid) for row in rows] if is_number else [(*row, rid) for row in rows]
    return gone, fresh


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
        *(new.patient, SHARED if new.source == SHARED else old.source, new.labels),
    )


# where an IndexRows has the rows of each table, and whether they are numbers
_INDEXES: Mapping[str, tuple[str, bool]] = {
    "index_token": ("tokens", True),
    "index_date": ("dates", False),
    "index_string": ("strings", False),
    "index_number": ("numbers", False),
    "index_reference": ("edges", True),
    "index_patient": ("patients", True),
    "index_about": ("about", True),
    "index_relation": ("relations", False),
    "index_consent": ("consents", False),
}


def _at_once(connection: Connection, parts: Mapping[str, Rows], stamp: int | None) -> None:
    statement, values = batch_.postgresql(parts, stamp)
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
