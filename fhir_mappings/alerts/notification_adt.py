"""A notification -> the record of a hospital message that says the same.

Rules: Da Vinci Unsolicited Notifications 1.1.0; docs/adr/0006. From here on it is a message of its visit like any
other: it is folded with those of HL7 v2, in the order of their events, and one visit is one Encounter.
- Where HL7 v2 tells of the visit, too, places are those of v2 (`placed_once`): a place under two names would be a
  transfer.
- Coverages are not read: those of a message are all that the person has (IN1), and a notification may name a few.
- The event was recorded at Bundle.timestamp (EVN-2), and occurred (EVN-6) when the period says: an admission at its
  start, a discharge at its end.
Refuses: what the segment mappings refuse (AdtProblem); Problem as message.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.problems import Unreadable
from fhir_mappings.adt.records import AdtMessage, given
from fhir_mappings.alerts.condition_dg1 import diagnoses
from fhir_mappings.alerts.datatypes import dtm
from fhir_mappings.alerts.encounter_pv1 import visit_fields
from fhir_mappings.alerts.guarded import guards
from fhir_mappings.alerts.message import Notification, notification
from fhir_mappings.alerts.patient_pid import YES, patient_fields
from fhir_mappings.alerts.practitioner_xcn import npis
from hub.fhir import json
from hub.problems import Problem

VERSION = "FHIR 4.0"
_ENDS = ("A03",)
_BEGINS = ("A01", "A04")


def is_notification(raw: bytes) -> bool:
    """Whether the inbox holds FHIR JSON here; a message of HL7 v2 begins with MSH."""
    return raw[:1] == b"{"


def adt_message(raw: bytes, facility: Facility, cin_system: str, tables: CodeTables) -> AdtMessage:
    """The record of stored bytes. Raises AdtProblem."""
    try:
        told = notification(json.stored(raw))
    except Problem as problem:
        raise Unreadable(problem.issues[0].message, problem.issues[0].where) from None
    return record(told, sha256(raw).hexdigest(), facility, cin_system, tables)


def record(told: Notification, digest: str, facility: Facility, cin_system: str, tables: CodeTables) -> AdtMessage:
    """Raises AdtProblem."""
    at = dtm(told.at, "Bundle.timestamp")
    if at is None:
        raise Unreadable("No time of the event", "Bundle.timestamp", "101")
    guarded = guards(told.bundle)
    word = YES if guarded.restricted else None
    patient = patient_fields(told.patient, facility, cin_system, tables)
    visit = visit_fields(told, facility, tables)
    occurred = visit.discharged_at if told.event in _ENDS else visit.admitted_at if told.event in _BEGINS else None
    return AdtMessage(
        control_id=told.id,
        event=told.event,
        facility=facility.code,
        version=VERSION,
        sent_at=None,
        event_at=at,
        digest=digest,
        occurred_at=given(occurred),
        event_facility=tuple(dict.fromkeys(_organizations(told))),
        patient=replace(patient, protection=word),
        visit=replace(visit, protection=word),
        diagnoses=diagnoses(told, tables),
        labels=guarded.labels,
        part2=guarded.part2,
    )


def placed_once(messages: Sequence[AdtMessage]) -> list[AdtMessage]:
    """The messages of a visit, whatever their order, with one name for each place."""
    if not any(given(one.visit.location) for one in messages if one.version != VERSION):
        return list(messages)
    return [_unplaced(one) if one.version == VERSION else one for one in messages]


def _unplaced(message: AdtMessage) -> AdtMessage:
    return replace(message, visit=replace(message.visit, location=None, prior_location=None))


def _organizations(told: Notification) -> Iterator[str]:
    """The NPIs of all that the message names: one of a program makes it a record of the program."""
    for kind in ("Organization", "Location"):
        for one in told.entries.of_type(kind):
            yield from npis(one)
