"""Which notifications are taken and sent, and the event of a hospital message that each says the same as.

Rules: http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event (1.1.0) and the guide's value sets of
admit, discharge and transfer events. The guide has no code for what is taken back. Its bindings are extensible: the
cancels of HL7 table 0003 stand in (http://terminology.hl7.org/CodeSystem/v2-0003).
Refuses: events of no row, and a status of the Encounter that says another thing than the event (`business-rule`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.problems import Problem

NOTIFICATION_EVENT = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
V2_EVENT = "http://terminology.hl7.org/CodeSystem/v2-0003"
PROFILES = "http://hl7.org/fhir/us/davinci-alerts/StructureDefinition/"
PRESENT = ("arrived", "triaged", "in-progress", "onleave")
OVER, PLANNED = ("finished",), ("planned",)
WITHDRAWN = ("cancelled", "entered-in-error")
INPATIENT = ("IMP", "ACUTE", "NONAC", "SS")
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """`statuses`: those of Encounter.status that the event goes with -> the event of HL7 table 0003. `profile` is
    the MessageHeader's own."""

    system: str
    code: str
    display: str
    statuses: Mapping[str, str]
    profile: str = ""

    @property
    def coding(self) -> dict[str, str]:
        return {"system": self.system, "code": self.code, "display": self.display}


def _each(statuses: tuple[str, ...], event: str) -> dict[str, str]:
    return dict.fromkeys(statuses, event)


ADMIT = Event(
    NOTIFICATION_EVENT,
    "notification-admit",
    "Admit Notification",
    {**_each(PRESENT, "A01"), **_each(OVER, "A01"), **_each(PLANNED, "A05"), **_each(WITHDRAWN, "A11")},
    "admit-notification-messageheader",
)
DISCHARGE = Event(
    NOTIFICATION_EVENT,
    "notification-discharge",
    "Discharge Notification",
    _each(OVER, "A03"),
    "discharge-notification-messageheader",
)
TRANSFER = Event(
    NOTIFICATION_EVENT,
    "notification-transfer",
    "Transfer Notification",
    _each(PRESENT, "A02"),
    "transfer-notification-messageheader",
)
CANCEL_ADMIT = Event(V2_EVENT, "A11", "ADT/ACK - Cancel admit/visit notification", _each(WITHDRAWN, "A11"))
CANCEL_TRANSFER = Event(V2_EVENT, "A12", "ADT/ACK - Cancel transfer", _each(PRESENT, "A12"))
CANCEL_DISCHARGE = Event(V2_EVENT, "A13", "ADT/ACK - Cancel discharge/end visit", _each(PRESENT, "A13"))

EVENTS = (ADMIT, DISCHARGE, TRANSFER, CANCEL_ADMIT, CANCEL_TRANSFER, CANCEL_DISCHARGE)
BY_CODING = {(event.system, event.code): event for event in EVENTS}
WHERE = "MessageHeader.eventCoding"


def event_of(header: Resource, encounter: Resource) -> str:
    """The event of table 0003: who comes and is no inpatient is registered (A04). Raises Problem."""
    coding = header.get("eventCoding", {})
    event = BY_CODING.get((coding.get("system", ""), coding.get("code", "")))
    if event is None:
        taken = ", ".join(each.code for each in EVENTS)
        raise Problem("business-rule", f"The event is none that this hub takes: {taken}", WHERE)
    found = event.statuses.get(encounter.get("status", ""))
    if found is None:
        raise Problem("business-rule", f"The Encounter's status does not go with {event.code}", "Encounter.status")
    if found == "A01" and encounter.get("class", {}).get("code") not in INPATIENT:
        return "A04"
    return found
