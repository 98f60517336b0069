"""What each event does to a visit: the effects that events.py names.

Rules: HL7 v2.5.1 chapter 3.3.1 to 3.3.13, v2-to-FHIR 1.0.0 segment map PV1[Encounter].
- A move (A01, A02, A04, A06, A07, A10) to another place ends the time in the old one and begins one in the new.
  Every other event that names another place corrects where the person has been since the last move: A08 is no
  transfer.
- A02 whose place before (PV1-6) nobody knew yet adds it, without a beginning.
- A09 ends the time in the bed and keeps the pending place (PV1-42); with a temporary place (PV1-11) the person is
  there and the bed is kept. A10 is the arrival, or the way back.
- A class that comes with a move is a change of class (classHistory); with any other event it is a correction.
- A04 whose PV1-44 is of a later day is expected; else the person is at the desk (override of v2-to-FHIR, which
  calls every A04 planned). A08 changes facts and says nothing of the state (override: there `unknown`).
- A discharge (A03) without PV1-45 ended when it occurred (EVN-6, else EVN-2); an admission likewise without PV1-44.
- An admission that begins after the known discharge opens the visit again. A13 takes the discharge, its disposition
  and its destination away, whoever told them. PV1-3 of A12 is where the person is after all.
Refuses: nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from fhir_mappings.adt import timeline
from fhir_mappings.adt.dates import Dtm, fhir_date, moment
from fhir_mappings.adt.events import ADMISSIONS, EVENTS
from fhir_mappings.adt.merging import merged
from fhir_mappings.adt.records import DELETE, AdtMessage, Delete, VisitFields, given
from fhir_mappings.adt.timeline import Stays, Turns


@dataclass(frozen=True, slots=True)
class Course:
    """A visit so far. `expected`: announced and not begun; `cancelled`: its only admission was taken back."""

    facts: VisitFields = field(default_factory=VisitFields)
    admitted: bool = False
    expected: bool = False
    cancelled: bool = False
    statuses: Turns = ()
    classes: Turns = ()
    stays: Stays = ()

    @property
    def status(self) -> str:
        """The FHIR Encounter.status."""
        if self.cancelled:
            return "cancelled"
        if given(self.facts.discharged_at):
            return "finished"
        patient_class = given(self.facts.patient_class)
        announced = self.expected or (patient_class is not None and patient_class.code == "P")
        return "planned" if announced and not self.admitted else "in-progress"


Effect = Callable[[Course, AdtMessage, tzinfo], Course]


def after(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    """The visit after one more message."""
    then = _EFFECTS[EVENTS[message.event].effect](course, message, zone)
    was, now = given(course.facts.admitted_at), given(then.facts.admitted_at)
    if was != now and EVENTS[message.event].effect not in ADMISSIONS:
        then = replace(
            then,
            statuses=timeline.redated(then.statuses, was, now),
            classes=timeline.redated(then.classes, was, now),
            stays=timeline.redated_stays(then.stays, was, now),
        )
    return replace(then, statuses=_statuses(then, course, message))


def _statuses(then: Course, before: Course, message: AdtMessage) -> Turns:
    if then.status != "finished":
        return timeline.turned(then.statuses, then.status, _since(then, message))
    was, ended = given(before.facts.discharged_at), given(then.facts.discharged_at)
    return timeline.redated(timeline.turned(then.statuses, "finished", ended), was, ended)


def _since(then: Course, message: AdtMessage) -> Dtm:
    """When an admission began, or a visit of which nothing was known; for other events when they occurred."""
    is_beginning = EVENTS[message.event].effect in ADMISSIONS or not then.statuses
    began = given(then.facts.admitted_at) if is_beginning and then.status == "in-progress" else None
    return began or message.occurred


def _update(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    facts = merged(course.facts, message.visit)
    since = given(facts.admitted_at)
    return _classed(_placed(replace(course, facts=facts), message, since), message, since, is_move=False)


def _admit(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    began, ended = given(message.visit.admitted_at) or message.occurred, given(course.facts.discharged_at)
    if ended and moment(began, zone) > moment(ended, zone):
        cleared = replace(course.facts, discharged_at=None, discharge_disposition=None, discharged_to=None)
        course = replace(course, facts=cleared, stays=timeline.left_all(course.stays, ended))
    facts = merged(course.facts, message.visit)
    facts = facts if given(facts.admitted_at) else replace(facts, admitted_at=began)
    there = replace(course, facts=facts, admitted=True, expected=False, cancelled=False)
    return _moved(there, message, began)


def _register(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    begins = given(message.visit.admitted_at)
    if begins and not course.admitted and fhir_date(begins) > fhir_date(message.event_at):
        return _expect(course, message, zone)
    return _admit(course, message, zone)


def _expect(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    if course.admitted:
        return _update(course, message, zone)
    facts = merged(course.facts, message.visit)
    expected = replace(course, facts=facts, expected=True, cancelled=False)
    return _classed(_placed(expected, message, None, timeline.PLANNED), message, message.occurred, is_move=False)


def _transfer(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    prior, place = given(message.visit.prior_location), given(message.visit.location)
    stays = course.stays
    if prior and not stays and not prior.is_same(place):
        stays = (timeline.Stay(prior, timeline.ACTIVE),)
    there = replace(course, facts=merged(course.facts, message.visit), stays=stays)
    return _moved(there, message, message.occurred)


def _discharge(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    known = _update(course, message, zone)
    if given(known.facts.discharged_at):
        return known
    return replace(known, facts=replace(known.facts, discharged_at=message.occurred))


def _depart(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    at, said = message.occurred, message.visit
    facts = merged(course.facts, replace(said, location=None))
    temporary, pending = given(said.temporary_location), given(said.pending_location)
    if temporary:
        return replace(course, facts=facts, stays=timeline.away(course.stays, temporary, at))
    left = timeline.left_all(course.stays, at)
    waiting = (timeline.Stay(pending, timeline.RESERVED),) if pending else ()
    return replace(course, facts=facts, stays=(*left, *waiting))


def _arrive(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    facts, temporary = merged(course.facts, message.visit), given(message.visit.temporary_location)
    if temporary:
        return replace(course, facts=facts, stays=timeline.away(course.stays, temporary, message.occurred))
    return _moved(replace(course, facts=facts), message, message.occurred)


def _cancel_admit(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    """What an older admission said stands again; where there is none, the visit is cancelled."""
    if course.admitted or course.expected:
        return course
    return replace(_update(course, message, zone), cancelled=True)


def _cancel_discharge(course: Course, message: AdtMessage, zone: tzinfo) -> Course:
    said = replace(message.visit, discharged_at=DELETE, discharge_disposition=DELETE, discharged_to=DELETE)
    return _update(course, replace(message, visit=said), zone)


_EFFECTS: Mapping[str, Effect] = {
    "admit": _admit,
    "register": _register,
    "expect": _expect,
    "transfer": _transfer,
    "reclass": _transfer,
    "update": _update,
    "discharge": _discharge,
    "depart": _depart,
    "arrive": _arrive,
    "cancel admit": _cancel_admit,
    "cancel transfer": _update,
    "cancel discharge": _cancel_discharge,
}


def _moved(course: Course, message: AdtMessage, at: Dtm) -> Course:
    """The place and the class of the message from `at` on."""
    place = given(message.visit.location)
    stays = timeline.moved(course.stays, place, at) if place else course.stays
    return _classed(replace(course, stays=stays), message, at, is_move=True)


def _placed(course: Course, message: AdtMessage, since: Dtm | None, status: str = timeline.ACTIVE) -> Course:
    """The place of the message as a correction."""
    location = message.visit.location
    if location is None:
        return course
    if isinstance(location, Delete):
        return replace(course, stays=timeline.without_here(course.stays))
    return replace(course, stays=timeline.place_corrected(course.stays, location, since, status))


def _classed(course: Course, message: AdtMessage, since: Dtm | None, *, is_move: bool) -> Course:
    said = given(message.visit.patient_class)
    if said is None:
        return course
    turn = timeline.turned if is_move else timeline.corrected
    return replace(course, classes=turn(course.classes, said.code, since))
