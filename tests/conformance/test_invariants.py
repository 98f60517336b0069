"""The invariants of R4: what the table says, and one of each kind broken at its place."""

from typing import Any

import pytest

from conformance.definitions.invariants import ELSEWHERE, rows, steps
from conformance.validation.structure import validate

TIMING = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/1"},
}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"

ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("prr-1", {**TIMING, "orderDetail": [{"text": "x"}]}, "ServiceRequest"),
    ("tim-2", {**TIMING, "occurrenceTiming": {"repeat": {"period": 1}}}, "ServiceRequest.occurrenceTiming.repeat"),
    ("qty-3", {**TIMING, "quantityQuantity": {"value": 1, "code": "d"}}, "ServiceRequest.quantityQuantity"),
    ("org-1", {"resourceType": "Organization", "active": True}, "Organization"),
    (
        "org-3",
        {"resourceType": "Organization", "name": "x", "telecom": [{"system": "phone", "use": "home"}]},
        "Organization",
    ),
    (
        "con-4",
        {
            "resourceType": "Condition",
            "subject": {"reference": "Patient/1"},
            "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
            "abatementString": "x",
        },
        "Condition",
    ),
    (
        "cpl-3",
        {
            "resourceType": "CarePlan",
            "status": "active",
            "intent": "plan",
            "subject": {"reference": "Patient/1"},
            "activity": [{"detail": {"status": "in-progress"}, "reference": {"reference": "Task/1"}}],
        },
        "CarePlan.activity[0]",
    ),
    (
        "inv-1",
        {
            "resourceType": "Task",
            "status": "ready",
            "intent": "order",
            "authoredOn": "2026-02-01",
            "lastModified": "2026-01-01",
        },
        "Task",
    ),
    (
        "bdl-5",
        {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:uuid:1"}]},
        "Bundle.entry[0]",
    ),
]


@pytest.mark.parametrize(("key", "resource", "where"), ROWS, ids=[row[0] for row in ROWS])
def test_a_broken_invariant_is_told_at_its_place(key: str, resource: dict[str, Any], where: str) -> None:
    found = [
        (issue.message.split(":")[0], issue.where) for issue in validate(resource) if issue.kind == "invariant"
    ]
    assert (key, where) in found


def _definition(**rules: Any) -> dict[str, Any]:
    constraint = {"key": "x-1", "severity": "error", "expression": "a.exists()\n or b.exists()", **rules}
    elements = [
        {"path": "Thing"},
        {"path": "Thing.part", "type": [{"code": "BackboneElement"}], "constraint": [constraint]},
    ]
    return {"type": "Thing", "snapshot": {"element": elements}}


def test_a_row_is_made_of_each_error_that_no_other_rule_holds() -> None:
    assert rows([_definition()]) == [("Thing.part", "x-1", "a.exists() or b.exists()")]
    assert rows([_definition(severity="warning")]) == []
    assert all(rows([_definition(key=key)]) == [] for key in ELSEWHERE)


def test_only_steps_that_lead_to_an_invariant_are_kept() -> None:
    schema = {
        "Thing": {
            "properties": {"part": {"items": {"$ref": "#/$defs/Thing.part"}}, "name": {"$ref": "#/$defs/Name"}}
        },
        "Thing.part": {"properties": {"owner": {"$ref": "#/$defs/Reference.Patient"}}},
        "Name": {"properties": {}},
    }
    assert steps(schema, [("Thing.part", "x-1", "a")]) == [("Thing", "part", "Thing.part")]
