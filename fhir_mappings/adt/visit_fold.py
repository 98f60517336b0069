"""All messages of one visit -> what is known of it now. Any order of arrival gives the same answer.

Rules: HL7 v2.5.1 chapter 3.3 (events), 2.10.4 (snapshot mode: a repeating group replaces the older group).
- Messages are put in order of EVN-2 (else MSH-7), then control id, then digest; a repeated message counts once.
- Empty fields leave what was known; `""` takes it away.
- A discharge (A03) without PV1-45 ended when it occurred (EVN-6, else EVN-2); an admission likewise without PV1-44.
- An admission (A01, A04) that begins after the known discharge opens the visit again.
- Finished when there is a discharge time. Override of v2-to-FHIR, which calls A04 planned and A08 unknown: an A04
  is a person at the desk; an A08 changes facts and says nothing of the state.
Refuses: nothing; adapters/adt/message.py has refused unknown events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, tzinfo
from typing import Any, TypeVar

from fhir_mappings.adt.dates import Dtm, moment
from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.records import (
    AdtMessage,
    Diagnosis,
    Insurance,
    NextOfKin,
    PatientFields,
    VisitFields,
    given,
)

Record = TypeVar("Record", PatientFields, VisitFields)
Group = TypeVar("Group", Insurance, NextOfKin, Diagnosis)

_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in (PatientFields, VisitFields)}


@dataclass(frozen=True, slots=True)
class Visit:
    """The state after all messages. `former_*` were sent once and are no longer in the newest group."""

    patient: PatientFields
    facts: VisitFields
    admitted: bool = False
    insurances: tuple[Insurance, ...] = ()
    former_insurances: tuple[Insurance, ...] = ()
    next_of_kin: tuple[NextOfKin, ...] = ()
    former_next_of_kin: tuple[NextOfKin, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()

    @property
    def status(self) -> str:
        """The FHIR Encounter.status."""
        if given(self.facts.discharged_at):
            return "finished"
        patient_class = given(self.facts.patient_class)
        expected = patient_class is not None and patient_class.code == "P" and not self.admitted
        return "planned" if expected else "in-progress"


def in_order(messages: Iterable[AdtMessage], zone: tzinfo) -> list[AdtMessage]:
    """Each message once, oldest event first."""
    once = {message.digest: message for message in messages}
    return sorted(once.values(), key=lambda message: _order(message, zone))


def _order(message: AdtMessage, zone: tzinfo) -> tuple[datetime, int, str, str]:
    """Control ids are counters in most systems: 9 comes before 10."""
    identifier = message.control_id
    return moment(message.event_at, zone), len(identifier), identifier, message.digest


def fold(ordered: Sequence[AdtMessage], zone: tzinfo) -> Visit:
    """The visit after these messages, which are in order (see `in_order`)."""
    visit = Visit(PatientFields(), VisitFields())
    for message in ordered:
        visit = _after(visit, message, zone)
    return visit


def _after(visit: Visit, message: AdtMessage, zone: tzinfo) -> Visit:
    effect = EVENTS[message.event].effect
    insurances, former_insurances = _newest(visit.insurances, visit.former_insurances, message.insurances)
    kin, former_kin = _newest(visit.next_of_kin, visit.former_next_of_kin, message.next_of_kin)
    return Visit(
        _merged(visit.patient, message.patient),
        _EFFECTS[effect](visit.facts, message, zone),
        visit.admitted or effect == "admit",
        insurances,
        former_insurances,
        kin,
        former_kin,
        message.diagnoses or visit.diagnoses,
    )


def _update(facts: VisitFields, message: AdtMessage, zone: tzinfo) -> VisitFields:
    return _merged(facts, message.visit)


def _admit(facts: VisitFields, message: AdtMessage, zone: tzinfo) -> VisitFields:
    began, ended = given(message.visit.admitted_at) or _occurred(message), given(facts.discharged_at)
    if ended and moment(began, zone) > moment(ended, zone):
        facts = replace(facts, discharged_at=None, discharge_disposition=None)
    known = _merged(facts, message.visit)
    return known if given(known.admitted_at) else replace(known, admitted_at=began)


def _discharge(facts: VisitFields, message: AdtMessage, zone: tzinfo) -> VisitFields:
    known = _merged(facts, message.visit)
    return known if given(known.discharged_at) else replace(known, discharged_at=_occurred(message))


_EFFECTS = {"admit": _admit, "discharge": _discharge, "update": _update}


def _occurred(message: AdtMessage) -> Dtm:
    return message.occurred_at or message.event_at


def _merged(older: Record, newer: Record) -> Record:
    """What the newer record says, else what the older said (None says nothing, DELETE is kept as such)."""
    said: dict[str, Any] = {}
    for name in _NAMES[type(newer)]:
        value = getattr(newer, name)
        said[name] = getattr(older, name) if value is None else value
    return type(newer)(**said)


def _newest(
    older: tuple[Group, ...], former: tuple[Group, ...], newer: tuple[Group, ...]
) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """The newest group sent, and everything sent before that is not in it."""
    if not newer:
        return older, former
    gone = (item for item in dict.fromkeys(former + older) if item not in newer)
    return newer, tuple(gone)
