"""AL1 and IAM -> US Core AllergyIntolerance.

Rules: v2-to-FHIR IG 1.0.0, segment maps AL1[AllergyIntolerance], IAM[AllergyIntolerance]; US Core 6.1.0; tables
0127-type, 0127-category, 0128-criticality, 0128-severity, 0438, 0438-verification.
- Key: a hash of the patient's number and IAM-7, else the allergen, under the feed's own system.
- An allergy that left the list, or that IAM-6 deletes, is inactive and not deleted: nobody said that it was wrong.
- Reactions (AL1-5) are words, as the sender wrote them. A severity is that of the reaction where there is one, and
  the criticality.
- The allergen of no named coding system is of the sender's own list.
Refuses: type, severity and status codes without a row (UnmappedCode).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fhir_mappings.adt.cwe_codings import coded_or_own
from fhir_mappings.adt.datatypes import date_time, stable_key
from fhir_mappings.adt.person_fold import Listed
from fhir_mappings.adt.records import CWE, Allergy, given
from fhir_mappings.adt.rows import Context, Element, filled

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
ONSET = {"AL1": "AL1-6", "IAM": "IAM-11"}


def allergies(
    listed: Iterable[Listed[Allergy]], person: str, patient: Element, context: Context
) -> Iterator[tuple[str, Element]]:
    """(key, AllergyIntolerance) of each; `person` is the facility's number of the patient."""
    for each in listed:
        key = stable_key(person, each.item.key)
        yield key, _allergy(each.item, key, each.stands, patient, context)


def allergy_system(context: Context) -> str:
    return f"{context.facility.feed}:allergy"


def _allergy(allergy: Allergy, key: str, stands: bool, patient: Element, context: Context) -> Element:
    segment, onset, reported = allergy.segment, given(allergy.onset), given(allergy.reported)
    category = _code("0127-category", allergy.type, context, f"{segment}-2")
    code = given(allergy.code)
    return filled(
        {
            "resourceType": "AllergyIntolerance",
            "meta": context.facility.meta,
            "identifier": [{"system": allergy_system(context), "value": key}],
            **_statuses(allergy, stands, context),
            "type": _code("0127-type", allergy.type, context, f"{segment}-2"),
            "category": [category] if category else [],
            "criticality": _code("0128-criticality", allergy.severity, context, f"{segment}-4"),
            "code": coded_or_own(code, context, f"{segment}-3") if code else {"text": allergy.key},
            "patient": patient,
            "onsetDateTime": date_time(onset, context, ONSET[segment]) if onset else None,
            "recordedDate": date_time(reported, context, "IAM-13") if reported else None,
            "reaction": _reactions(allergy, context),
        }
    )


def _statuses(allergy: Allergy, stands: bool, context: Context) -> Element:
    """IAM-17, else active while it stands on the list. What was an error has no clinical status (ait-2)."""
    verification = _code("0438-verification", allergy.status, context, "IAM-17")
    verified = {"coding": [{"system": VERIFICATION, "code": verification}]} if verification else None
    if verification == "entered-in-error":
        return {"verificationStatus": verified}
    clinical = _code("0438", allergy.status, context, "IAM-17") or "active"
    code = clinical if stands else "inactive"
    return {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": code}]}, "verificationStatus": verified}


def _reactions(allergy: Allergy, context: Context) -> list[Element]:
    severity = _code("0128-severity", allergy.severity, context, f"{allergy.segment}-4")
    words = [reaction.text or reaction.code for reaction in given(allergy.reactions) or ()]
    found = [{"text": text} for text in words if text]
    return [filled({"manifestation": found, "severity": severity})] if found else []


def _code(table: str, value: Any, context: Context, where: str) -> str | None:
    said: CWE | None = given(value)
    return context.tables.code(table, said.code, where) if said and said.code else None
