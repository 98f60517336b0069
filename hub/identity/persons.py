"""Source persons as rows: what each source calls somebody, what it said last, and which member that is now.

Rules: docs/identity.md "Source persons". One source has one row for one key, whoever races.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from hub.fhir import json
from hub.store import identity_keys, source_persons
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
    row = source_persons.of_key(connection, source, key)
    return read(row) if row else None


def find_all(connection: Connection, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], SourcePerson]:
    """By (source, key) those that are there."""
    found = map(read, source_persons.of_keys(connection, sorted(named)) if named else ())
    return {(one.source, one.key): one for one in found}


def get(connection: Connection, person: int) -> SourcePerson | None:
    row = source_persons.of_number(connection, person)
    return read(row) if row else None


def several(connection: Connection, numbers: Collection[int]) -> list[SourcePerson]:
    ordered = sorted(set(numbers))
    chunks = (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))
    return [read(row) for chunk in chunks for row in source_persons.of_numbers(connection, chunk)]


def of_patients(connection: Connection, patients: Collection[str]) -> list[int]:
    """The numbers of those linked to these Patients now."""
    asked = select(table.c.person).where(table.c.patient.in_(list(patients))).order_by(table.c.person)
    return list(connection.execute(asked).scalars())


def put(
    connection: Connection, person: int, source: str, key: str, patient: str, record: Mapping[str, Any], now: int
) -> None:
    """What the source says now is kept. `patient` counts for who has none yet."""
    put_all(connection, [SourcePerson(person, source, key, patient, patient, record, now)])


def put_all(connection: Connection, several: Sequence[SourcePerson]) -> None:
    """The same for several, each of another key."""
    rows = [
        (one.person, one.source, one.key, one.patient, one.home, json.write(one.record), one.updated)
        for one in several
    ]
    if rows:
        source_persons.put_all(connection, rows)


def link(connection: Connection, numbers: Collection[int], patient: str) -> None:
    """From now on these are this member."""
    if numbers:
        connection.execute(update(table).where(table.c.person.in_(list(numbers))).values(patient=patient))


def at_home(connection: Connection, person: int, patient: str) -> None:
    """This Patient was made for the source person."""
    connection.execute(update(table).where(table.c.person == person).values(patient=patient, home=patient))


def keep_keys(connection: Connection, person: int, hashes: Iterable[int], new: bool = False) -> None:
    """By these it is found from now on. A `new` person has none yet."""
    wanted = set(hashes)
    there = set() if new else set(connection.execute(select(keys.c.hash).where(keys.c.person == person)).scalars())
    if gone := there - wanted:
        connection.execute(delete(keys).where(keys.c.person == person, keys.c.hash.in_(sorted(gone))))
    identity_keys.add(connection, [(each, person) for each in wanted - there])


def keep_first_keys(connection: Connection, several: Mapping[int, Iterable[int]]) -> None:
    """Of new persons, who have none yet."""
    identity_keys.add(connection, [(each, person) for person, hashes in several.items() for each in hashes])


def read(row: Any) -> SourcePerson:
    person, source, key, patient, home, record, updated = row
    return SourcePerson(person, source, key, patient, home, json.stored(record), updated)
