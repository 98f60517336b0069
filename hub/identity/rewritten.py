"""What an event rewrote, as rows: so that it can be written back.

Rules: docs/identity.md "Unmerge". A pointer that is empty means that the resource itself said nothing, and only
belongs to somebody else now; IDENTIFIER and ACTIVE mean these elements of a Patient, as JSON.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, or_, select, update

from hub.fhir import json
from hub.store.merges import remember
from hub.store.tables_identity import identity_rewrite as table

IDENTIFIER, ACTIVE, BELONGS = "/identifier", "/active", ""
ELEMENTS = (IDENTIFIER, ACTIVE)


class Rewritten(NamedTuple):
    event: int
    rid: int
    pointer: str
    before: str
    version: int


def keep(connection: Connection, rows: Iterable[Rewritten]) -> None:
    if found := [row._asdict() for row in rows]:
        remember(connection, found)


def of_events(connection: Connection, events: Iterable[int]) -> dict[int, list[Rewritten]]:
    """By row number; of one place the row of the newest event."""
    asked = select(*(table.c[name] for name in Rewritten._fields)).where(table.c.event.in_(sorted(set(events))))
    found: dict[int, dict[str, Rewritten]] = {}
    for row in connection.execute(asked.order_by(table.c.event)):
        found.setdefault(row.rid, {})[row.pointer] = Rewritten(*row)
    return {rid: list(rows.values()) for rid, rows in found.items()}


def carry(connection: Connection, versions: Iterable[tuple[int, int, int]]) -> None:
    """(row number, version, next one) that a decision wrote: where nobody edited it before, what earlier ones
    remember stands where it stood."""
    for rid, was, now in versions:
        which = (table.c.rid == rid, table.c.version == was)
        connection.execute(update(table).where(*which).values(version=now))


def forget(connection: Connection, events: Iterable[int], places: Iterable[tuple[int, str]]) -> None:
    """These places are written back: later events have nothing to write back there any more."""
    which = [and_(table.c.rid == rid, table.c.pointer == pointer) for rid, pointer in places]
    events = sorted(set(events))
    for start in range(0, len(which) if events else 0, 100):
        connection.execute(delete(table).where(table.c.event.in_(events), or_(*which[start : start + 100])))


def element(connection: Connection, event: int, rid: int, pointer: str) -> Any:
    """What stood in an element of a Patient; None where the event did not touch it."""
    which = (table.c.event == event, table.c.rid == rid, table.c.pointer == pointer)
    found = connection.execute(select(table.c.before).where(*which)).scalar()
    return None if found is None else json.stored(found.encode())["was"]


def change(connection: Connection, event: int, rid: int, pointer: str, value: Any) -> None:
    which = (table.c.event == event, table.c.rid == rid, table.c.pointer == pointer)
    connection.execute(update(table).where(*which).values(before=text(value)))


def text(value: Any) -> str:
    """As `element` reads it."""
    return json.write({"was": value}).decode()


def pointers(rows: Iterable[Rewritten]) -> Mapping[str, str]:
    """What stood at each reference that was rewritten."""
    return {row.pointer: row.before for row in rows if row.pointer not in (*ELEMENTS, BELONGS)}
