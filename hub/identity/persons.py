"""Source persons as rows: what each source calls somebody, what it said last, and which member that is now.

Rules: docs/identity.md "Source persons". One source has one row for one key, whoever races.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.fhir import json
from hub.store.tables_identity import identity_key as keys
from hub.store.tables_identity import source_person as table

PATIENTS = "patients"  # the source of Patients that no feed brought: their key is their id
CHUNK = 500


@dataclass(frozen=True, slots=True)
class SourcePerson:
    """`patient` is the member's id, `home` that of the Patient that was made for it or that it was linked to
    first."""

    person: int
    source: str
    key: str
    patient: str
    home: str
    record: Mapping[str, Any]
    updated: int


def find(connection: Connection, source: str, key: str) -> SourcePerson | None:
    row = connection.execute(select(table).where(table.c.source == source, table.c.key == key)).first()
    return read(row) if row else None


def get(connection: Connection, person: int) -> SourcePerson | None:
    row = connection.execute(select(table).where(table.c.person == person)).first()
    return read(row) if row else None


def several(connection: Connection, numbers: Collection[int]) -> list[SourcePerson]:
    ordered, found = sorted(set(numbers)), []
    for start in range(0, len(ordered), CHUNK):
        asked = select(table).where(table.c.person.in_(ordered[start : start + CHUNK]))
        found += [read(row) for row in connection.execute(asked)]
    return found


def of_patients(connection: Connection, patients: Collection[str]) -> list[int]:
    """The numbers of those linked to these Patients now."""
    asked = select(table.c.person).where(table.c.patient.in_(list(patients))).order_by(table.c.person)
    return list(connection.execute(asked).scalars())


def put(
    connection: Connection, person: int, source: str, key: str, patient: str, record: Mapping[str, Any], now: int
) -> None:
    """What the source says now is kept. `patient` counts for who has none yet."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"person": person, "source": source, "key": key, "patient": patient, "home": patient, "updated": now}
    made: Any = dialect.insert(table).values(row | {"record": json.write(record)})
    said = {"record": made.excluded.record, "updated": made.excluded.updated}
    for name in ("patient", "home"):
        said[name] = case((table.c[name] == "", made.excluded[name]), else_=table.c[name])
    connection.execute(made.on_conflict_do_update(index_elements=["source", "key"], set_=said))


def link(connection: Connection, numbers: Collection[int], patient: str) -> None:
    """From now on these are this member."""
    if numbers:
        connection.execute(update(table).where(table.c.person.in_(list(numbers))).values(patient=patient))


def at_home(connection: Connection, person: int, patient: str) -> None:
    """This Patient was made for the source person."""
    connection.execute(update(table).where(table.c.person == person).values(patient=patient, home=patient))


def keep_keys(connection: Connection, person: int, hashes: Iterable[int]) -> None:
    """By these it is found from now on."""
    wanted = set(hashes)
    there = set(connection.execute(select(keys.c.hash).where(keys.c.person == person)).scalars())
    if gone := there - wanted:
        connection.execute(delete(keys).where(keys.c.person == person, keys.c.hash.in_(sorted(gone))))
    if fresh := sorted(wanted - there):
        connection.execute(insert(keys), [{"hash": each, "person": person} for each in fresh])


def read(row: Any) -> SourcePerson:
    return SourcePerson(**row._asdict() | {"record": json.stored(row.record)})
