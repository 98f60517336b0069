"""CalOMS-style items -> Observations: what a record says of housing, use, work, visits, pregnancy.

Rules: https://hl7.org/fhir/R4/observation.html; the table code_tables/caloms_elements.csv. Living arrangement 1
(homeless) is evidence for ECM Population of Focus 1; visits, days in hospital and pregnancy for Population of
Focus 3 (docs/county-bh.md "Populations of focus"). Codes by which a program says that it does not know become a
dataAbsentReason. One Observation for each record and item.
Refuses: a code without a row, a number above its item's largest (Unmapped).
"""

from collections.abc import Iterator

from fhir_mappings.county_bh.caloms import Record, Treatment
from fhir_mappings.county_bh.caloms_episode import META
from fhir_mappings.county_bh.caloms_tables import ABSENT, DATA_ABSENT, Item, coded, items
from fhir_mappings.county_bh.elements import COUNTY_FACT, Element, concept, filled, own_identifier
from hub.feeds.records import Feed, Unmapped
from hub.fhir.systems import LOINC, US_CORE_CATEGORY

OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
SDOH = "sdoh"


def caloms_observations(treatment: Treatment, feed: Feed, patient: str) -> Iterator[Element]:
    for record in treatment.records:
        for item in items():
            for code in _said(record, item):
                yield _observation(treatment, record, item, code, feed, patient)


def _said(record: Record, item: Item) -> list[str]:
    found = record.values.get(item.column)
    return (
        [str(each) for each in found]
        if isinstance(found, list)
        else [str(found)]
        if found not in (None, "")
        else []
    )


def _observation(treatment: Treatment, record: Record, item: Item, code: str, feed: Feed, patient: str) -> Element:
    several = (code,) if item.value == "codes" else ()
    key = (*treatment.key, record.type, record.date, item.element, *several)
    return filled(
        {
            "resourceType": "Observation",
            "meta": META,
            "identifier": [own_identifier(feed, "caloms-item", *key)],
            "status": "entered-in-error" if record.deleted else "final",
            "category": [_category(name) for name in item.category],
            "code": _code(item),
            "subject": {"reference": patient},
            "effectiveDateTime": record.date,
            **_value(feed, item, code),
        }
    )


def _code(item: Item) -> Element:
    own = {"system": COUNTY_FACT, "code": item.code, "display": item.display}
    return {"coding": [own, *([{"system": LOINC, "code": item.loinc}] if item.loinc else [])]}


def _category(name: str) -> Element:
    return concept(US_CORE_CATEGORY if name == SDOH else OBSERVATION_CATEGORY, name)


def _value(feed: Feed, item: Item, code: str) -> Element:
    if code in ABSENT:
        return {"dataAbsentReason": concept(DATA_ABSENT, ABSENT[code])}
    if not item.value.isdigit():
        return {"valueCodeableConcept": coded(feed, item, code)}
    if not (code.isascii() and code.isdigit()) or int(code) > int(item.value):
        raise Unmapped(item.element, code, item.column)
    return {"valueInteger": int(code)}
