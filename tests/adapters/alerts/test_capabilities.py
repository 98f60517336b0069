"""The CapabilityStatement says where messages are taken, and which."""

from conformance.capability_statement import MESSAGES, capability_statement
from conformance.validation import structure
from fhir_mappings.alerts.events import EVENTS
from tests.hub.asking import BASE


def test_the_statement_names_the_door_and_all_events() -> None:
    found = capability_statement(BASE, "https://hub.example/auth/token", "0", "2026-01-01T00:00:00Z")
    (messaging,) = found["messaging"]
    assert messaging["endpoint"][0]["address"] == f"{BASE}/$process-message"
    assert all(event.code in MESSAGES for event in EVENTS)
    assert structure.validate(found, "CapabilityStatement") == []
    named = {one["name"]: one["definition"] for one in found["rest"][0]["operation"]}
    assert named["process-message"] == "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
