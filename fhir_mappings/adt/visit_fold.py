"""All messages of one visit -> what is known of it now. Any order of arrival gives the same answer.

Rules: HL7 v2.5.1 chapter 3.3 (events).
- Messages are put in order of EVN-2 (else MSH-7), then MSH-7, MSH-13 where the sender numbers its messages,
  control id and digest; a repeated message counts once.
- Messages that a cancel took back (withdrawals.py) say nothing of the visit any more; where no admission is left,
  the cancelled visit keeps what was said of it.
- What each event does: visit_moves.py. How facts and groups replace older ones: merging.py.
- Diagnoses: a group replaces those of the same types (DG1-6); an admission's diagnosis stays when final ones come.
Refuses: nothing; adapters/adt/message.py has refused unknown events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from fhir_mappings.adt.dates import moment
from fhir_mappings.adt.events import ADMISSIONS, EVENTS
from fhir_mappings.adt.records import AdtMessage, Diagnosis, Role, VisitFields, given
from fhir_mappings.adt.timeline import Stays, Turns
from fhir_mappings.adt.visit_moves import Course, after
from fhir_mappings.adt.withdrawals import withdrawn

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_REMEMBERED = (*ADMISSIONS, "update")


@dataclass(frozen=True, slots=True)
class Visit:
    """The state after all messages. `former_diagnoses` were taken off the list."""

    course: Course = field(default_factory=Course)
    diagnoses: tuple[Diagnosis, ...] = ()
    former_diagnoses: tuple[Diagnosis, ...] = ()
    roles: tuple[Role, ...] = ()

    @property
    def facts(self) -> VisitFields:
        return self.course.facts

    @property
    def status(self) -> str:
        """The FHIR Encounter.status."""
        return self.course.status

    @property
    def statuses(self) -> Turns:
        return self.course.statuses

    @property
    def classes(self) -> Turns:
        return self.course.classes

    @property
    def stays(self) -> Stays:
        return self.course.stays


def in_order(messages: Iterable[AdtMessage], zone: tzinfo) -> list[AdtMessage]:
    """Each message once, oldest event first."""
    once = {message.digest: message for message in messages}
    return sorted(once.values(), key=lambda message: _order(message, zone))


def _order(message: AdtMessage, zone: tzinfo) -> tuple[datetime, datetime, int, int, str, str]:
    """Control ids are counters in most systems: 9 comes before 10."""
    identifier = message.control_id
    sent = moment(message.sent_at, zone) if message.sent_at else _NEVER
    return moment(message.event_at, zone), sent, message.sequence, len(identifier), identifier, message.digest


def fold(ordered: Sequence[AdtMessage], zone: tzinfo) -> Visit:
    """The visit after these messages, which are in order (see `in_order`)."""
    visit, gone = Visit(), withdrawn(ordered)
    is_left = any(_begins(message) for place, message in enumerate(ordered) if place not in gone)
    for place, message in enumerate(ordered):
        if place not in gone:
            visit = _after(visit, message, zone)
        elif not is_left and EVENTS[message.event].effect in _REMEMBERED:
            then = after(visit.course, message, zone)
            visit = replace(visit, course=replace(then, admitted=False, expected=False))
    return visit


def _begins(message: AdtMessage) -> bool:
    return EVENTS[message.event].effect in (*ADMISSIONS, "expect")


def _after(visit: Visit, message: AdtMessage, zone: tzinfo) -> Visit:
    listed, former = _diagnosed(visit.diagnoses, visit.former_diagnoses, message.diagnoses)
    return Visit(after(visit.course, message, zone), listed, former, message.roles or visit.roles)


def _diagnosed(
    older: tuple[Diagnosis, ...], former: tuple[Diagnosis, ...], sent: tuple[Diagnosis, ...]
) -> tuple[tuple[Diagnosis, ...], tuple[Diagnosis, ...]]:
    newer = tuple(diagnosis for diagnosis in sent if diagnosis.name)
    if not newer:
        return older, former
    types = {_type(diagnosis) for diagnosis in newer}
    listed = (*(diagnosis for diagnosis in older if _type(diagnosis) not in types), *newer)
    names = {diagnosis.name for diagnosis in listed}
    gone = {d.name: d for d in (*former, *older) if d.name not in names}
    return listed, tuple(gone.values())


def _type(diagnosis: Diagnosis) -> str:
    found = given(diagnosis.type)
    return found.code if found else ""
