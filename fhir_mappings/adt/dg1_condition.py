"""DG1 -> US Core Condition (encounter diagnosis), and Encounter.diagnosis.

Rules: v2-to-FHIR IG 1.0.0, segment maps DG1[Condition], DG1[Encounter]; US Core 6.1.0 Condition Encounter
Diagnosis; tables 0052, 0396.
- Key: a hash of visit and code under the feed's own system: one diagnosis of a visit, told as admitting and as
  final, is one Condition that the Encounter names twice.
- DG1-5 is when the diagnosis was made: recordedDate (override of v2-to-FHIR, which takes it for the onset).
- DG1-21 D was entered in error. A diagnosis that a newer list of its type leaves out is inactive, not deleted.
- Diagnoses are not in Encounter.reasonCode: a Condition is labelled by its code, words are not.
Refuses: diagnosis codes of no known coding system (DG1-3, where it has no component 3 and there is no DG1-2), types
without a row (UnmappedCode).
"""

from collections.abc import Iterator

from fhir_mappings.adt.cwe_codings import coded
from fhir_mappings.adt.datatypes import concept, date_time, stable_key
from fhir_mappings.adt.records import Diagnosis, given
from fhir_mappings.adt.rows import Context, Element, Row, filled, values
from fhir_mappings.adt.visit_fold import Visit
from fhir_mappings.adt.xcn_practitioner import practitioner
from hub.fhir.conditional import full_url
from hub.fhir.systems import CONDITION_CATEGORY, CONDITION_CLINICAL, CONDITION_VER_STATUS

CATEGORY = {"coding": [{"system": CONDITION_CATEGORY, "code": "encounter-diagnosis"}]}
INACTIVE = {"coding": [{"system": CONDITION_CLINICAL, "code": "inactive"}]}
ENTERED_IN_ERROR = {"coding": [{"system": CONDITION_VER_STATUS, "code": "entered-in-error"}]}

WHEN = (Row("at", "recordedDate", date_time, "DG1-5"),)
USE = (Row("type", "use", concept("0052"), "DG1-6"),)


def conditions(visit: Visit, number: str, links: Element, context: Context) -> Iterator[tuple[str, Element]]:
    """(key, Condition) of each diagnosis; `number` is the visit's, `links` are its subject and encounter."""
    former = {_key(number, diagnosis): (diagnosis, False) for diagnosis in visit.former_diagnoses}
    current = {_key(number, diagnosis): (diagnosis, True) for diagnosis in visit.diagnoses}
    for key, (diagnosis, is_listed) in (former | current).items():
        yield key, _condition(diagnosis, key, is_listed, links, context)


def diagnoses(visit: Visit, number: str, context: Context) -> list[Element]:
    """Encounter.diagnosis: those on the list, as references to their Conditions."""
    found = []
    for diagnosis in visit.diagnoses:
        if _is_error(diagnosis):
            continue
        url = full_url(condition_system(context), "Condition", _key(number, diagnosis))
        use = values(USE, diagnosis, context)
        found.append(filled({"condition": {"reference": url}, **use, "rank": _rank(diagnosis)}))
    return [item for place, item in enumerate(found) if item not in found[:place]]


def condition_system(context: Context) -> str:
    return f"{context.facility.feed}:condition"


def _condition(diagnosis: Diagnosis, key: str, is_listed: bool, links: Element, context: Context) -> Element:
    is_error = _is_error(diagnosis)
    clinicians = given(diagnosis.clinicians) or ()
    return filled(
        {
            "resourceType": "Condition",
            "meta": context.facility.meta,
            "identifier": [{"system": condition_system(context), "value": key}],
            "clinicalStatus": None if is_listed or is_error else INACTIVE,
            "verificationStatus": ENTERED_IN_ERROR if is_error else None,
            "category": [CATEGORY],
            "code": _code(diagnosis, context),
            **links,
            **values(WHEN, diagnosis, context),
            "asserter": practitioner(clinicians[0], context) if clinicians else None,
        }
    )


def _code(diagnosis: Diagnosis, context: Context) -> Element:
    """DG1-3 with the words of DG1-3.2, else of DG1-4; the coding system of DG1-3.3, else of DG1-2."""
    code, words, method = given(diagnosis.code), given(diagnosis.description), given(diagnosis.method)
    if code is None:
        return {"text": words.code if words else ""}
    return coded(code, context, "DG1-3", words.code if words else "", method.code if method else "")


def _key(number: str, diagnosis: Diagnosis) -> str:
    return stable_key(number, diagnosis.name.replace(".", ""))


def _is_error(diagnosis: Diagnosis) -> bool:
    action = given(diagnosis.action)
    return action is not None and action.code == "D"


def _rank(diagnosis: Diagnosis) -> int | None:
    """DG1-15 as a number above 0: 0 says that the diagnosis has no rank."""
    priority = given(diagnosis.priority)
    number = priority.code if priority else ""
    return (int(number) or None) if number.isascii() and number.isdigit() and len(number) < 4 else None
