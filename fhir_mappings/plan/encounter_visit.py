"""A claim -> US Core Encounter, and a Condition for each of its diagnoses.

Rules: US Core 6.1.0 Encounter, Condition Encounter Diagnosis; docs/plan-837.md
- `extension` adjudicated says whether a payer has dealt with it: who counts visits counts those.
- Providers are named by their NPI as the claim has it; they need not be in the directory.
- A diagnosis is a Condition, not a reasonCode: Conditions are labelled by their codes. One that a newer telling
  of the claim leaves out was entered in error.
- Still a patient (NUBC patient status 30): in progress.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_mappings.plan import encounter_codes as codes
from fhir_mappings.plan.encounter_kinds import visit_kind
from fhir_mappings.plan.encounter_versions import Standing, Values
from fhir_mappings.plan.x12_elements import Element, coding, concept, filled, own_identifier
from hub.feeds.records import Feed
from hub.fhir.conditional import reference
from hub.fhir.systems import ACT_CODE, CONDITION_CATEGORY, CONDITION_VER_STATUS, OWN, US_NPI

ADJUDICATED = OWN + "StructureDefinition/claim-adjudicated"
VISIT_KIND = OWN + "CodeSystem/claim-visit-kind"
ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
STILL_A_PATIENT = "30"
USES = {"ABJ": "AD", "BJ": "AD", "APR": "CC", "PR": "CC"}  # of HI; all others are what was billed
PARTIES = {"attending": "ATND", "operating": "SPRF", "rendering": "PPRF", "referring": "REF"}
IN_ERROR = concept(CONDITION_VER_STATUS, "entered-in-error")
DIAGNOSIS = concept(CONDITION_CATEGORY, "encounter-diagnosis")


def encounter_identifier(values: Values, feed: Feed) -> Element:
    return own_identifier(feed, "encounter", *_claim(values))


def to_encounter(values: Values, feed: Feed) -> Element:
    found = encounter_identifier(values, feed)
    return reference("Encounter", found["system"], found["value"])


def condition_identifier(values: Values, code: str, feed: Feed) -> Element:
    return own_identifier(feed, "condition", *_claim(values), code)


def to_condition(values: Values, code: str, feed: Feed) -> Element:
    found = condition_identifier(values, code, feed)
    return reference("Condition", found["system"], found["value"])


def encounter(told: Standing, patient: str, feed: Feed) -> Element:
    values, kind = told.values, visit_kind(told.values, feed)
    return filled(
        {
            "resourceType": "Encounter",
            "extension": [{"url": ADJUDICATED, "valueBoolean": bool(values.get("adjudicated"))}],
            "identifier": [
                encounter_identifier(values, feed),
                {"system": f"{feed.system}/claim", "value": values["claim"]},
            ],
            "status": _status(told),
            "class": coding(ACT_CODE, kind["class"]),
            "type": [concept(VISIT_KIND, kind["kind"], kind["display"]), *_types(values)],
            "priority": _nubc("PriorityTypeOfAdmitOrVisit", values.get("admission_type")),
            "subject": {"reference": patient},
            "participant": [*_participants(values)],
            "period": period(values),
            "diagnosis": [*_diagnoses(values, feed)] if told.stands else [],
            "hospitalization": filled(
                {
                    "admitSource": _nubc("PointOfOrigin", values.get("admission_source")),
                    "dischargeDisposition": _nubc("PatDischargeStatus", values.get("patient_status")),
                }
            ),
            "serviceProvider": provider(values.get("facility") or values.get("billing", {}), "Organization"),
        }
    )


def conditions(told: Standing, patient: str, feed: Feed) -> Iterator[Element]:
    listed = {one["code"]: (one, told.stands) for one in told.values.get("diagnoses", ())}
    gone = {one["code"]: (one, False) for values in told.former for one in values.get("diagnoses", ())}
    for code, (one, stands) in {**gone, **listed}.items():
        yield filled(
            {
                "resourceType": "Condition",
                "identifier": [condition_identifier(told.values, code, feed)],
                "verificationStatus": None if stands else IN_ERROR,
                "category": [DIAGNOSIS],
                "code": {"coding": [codes.diagnosis(one["use"], code)]},
                "subject": {"reference": patient},
                "encounter": to_encounter(told.values, feed),
            }
        )


def provider(party: Mapping[str, str], kind: str) -> Element:
    """By NPI, not by reference."""
    npi = {"system": US_NPI, "value": party["npi"]} if party.get("npi") else {}
    found = filled({"identifier": npi, "display": party.get("name")})
    return {"type": kind, **found} if found else {}


def period(values: Values) -> Element:
    """The statement's days, else those of the lines; a stay begins with its admission."""
    lines = [line for line in values.get("lines", ()) if line.get("from")]
    start = values.get("from") or min((line["from"] for line in lines), default="")
    end = values.get("to") or max((line["to"] for line in lines), default="")
    admitted = values.get("admitted", "")
    start = admitted if admitted and (not end or admitted <= end) else start
    return filled({"start": start, "end": "" if _is_still_there(values) else end})


def _status(told: Standing) -> str:
    if not told.stands:
        return "entered-in-error"
    return "in-progress" if _is_still_there(told.values) else "finished"


def _is_still_there(values: Values) -> bool:
    return bool(values.get("patient_status") == STILL_A_PATIENT)


def _types(values: Values) -> Iterator[Element]:
    if values.get("place"):
        yield {"coding": [coding(codes.PLACE_OF_SERVICE, values["place"])]}
    if values.get("bill_type"):
        yield {"coding": [codes.nubc("TypeOfBill", values["bill_type"] + values.get("frequency", ""))]}
    for revenue in dict.fromkeys(line["revenue"] for line in values.get("lines", ()) if line.get("revenue")):
        yield {"coding": [codes.nubc("RevenueCodes", revenue)]}


def _participants(values: Values) -> Iterator[Element]:
    for name, role in PARTIES.items():
        individual = provider(values.get(name, {}), "Practitioner")
        if individual:
            yield {"type": [concept(PARTICIPATION, role)], "individual": individual}


def _diagnoses(values: Values, feed: Feed) -> Iterator[Element]:
    for rank, one in enumerate(values.get("diagnoses", ()), 1):
        use = concept(ROLE, USES.get(one["use"], "billing"))
        yield {"condition": to_condition(values, one["code"], feed), "use": use, "rank": rank}


def _nubc(table: str, code: str | None) -> Element:
    return {"coding": [codes.nubc(table, code)]} if code else {}


def _claim(values: Values) -> Sequence[str]:
    billing: Any = values.get("billing", {})
    return billing.get("npi", ""), values["claim"]
