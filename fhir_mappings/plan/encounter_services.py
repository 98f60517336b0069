"""The lines and operations of a claim -> US Core Procedure.

Rules: US Core 6.1.0 Procedure; docs/plan-837.md
- A line with a HCPCS or CPT code is a Procedure; a line with a revenue code alone is told by the Encounter's types.
- The CalAIM service that code and modifier name (encounter_kinds.services) is a second coding of the same;
  modifiers are an extension: as codings they would say what was done.
- A line that a newer telling of the claim leaves out, and every line of a claim that was taken back, was entered in
  error.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.plan import encounter_codes as codes
from fhir_mappings.plan.encounter_kinds import services
from fhir_mappings.plan.encounter_versions import Standing, Values
from fhir_mappings.plan.encounter_visit import encounter_identifier, period, provider, to_condition, to_encounter
from fhir_mappings.plan.x12_elements import Element, coding, filled, own_identifier
from hub.feeds.records import Feed
from hub.fhir.systems import HCPCS, OWN

MODIFIER = OWN + "StructureDefinition/procedure-modifier"


def procedures(told: Standing, patient: str, feed: Feed) -> Iterator[Element]:
    for table, make in (("lines", _service), ("procedures", _operation)):
        listed = {_name(one): (one, told.values, told.stands) for one in told.values.get(table, ())}
        gone = {_name(one): (one, values, False) for values in told.former for one in values.get(table, ())}
        for name, (one, values, stands) in {**gone, **listed}.items():
            if one.get("code"):
                yield {**_common(name, values, stands, patient, feed), **make(one, values, feed)}


def _name(one: Mapping[str, Any]) -> str:
    """A line by its number and code, an operation by its code and day."""
    return "|".join((one.get("number", ""), one.get("code", ""), one.get("on", "")))


def _common(name: str, values: Values, stands: bool, patient: str, feed: Feed) -> Element:
    return {
        "resourceType": "Procedure",
        "identifier": [own_identifier(feed, "procedure", encounter_identifier(values, feed)["value"], name)],
        "status": "completed" if stands else "entered-in-error",
        "subject": {"reference": patient},
        "encounter": to_encounter(values, feed),
    }


def _service(line: Mapping[str, Any], values: Values, feed: Feed) -> Element:
    performer = provider(line.get("rendering") or values.get("rendering") or {}, "Practitioner")
    whole = period(values)
    days = {"start": line.get("from") or whole.get("start"), "end": line.get("to") or whole.get("end")}
    return filled(
        {
            "extension": [_modifier(modifier) for modifier in line.get("modifiers", ())],
            "code": {"coding": [codes.service(line["code"]), *services(line, feed)]},
            "performedPeriod": filled(days),
            "performer": [{"actor": performer}] if performer else [],
            "reasonReference": [*_reasons(line, values, feed)],
        }
    )


def _operation(one: Mapping[str, Any], values: Values, feed: Feed) -> Element:
    when = {"performedDateTime": one["on"]} if one.get("on") else {"performedPeriod": period(values)}
    return {"code": {"coding": [codes.operation(one["use"], one["code"])]}, **when}


def _modifier(code: str) -> Element:
    return {"url": MODIFIER, "valueCodeableConcept": {"coding": [coding(HCPCS, code)]}}


def _reasons(line: Mapping[str, Any], values: Values, feed: Feed) -> Iterator[Element]:
    """SV107: places in the list of diagnoses."""
    listed = values.get("diagnoses", ())
    told = (listed[place - 1]["code"] for place in line.get("diagnoses", ()) if 0 < place <= len(listed))
    yield from (to_condition(values, code, feed) for code in dict.fromkeys(told))
