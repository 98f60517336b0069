"""Rows of source persons as statements of the driver: a feed asks for them with every message.

hub.identity.persons says what they are. One source has one row for one key, whoever races.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from hub.store import arrays
from hub.store.engine import driver, mark
from hub.store.tables_identity import source_person

Row = tuple[Any, ...]
_NAMES = ", ".join(column.name for column in source_person.columns)
_TYPES = ("bigint", "varchar", "varchar", "varchar", "varchar", "bytea", "bigint")
_SELECT = f"SELECT {_NAMES} FROM source_person WHERE"
_UPSERT = (
    f"INSERT INTO source_person ({_NAMES}) VALUES ({{values}}) ON CONFLICT (source, key) DO UPDATE SET"
    " record = excluded.record, updated = excluded.updated"
    + "".join(
        f", {name} = CASE WHEN source_person.{name} = '' THEN excluded.{name} ELSE source_person.{name} END"
        for name in ("patient", "home")
    )
)


def of_key(connection: Connection, source: str, key: str) -> Row | None:
    one = mark(connection)
    found: Row | None = (
        driver(connection).execute(f"{_SELECT} source = {one} AND key = {one}", (source, key)).fetchone()
    )
    return found


def of_keys(connection: Connection, wanted: Sequence[tuple[str, str]]) -> list[Row]:
    """Of these (source, key): with PostgreSQL one statement."""
    if connection.dialect.name != "postgresql":
        return [row for each in wanted if (row := of_key(connection, *each))]
    which = f"{_SELECT} (source, key) IN (SELECT * FROM unnest(%s::varchar[], %s::varchar[]))"
    found: list[Row] = driver(connection).execute(which, arrays.columns(("varchar", "varchar"), wanted)).fetchall()
    return found


def of_number(connection: Connection, person: int) -> Row | None:
    found: Row | None = driver(connection).execute(f"{_SELECT} person = {mark(connection)}", (person,)).fetchone()
    return found


def of_numbers(connection: Connection, persons: Sequence[int]) -> list[Row]:
    which, values = arrays.among(connection.dialect.name, persons)
    found: list[Row] = driver(connection).execute(f"{_SELECT} person {which} ORDER BY person", values).fetchall()
    return found


def put(connection: Connection, row: Row) -> None:
    """A row in the order of the table's columns; of one that is there the record changes, and a Patient and a home
    that were empty."""
    driver(connection).execute(_UPSERT.format(values=", ".join([mark(connection)] * len(row))), row)


def put_all(connection: Connection, rows: Sequence[Row]) -> None:
    """The same for several, each of another person: with PostgreSQL one statement."""
    if connection.dialect.name != "postgresql":
        for row in rows:
            put(connection, row)
        return
    unnested = f"SELECT * FROM unnest({', '.join(f'%s::{of}[]' for of in _TYPES)})"
    statement = _UPSERT.replace("VALUES ({values})", unnested)
    driver(connection).execute(statement, arrays.columns(_TYPES, sorted(rows, key=lambda row: (row[1], row[2]))))


def held_apart(connection: Connection, person: int, state: str) -> set[int]:
    """The others of this person's pairs in a state."""
    one = mark(connection)
    asked = " UNION ALL ".join(
        f"SELECT {other} FROM identity_pair WHERE {mine} = {one} AND state = {one}"
        for mine, other in (("low", "high"), ("high", "low"))
    )
    return {row[0] for row in driver(connection).execute(asked, (person, state) * 2).fetchall()}
