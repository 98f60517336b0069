"""Whose data a record tells of: one Release a patient, with its labels and the Consents it was released by."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from hub.access import Access
from hub.audit.record import Release
from hub.fhir import json
from hub.rights.facts import OWN_PEOPLE
from hub.rights.labels import SUD_BITS
from hub.search.compartments import patients_of
from hub.search.edges import address
from hub.search.index import IndexRows
from hub.sight import NOBODY, SEVERAL, UNKNOWN
from hub.store.consents import relied_on
from hub.store.read import Stored
from hub.store.tables import index_patient

CHUNK = 500


def releases_of(
    connection: Connection | None,
    released: Sequence[Stored],
    who: Access,
    index: Mapping[int, tuple[IndexRows, IndexRows]],
    at: int,
) -> tuple[Release, ...]:
    """One a patient, with the labels of all that left of it."""
    masks: dict[int, int] = {}
    others: set[int] = set()
    for patient, row in _whose(connection, released, index):
        masks[patient] = masks.get(patient, 0) | row.labels
        if not who.sight.own or row.source != who.sight.own:
            others.add(patient)
    consents = _consents(connection, masks, who, at)
    return tuple(
        Release(patient, mask, tuple(consents.get(patient, ())), patient not in others)
        for patient, mask in sorted(masks.items())
    )


def _whose(
    connection: Connection | None, released: Sequence[Stored], index: Mapping[int, tuple[IndexRows, IndexRows]]
) -> Iterator[tuple[int, Stored]]:
    """Each patient that a row tells of, and the row."""
    several: dict[int, list[Stored]] = {}
    for row in released:
        if row.type in OWN_PEOPLE:
            yield from ((member, row) for member in _members(row))
        elif row.patient == SEVERAL:
            several.setdefault(row.rid, []).append(row)
        elif row.patient not in (NOBODY, UNKNOWN):
            yield row.patient, row
    for rid, patient in _patients(connection, several, index):
        yield from ((patient, row) for row in several[rid])


def _consents(
    connection: Connection | None, masks: Mapping[int, int], who: Access, at: int
) -> dict[int, list[str]]:
    """By patient the Consents without which nothing of this would have left."""
    guarded = {patient: mask for patient, mask in masks.items() if mask & SUD_BITS}
    if not guarded or connection is None or who.sight.everything:
        return {}
    found: dict[int, set[str]] = {}
    for (patient, _), consents in relied_on(connection, guarded, who.sight, at).items():
        found.setdefault(patient, set()).update(consents)
    return {patient: sorted(consents) for patient, consents in found.items()}


def _patients(
    connection: Connection | None,
    rids: Collection[int],
    index: Mapping[int, tuple[IndexRows, IndexRows]],
) -> set[tuple[int, int]]:
    """(row, patient) of rows that belong to several: those stored already, and those being written."""
    found = {(rid, patient) for rid in rids if rid in index for rows in index[rid] for patient in rows.patients}
    every = list(rids)
    for start in range(0, len(every) if connection is not None else 0, CHUNK):
        part = index_patient.c.rid.in_(every[start : start + CHUNK])
        rows = connection.execute(select(index_patient.c.rid, index_patient.c.patient).where(part))  # type: ignore[union-attr]
        found |= {(row.rid, row.patient) for row in rows}
    return found


def _members(row: Stored) -> set[int]:
    """Whom a Group lists: it belongs to none of them, and tells of all."""
    if row.body is None:
        return set()
    return {address("Patient", identity) for identity in patients_of(json.stored(row.body))}


def asks_the_store(row: Stored) -> bool:
    return row.patient == SEVERAL or bool(row.labels)
