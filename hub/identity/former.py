"""Rows of Patients that are somebody else now: who was merged into whom, and where each chain ends.

Rules: docs/identity.md "Merge". A chain has no circle: whoever adds a row has asked `member_of` before.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, update

from hub.search.edges import address
from hub.store.tables_identity import identity_absorbed as table


def member_of(connection: Connection, patient: str) -> str:
    """Who somebody is now; the same id where nobody merged it."""
    found = connection.execute(select(table.c.member).where(table.c.id == patient)).scalar()
    return str(found) if found is not None else patient


def followed(connection: Connection, reference: str) -> str:
    """A reference to a Patient, or an id, as who that is now; another one as it is."""
    head, slash, patient = reference.rpartition("/")
    if not patient or head not in ("", "Patient"):
        return reference
    return f"{head}{slash}{member_of(connection, patient)}"


def merged_by(connection: Connection, patient: str) -> int:
    """The event that merged this Patient into another one; 0: none."""
    return int(connection.execute(select(table.c.event).where(table.c.id == patient)).scalar() or 0)


def all_of(connection: Connection, member: str) -> dict[str, tuple[str, int]]:
    """By id of those who are this member now: into whom each was merged, and by which event."""
    rows = connection.execute(select(table.c.id, table.c.survivor, table.c.event).where(table.c.member == member))
    return {row.id: (row.survivor, row.event) for row in rows}


def add(connection: Connection, absorbed: str, survivor: str, event: int) -> list[str]:
    """From now on the one is the other; and so is whoever was merged into the first: their ids."""
    earlier = sorted(all_of(connection, absorbed))
    connection.execute(update(table).where(table.c.member == absorbed).values(member=survivor))
    row = {"id": absorbed, "address": address("Patient", absorbed), "survivor": survivor, "member": survivor}
    connection.execute(insert(table).values(row | {"event": event}))
    return earlier


def remove(connection: Connection, absorbed: str) -> list[str]:
    """This one is itself again, and whoever was merged into it is this one: their ids."""
    chain = all_of(connection, member_of(connection, absorbed))
    connection.execute(delete(table).where(table.c.id == absorbed))
    chain.pop(absorbed, None)
    moved = [each for each in chain if _end(chain, each) == absorbed]
    if moved:
        connection.execute(update(table).where(table.c.id.in_(moved)).values(member=absorbed))
    return sorted(moved)


def path(connection: Connection, patient: str) -> list[int]:
    """The events that made somebody into who it is now, in the order of the chain."""
    chain = all_of(connection, member_of(connection, patient))
    found: list[int] = []
    while patient in chain:
        patient, event = chain[patient]
        found.append(event)
    return found


def _end(chain: Mapping[str, tuple[str, int]], patient: str) -> str:
    while patient in chain:
        patient = chain[patient][0]
    return patient
