"""The smallest resource of each type that the base specification takes: mandatory elements only, all invented.

Made from the tables that validate (hub.fhir.elements, the schemas); NEEDED has what only an invariant asks for.
"""

from functools import cache
from typing import Any

from conformance.validation import schema
from hub.fhir.elements import Element, elements_of

SOMEWHERE = "https://invented.invalid/x"
TEXT: dict[str, Any] = {"text": "invented"}
VALUES: dict[str, Any] = {
    "boolean": True,
    "integer": 1,
    "decimal": 1,
    "positiveInt": 1,
    "unsignedInt": 1,
    "date": "2026-01-01",
    "dateTime": "2026-01-01",
    "instant": "2026-01-01T00:00:00Z",
    "time": "10:00:00",
    "base64Binary": "AA==",
    "uri": SOMEWHERE,
    "url": SOMEWHERE,
    "canonical": SOMEWHERE,
    "oid": "urn:oid:1.2.3",
    "uuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "code": "en",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">invented</div>',
    "Resource": {"resourceType": "Basic", "code": TEXT},
    "Reference": {"display": "invented"},
    "CodeableConcept": TEXT,
    "Coding": {"code": "invented"},
}
ANYTHING = {"extension": [{"url": SOMEWHERE, "valueCode": "invented"}]}
ACTIVE = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
NEEDED: dict[str, dict[str, Any]] = {
    "AllergyIntolerance": {"clinicalStatus": {"coding": [ACTIVE]}},
    "Appointment": {"status": "proposed", "participant": [{"type": [TEXT], "status": "accepted"}]},
    "AppointmentResponse": {"participantType": [TEXT]},
    "CapabilityStatement": {"kind": "requirements", "description": "invented", "rest": [{"mode": "server"}]},
    "Consent": {"policyRule": TEXT},
    "EventDefinition": {"trigger": [{"type": "named-event", "name": "invented"}]},
    "ImmunizationRecommendation": {
        "recommendation": [{"forecastStatus": TEXT, "targetDisease": TEXT}],
    },
    "InsurancePlan": {"name": "invented"},
    "Linkage": {"item": [{"type": "source", "resource": {"display": "invented"}}] * 2},
    "Organization": {"name": "invented"},
    "SearchParameter": {"status": "draft"},  # an active one must be one that can be served
    "StructureDefinition": {
        "kind": "resource",
        "type": "Patient",
        "differential": {"element": [{"id": "Patient", "path": "Patient"}]},
    },
    "TerminologyCapabilities": {"kind": "requirements", "description": "invented"},
}


@cache
def _mended(resource_type: str) -> dict[str, Any]:
    """With the first code of each required binding in place of an invented one."""
    made = {"resourceType": resource_type} | _mandatory(resource_type) | NEEDED.get(resource_type, {})
    for _ in range(3):
        for error in schema.errors(resource_type, made):
            *steps, last = error.instance_path[1:]
            node: Any = made
            for step in steps:
                node = node[step]
            node[last] = error.kind.options[0]
    return made


def smallest(resource_type: str, identity: str = "") -> dict[str, Any]:
    """A resource of this type, with an id where one is given."""
    return _mended(resource_type) | ({"id": identity} if identity else {})


def _mandatory(holder: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    chosen: set[str] = set()
    for name, element in elements_of(holder).items():
        if element.required and element.choice not in chosen:
            value = _value(element)
            made[name] = [value] if element.many else value
            chosen |= {element.choice} if element.choice else set()
    return made


def _value(element: Element) -> Any:
    if element.type in VALUES:
        return VALUES[element.type]
    return "invented" if element.primitive else _mandatory(element.type) or ANYTHING
