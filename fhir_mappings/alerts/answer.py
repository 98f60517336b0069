"""The response message of a notification that was processed.

Rules: https://hl7.org/fhir/R4/messaging.html#response: MessageHeader.response names the message and says `ok`; its
event is the message's, its destination who sent it. An error is no response message: it is an OperationOutcome.
"""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fhir_mappings.alerts.message import Notification

Resource = dict[str, Any]


def response(told: Notification, base: str, at: str) -> Resource:
    """`base` is the hub's FHIR base URL, `at` an instant. The same message has the same response's id."""
    name = uuid5(NAMESPACE_URL, f"{base}/$process-message/{told.id}")
    header = str(uuid5(name, "header"))
    return {
        "resourceType": "Bundle",
        "id": str(name),
        "type": "message",
        "timestamp": at,
        "entry": [
            {
                "fullUrl": f"urn:uuid:{header}",
                "resource": {
                    "resourceType": "MessageHeader",
                    "id": header,
                    "eventCoding": dict(told.header["eventCoding"]),
                    **_destination(told.header.get("source", {})),
                    "source": {"name": "CalAIM FHIR Hub", "endpoint": f"{base}/$process-message"},
                    "response": {"identifier": told.id, "code": "ok"},
                },
            }
        ],
    }


def _destination(source: Mapping[str, Any]) -> Resource:
    endpoint = source.get("endpoint")
    return {"destination": [{"endpoint": endpoint}]} if endpoint else {}
