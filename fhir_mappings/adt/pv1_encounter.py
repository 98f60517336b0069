"""PV1, PV2, ROL and PRT -> US Core Encounter.

Rules: v2-to-FHIR IG 1.0.0, segment maps PV1[Encounter], PV2[Encounter], ROL[Encounter]; US Core 6.1.0 Encounter;
tables 0004, 0007, 0023, 0069, 0092, 0112, 0217, 0443. Status and the histories: visit_moves.py. Class and type that
no message gave are written `unknown` as US Core's missing-data rule says (both are required there).
- PV1-10 is a table of the sender's own (0069): a row gives a code, else it stays text.
- Encounter.length only as told (PV2-11, days): a stay with leaves of absence is shorter than its period.
- PV1-37 names the destination; it is nobody's resource here.
Refuses: codes without a row (UnmappedCode).
"""

from fhir_mappings.adt.cwe_codings import coded_or_said
from fhir_mappings.adt.datatypes import UNKNOWN, concept, date_time, identifier
from fhir_mappings.adt.dg1_condition import diagnoses
from fhir_mappings.adt.pl_location import location
from fhir_mappings.adt.records import CWE, CX, VisitFields, given
from fhir_mappings.adt.rol_practitioner_role import participants
from fhir_mappings.adt.rows import Context, Element, Row, filled, values
from fhir_mappings.adt.timeline import ACTIVE, COMPLETED, PLANNED, RESERVED, Stay, past, period
from fhir_mappings.adt.visit_fold import Visit
from fhir_mappings.adt.xcn_practitioner import practitioner
from fhir_mappings.adt.xon_organization import facility_organization

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter."


def preadmission(value: CX, context: Context, where: str) -> Element:
    return filled({"system": f"{context.facility.feed}:preadmission", "value": value.id}) if value.id else {}


def courtesy(value: CWE, context: Context, where: str) -> list[Element]:
    """By a row of the local table 0099, else as text: HL7 leaves its codes to each hospital."""
    if context.tables.knows("0099", value.code):
        found = context.tables.concept("0099", value.code, where, value.text)
    else:
        found = filled({"text": value.text or value.code})
    return [found] if found else []


def destination(value: CWE, context: Context, where: str) -> Element:
    return filled({"display": value.text or value.code})


def service(value: CWE, context: Context, where: str) -> Element:
    """By table 0069 where that has a row, else as text."""
    if context.tables.knows("0069", value.code):
        return context.tables.concept("0069", value.code, where, value.text)
    return filled({"text": value.text or value.code})


