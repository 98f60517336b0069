"""PV1, PV2 and DG1 -> US Core Encounter.

Rules: v2-to-FHIR IG 1.0.0, segment maps PV1[Encounter], PV2[Encounter]; US Core 6.1.0 Encounter; tables 0004, 0007,
0023, 0112, 0443. Status: see visit_fold.py. Class and type that no message gave are written `unknown` as US Core's
missing-data rule says (both are required there).
Refuses: codes without a row (UnmappedCode).
"""

from collections.abc import Iterable

from fhir_mappings.adt.datatypes import UNKNOWN, concept, date_time, identifier, place, practitioner
from fhir_mappings.adt.npi import npi_identifier
from fhir_mappings.adt.records import CWE, Diagnosis, VisitFields, given
from fhir_mappings.adt.rows import Context, Element, Row, filled, values
from fhir_mappings.adt.visit_fold import Visit

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

PERIOD = (
    Row("admitted_at", "start", date_time, "PV1-44"),
    Row("discharged_at", "end", date_time, "PV1-45"),
)
HOSPITALIZATION = (
    Row("admit_source", "admitSource", concept("0023"), "PV1-14"),
    Row("discharge_disposition", "dischargeDisposition", concept("0112"), "PV1-36"),
)
PARTICIPANTS = (  # field, code and display of table 0443's target
    ("attending", "ATND", "attender"),
    ("referring", "REF", "referrer"),
    ("consulting", "CON", "consultant"),
    ("admitting", "ADM", "admitter"),
)


def encounter(visit: Visit, number: str, subject: Element, context: Context) -> Element:
    """The Encounter of the visit. `number` is its visit number at the facility."""
    facts, facility = visit.facts, context.facility
    return filled(
        {
            "resourceType": "Encounter",
            "meta": facility.meta,
            "identifier": [identifier("VN", facility.visit_system, number)],
            "status": visit.status,
            "class": _class(facts, context),
            "type": [_type(facts, context)],
            "subject": subject,
            "participant": _participants(facts),
            "period": values(PERIOD, facts, context),
            "reasonCode": _reasons(given(facts.admit_reason), visit.diagnoses),
            "hospitalization": values(HOSPITALIZATION, facts, context),
            "location": _location(facts, visit.status),
            "serviceProvider": organization(context),
        }
    )


def organization(context: Context) -> Element:
    """The facility, by NPI and name: it is not a resource of this feed."""
    facility = context.facility
    npi = npi_identifier(facility.npi) if facility.npi else None
    return filled({"type": "Organization", "identifier": npi, "display": facility.name})


def _class(facts: VisitFields, context: Context) -> Element:
    code = given(facts.patient_class)
    return context.tables.coding("0004", code.code, "PV1-2") if code else UNKNOWN.coding()


def _type(facts: VisitFields, context: Context) -> Element:
    code = given(facts.admission_type)
    return concept("0007")(code, context, "PV1-4") if code else {"coding": [UNKNOWN.coding()]}


def _participants(facts: VisitFields) -> list[Element]:
    return [
        {
            "type": [{"coding": [{"system": PARTICIPATION, "code": code, "display": display}]}],
            "individual": individual,
        }
        for name, code, display in PARTICIPANTS
        for doctor in given(getattr(facts, name)) or ()
        if (individual := practitioner(doctor))
    ]


def _reasons(admit_reason: CWE | None, diagnoses: Iterable[Diagnosis]) -> list[Element]:
    """Words only: codes of a diagnosis belong to Conditions, which this feed does not write."""
    texts = [
        _words(admit_reason),
        *(_words(given(d.code), True) or _words(given(d.description)) for d in diagnoses),
    ]
    return [{"text": text} for text in dict.fromkeys(texts) if text]


def _words(value: CWE | None, coded: bool = False) -> str:
    """The text, or the only component of a field that is not `coded`: PV2-3 often is plain words."""
    if value is None:
        return ""
    return value.text or ("" if coded else value.code)


def _location(facts: VisitFields, status: str) -> list[Element]:
    location = given(facts.location)
    name = place(location) if location else ""
    now = {"planned": "planned", "finished": "completed"}.get(status, "active")
    return [{"location": {"display": name}, "status": now}] if name else []
