"""What messages say of the person -> entries: Patient, Coverage, RelatedPerson, AllergyIntolerance.

Rules: person_fold.py for what was said; https://hl7.org/fhir/R4/http.html#transaction for the entries.
- Patient: created under `ifNoneExist` by MRN (else CIN), or updated under `ifMatch`; no entry when nothing changes.
- The others: conditional updates by identifiers of the feed.
- The newest message of all changes the person by what it says itself. One that comes late is put in its place among
  all messages about the person (`KnownMember.as_of` says that it is late; the caller gives them): an older word
  never takes the place of a newer one. Where the newest of them is not at hand, the facts are left alone.
Refuses: no MRN and no CIN (MissingIdentifier), another CIN (Unmatched), what the segment mappings refuse.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_mappings.adt.al1_allergy import allergies, allergy_system
from fhir_mappings.adt.dates import moment
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.in1_coverage import coverage_system, coverages, insurance_key
from fhir_mappings.adt.member_keys import cin_of, mrn_of
from fhir_mappings.adt.nk1_related_person import contact_key, related_person_system, related_persons
from fhir_mappings.adt.person_fold import Keys, Person, fold_person
from fhir_mappings.adt.pid_patient import new_patient, refuse_other_cin, updated_patient, with_identifiers
from fhir_mappings.adt.problems import MissingIdentifier
from fhir_mappings.adt.protection import protected_patient
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.rows import Context, Element
from hub.fhir.conditional import conditional, created_once, full_url, put

KEYS = Keys(insurance_key, lambda contact: contact_key("", contact))


@dataclass(frozen=True, slots=True)
class KnownMember:
    """The person as the store has it. `patient_id` None: nobody yet. `owned`: this feed created the resource.
    `as_of`: event time of the newest message of this feed already in it, over all visits; None when not known."""

    patient_id: str | None = None
    owned: bool = False
    resource: Mapping[str, Any] | None = None
    as_of: datetime | None = None


NOBODY = KnownMember()


@dataclass(frozen=True, slots=True)
class Numbers:
    """The person's newest numbers: an update may leave the CIN out."""

    mrn: str | None
    cin: str | None

    @property
    def key(self) -> str:
        return self.mrn or self.cin or ""

    @classmethod
    def of(cls, ordered: Sequence[AdtMessage], facility: Facility) -> "Numbers":
        """Raises MissingIdentifier, Unmatched."""
        mrns = (mrn_of(message.patient, facility) for message in reversed(ordered))
        cins = (cin_of(message) for message in reversed(ordered))
        found = cls(next(filter(None, mrns), None), next(filter(None, cins), None))
        if not found.key:
            raise MissingIdentifier
        return found


def is_late(message: AdtMessage, known: KnownMember, facility: Facility) -> bool:
    """Whether something newer was said of the person already."""
    return known.as_of is not None and moment(message.event_at, facility.zone) <= known.as_of


def person_entries(
    ordered: Sequence[AdtMessage], latest: AdtMessage, known: KnownMember, context: Context
) -> tuple[str, list[Element]]:
    """(reference to the Patient, entries). `ordered` are the messages about the person that are at hand, in
    order."""
    numbers = Numbers.of(ordered, context.facility)
    said = _said(ordered, latest, known, context)
    reference, entries = _patient(said, numbers, known, context)
    return reference, [*entries, *(_about(said, numbers, {"reference": reference}, context) if said else ())]


def _said(ordered: Sequence[AdtMessage], latest: AdtMessage, known: KnownMember, context: Context) -> Person | None:
    """What to write of the person; None when newer facts are there that these messages do not hold."""
    if known.as_of is not None and moment(ordered[-1].event_at, context.zone) < known.as_of:
        return None
    is_newest = not is_late(latest, known, context.facility) and ordered[-1].digest == latest.digest
    return fold_person(ordered, KEYS, len(ordered) - 1 if known.as_of and is_newest else 0)


def _patient(
    said: Person | None, numbers: Numbers, known: KnownMember, context: Context
) -> tuple[str, list[Element]]:
    if known.patient_id is None:
        url = full_url(context.facility.feed, "patient", numbers.key)
        created = new_patient(said or Person(), numbers.mrn, numbers.cin, context)
        return url, [created_once(created, *_token(numbers, context), url)]
    reference = f"Patient/{known.patient_id}"
    current = dict(known.resource or {})
    refuse_other_cin(current, numbers.cin, context)
    if context.facility.is_telling and not known.owned:  # a number of this program would tell everybody of it
        return reference, []
    wanted = with_identifiers(current, numbers.mrn, numbers.cin if known.owned else None, context)
    if known.owned and said:
        wanted = protected_patient(updated_patient(wanted, said, context), context)
    return reference, [] if wanted == current else [put(reference, wanted)]


def _token(numbers: Numbers, context: Context) -> tuple[str, str]:
    return (context.facility.mrn_system, numbers.mrn) if numbers.mrn else (context.cin_system, numbers.key)


def _about(said: Person, numbers: Numbers, subject: Element, context: Context) -> Iterator[Element]:
    for key, coverage in coverages(said.insurances, numbers.key, subject, context):
        yield conditional(coverage, coverage_system(context), key)
    for key, contact in related_persons(said.next_of_kin, numbers.key, subject, context):
        yield conditional(contact, related_person_system(context), key)
    for key, allergy in allergies(said.allergies, numbers.key, subject, context):
        yield conditional(allergy, allergy_system(context), key)