def days(value: CWE, context: Context, where: str) -> Element:
    """A number of days; what is no number is left out."""
    if not (value.code.isascii() and value.code.isdigit()):
        return {}
    return {"value": int(value.code), "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}


PERIOD = (
    Row("admitted_at", "start", date_time, "PV1-44"),
    Row("discharged_at", "end", date_time, "PV1-45"),
)
HOSPITALIZATION = (
    Row("preadmit_number", "preAdmissionIdentifier", preadmission, "PV1-5"),
    Row("admit_source", "admitSource", concept("0023"), "PV1-14"),
    Row("readmission", "reAdmission", concept("0092"), "PV1-13"),
    Row("courtesy", "specialCourtesy", courtesy, "PV1-16"),
    Row("discharged_to", "destination", destination, "PV1-37"),
    Row("discharge_disposition", "dischargeDisposition", concept("0112"), "PV1-36"),
)
ENCOUNTER = (
    Row("service", "serviceType", service, "PV1-10"),
    Row("priority", "priority", concept("0217"), "PV2-25"),
    Row("days", "length", days, "PV2-11"),
)
PLANS = (
    Row("expected_admission", f"{R5}plannedStartDate", date_time, "PV2-8"),
    Row("expected_discharge", f"{R5}plannedEndDate", date_time, "PV2-9"),
)
PARTICIPANTS = (  # field, code and display of table 0443's target
    ("attending", "ATND", "attender"),
    ("referring", "REF", "referrer"),
    ("consulting", "CON", "consultant"),
    ("admitting", "ADM", "admitter"),
    ("others", "PART", "Participation"),
)


def encounter(visit: Visit, number: str, subject: Element, context: Context) -> Element:
    """The Encounter of the visit. `number` is its visit number at the facility."""
    facts, facility, zone = visit.facts, context.facility, context.zone
    return filled(
        {
            "resourceType": "Encounter",
            "meta": facility.meta,
            "extension": _plans(facts, context),
            "identifier": [identifier("VN", facility.visit_system, number), *_alternate(facts, context)],
            "status": visit.status,
            "statusHistory": [{"status": was, "period": when} for was, when in past(visit.statuses, zone)],
            "class": _class(facts, context),
            "classHistory": [
                {"class": context.tables.coding("0004", was, "PV1-2"), "period": when}
                for was, when in past(visit.classes, zone)
            ],
            "type": [_type(facts, context)],
            **values(ENCOUNTER, facts, context),
            "subject": subject,
            "participant": _participants(visit, context),
            "period": _period(facts, context),
            "reasonCode": _reasons(facts, context),
            "diagnosis": diagnoses(visit, number, context),
            "hospitalization": values(HOSPITALIZATION, facts, context),
            "location": _locations(visit, context),
            "serviceProvider": facility_organization(context),
        }
    )


def _alternate(facts: VisitFields, context: Context) -> list[Element]:
    """PV1-50: another number of the same visit, in a system of the feed's own."""
    number, system = given(facts.alternate_number), f"{context.facility.feed}:alternate-visit"
    return [{"system": system, "value": number.id}] if number and number.id else []


def _period(facts: VisitFields, context: Context) -> Element:
    """Without its beginning where that is said to be after the end: a discharge must not be lost for it."""
    told = values(PERIOD, facts, context)
    began, ended = given(facts.admitted_at), given(facts.discharged_at)
    return period(began, ended, context.zone) if began and ended else told


def _plans(facts: VisitFields, context: Context) -> list[Element]:
    return [{"url": url, "valueDateTime": at} for url, at in values(PLANS, facts, context).items()]


def _class(facts: VisitFields, context: Context) -> Element:
    code = given(facts.patient_class)
    return context.tables.coding("0004", code.code, "PV1-2") if code else UNKNOWN.coding()


def _type(facts: VisitFields, context: Context) -> Element:
    code = given(facts.admission_type)
    return concept("0007")(code, context, "PV1-4") if code else {"coding": [UNKNOWN.coding()]}


def _participants(visit: Visit, context: Context) -> list[Element]:
    """Those of PV1, then those of the roles; somebody named twice for the same is there once."""
    found: dict[tuple[str, str], Element] = {}
    for name, code, display in PARTICIPANTS:
        for doctor in given(getattr(visit.facts, name)) or ():
            if individual := practitioner(doctor, context):
                found[code, individual.get("display", "")] = _participant(code, display, individual, {})
    for target, individual, when in participants(visit.roles, context):
        found[target.code, individual.get("display", "")] = _participant(
            target.code, target.display, individual, when
        )
    return list(found.values())


def _participant(code: str, display: str, individual: Element, when: Element) -> Element:
    coding = {"system": PARTICIPATION, "code": code, "display": display}
    return filled({"type": [{"coding": [coding]}], "period": when, "individual": individual})


def _reasons(facts: VisitFields, context: Context) -> list[Element]:
    """PV2-3: often plain words in its only component, else with a code of a named system."""
    reason = given(facts.admit_reason)
    said = coded_or_said(reason, context, "PV2-3") if reason else {}
    return [said] if said else []


def _locations(visit: Visit, context: Context) -> list[Element]:
    """Each place with its time. In the end all are over; of what was only planned or kept free nothing is left."""
    is_over = visit.status in ("finished", "cancelled")
    stays = [stay for stay in visit.stays if not is_over or _was_there(stay)]
    return [told for stay in stays if "location" in (told := _location(stay, visit, is_over, context))]


def _was_there(stay: Stay) -> bool:
    return stay.held or stay.status not in (PLANNED, RESERVED)


def _location(stay: Stay, visit: Visit, is_over: bool, context: Context) -> Element:
    is_open = stay.status == ACTIVE or stay.held
    end = given(visit.facts.discharged_at) if is_over and is_open else stay.end
    status = COMPLETED if is_over else stay.status
    if status == ACTIVE and visit.status == "planned":
        status = PLANNED
    start = None if status == PLANNED else stay.start
    return filled(
        {
            "location": location(stay.place, context),
            "status": status,
            "period": period(start, end, context.zone),
        }
    )
