"""All messages of one visit -> one transaction Bundle.

Rules: https://hl7.org/fhir/R4/http.html#transaction (conditional create and update), visit_fold.py for the order.
- Patient: created under `ifNoneExist` by MRN (else CIN), or updated under `ifMatch`; no entry when nothing changes.
- Encounter, Coverage, RelatedPerson: conditional updates by identifiers of the facility or of the feed.
- Facts about the person (Patient, Coverage, RelatedPerson) are left alone when the hub already has newer ones from
  another visit of the same feed (`KnownMember.as_of`): a late message then changes its own visit only.
Refuses: what the segment mappings refuse; messages of several visits (ValueError: the caller's fault).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.dates import moment
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.in1_coverage import coverage_system, coverages
from fhir_mappings.adt.member_keys import cin_of, mrn_of, visit_number
from fhir_mappings.adt.msh_provenance import provenance
from fhir_mappings.adt.nk1_related_person import related_person_system, related_persons
from fhir_mappings.adt.pid_patient import new_patient, refuse_other_cin, updated_patient, with_identifiers
from fhir_mappings.adt.problems import MissingIdentifier
from fhir_mappings.adt.pv1_encounter import encounter
from fhir_mappings.adt.records import AdtMessage, PatientFields
from fhir_mappings.adt.rows import Context, Element
from fhir_mappings.adt.visit_fold import Visit, fold, in_order


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
class _Person:
    mrn: str | None
    cin: str | None

    @property
    def number(self) -> str:
        return self.mrn or self.cin or ""


def visit_bundle(
    messages: Sequence[AdtMessage],
    known: KnownMember,
    facility: Facility,
    tables: CodeTables,
    cin_system: str,
    *,
    latest: AdtMessage,
    recorded: datetime,
) -> Element:
    """The transaction for one visit. `messages` are all received so far, in any order; `latest` is the one that
    arrived last, at `recorded` (aware)."""
    context = Context.of(facility, tables, cin_system)
    ordered = in_order(messages, context.zone)
    visit, person = fold(ordered, context.zone), _person(ordered, facility)
    number, overtaken = _visit_number(ordered, facility), _overtaken(ordered, known, context)
    reference, entries = _patient(visit.patient, person, known, context, overtaken)
    subject = {"reference": reference}
    entries.append(_encounter(visit, number, subject, context))
    entries += [] if overtaken else _about_person(visit, person, subject, context)
    # the person is always a target: what a message said of somebody is found even where it changed nothing
    targets = list(dict.fromkeys([reference, *(_target(entry) for entry in entries)]))
    entries.append(_provenance(targets, latest, recorded, context))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _overtaken(ordered: Sequence[AdtMessage], known: KnownMember, context: Context) -> bool:
    return known.as_of is not None and moment(ordered[-1].event_at, context.zone) < known.as_of


def _person(ordered: Sequence[AdtMessage], facility: Facility) -> _Person:
    """The newest MRN and the newest CIN: an update may leave the CIN out. Raises MissingIdentifier."""
    mrns = (mrn_of(message.patient, facility) for message in reversed(ordered))
    cins = (cin_of(message) for message in reversed(ordered))
    person = _Person(next(filter(None, mrns), None), next(filter(None, cins), None))
    if not person.number:
        raise MissingIdentifier
    return person


def _visit_number(ordered: Sequence[AdtMessage], facility: Facility) -> str:
    numbers = {visit_number(message.visit, message.patient) for message in ordered}
    if len(numbers) != 1 or {message.facility for message in ordered} != {facility.code}:
        raise ValueError("The messages are not of one visit at this facility")
    return numbers.pop()


def _patient(
    fields: PatientFields, person: _Person, known: KnownMember, context: Context, overtaken: bool
) -> tuple[str, list[Element]]:
    """(reference, entries)."""
    if known.patient_id is None:
        full_url = _full_url(context.facility.feed, "patient", person.number)
        created = new_patient(fields, person.mrn, person.cin, context)
        request = {"method": "POST", "url": "Patient", "ifNoneExist": _query(*_token(person, context))}
        return full_url, [{"fullUrl": full_url, "resource": created, "request": request}]
    reference = f"Patient/{known.patient_id}"
    current = dict(known.resource or {})
    refuse_other_cin(current, person.cin, context)
    if context.facility.part2 and not known.owned:  # a number of this program would tell everybody of it
        return reference, []
    wanted = with_identifiers(current, person.mrn, person.cin if known.owned else None, context)
    if known.owned and not overtaken:
        wanted = updated_patient(wanted, fields, context)
    return reference, [] if wanted == current else [_put(reference, wanted)]


def _token(person: _Person, context: Context) -> tuple[str, str]:
    return (context.facility.mrn_system, person.mrn) if person.mrn else (context.cin_system, person.number)


def _put(reference: str, resource: Element) -> Element:
    version = resource.get("meta", {}).get("versionId")
    request = {"method": "PUT", "url": reference} | ({"ifMatch": f'W/"{version}"'} if version else {})
    return {"resource": resource, "request": request}


def _encounter(visit: Visit, number: str, subject: Element, context: Context) -> Element:
    return _conditional(encounter(visit, number, subject, context), context.facility.visit_system, number)


def _about_person(visit: Visit, person: _Person, subject: Element, context: Context) -> Iterable[Element]:
    for key, coverage in coverages(visit, person.number, subject, context):
        yield _conditional(coverage, coverage_system(context), key)
    for key, contact in related_persons(visit, person.number, subject, context):
        yield _conditional(contact, related_person_system(context), key)


def _conditional(resource: Element, system: str, value: str) -> Element:
    """An update of the one resource with this identifier, or its creation."""
    kind = resource["resourceType"]
    request = {"method": "PUT", "url": f"{kind}?{_query(system, value)}"}
    return {"fullUrl": _full_url(system, kind, value), "resource": resource, "request": request}


def _provenance(targets: Sequence[str], latest: AdtMessage, recorded: datetime, context: Context) -> Element:
    # its id follows from the message: processing the same message again says the same of it, and not twice
    identity = str(uuid5(NAMESPACE_URL, f"{context.facility.feed}|provenance|{latest.digest}"))
    said = provenance(targets, latest, recorded, context)
    return _put(f"Provenance/{identity}", {**said, "id": identity})


def _target(entry: Element) -> str:
    reference: str = entry.get("fullUrl") or entry["request"]["url"]
    return reference


def _full_url(*parts: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, '|'.join(parts))}"


def _query(system: str, value: str) -> str:
    """`identifier=system|value` with FHIR's own escapes for | , $ and then URL escapes."""
    escaped = "".join(f"\\{char}" if char in "\\|,$" else char for char in value)
    return f"identifier={quote(system, safe=':/')}|{quote(escaped, safe='')}"
