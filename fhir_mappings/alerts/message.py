"""A notification taken apart: what must be there before anything is believed.

Rules: http://hl7.org/fhir/us/davinci-alerts/StructureDefinition/notifications-bundle and
.../notifications-messageheader (1.1.0): type message, id, timestamp, the MessageHeader first, something beside it;
an event, a focus, no response. https://hl7.org/fhir/R4/messaging.html. The Bundle is valid by the base already.
- The focus is one Encounter of the message, its subject a Patient of the message. Other foci are not looked at.
Refuses: what lacks these (`invalid`, `required`, `reference-missing`), and events.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_mappings.alerts.events import event_of
from fhir_mappings.alerts.references import Entries
from hub.problems import Problem

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notification:
    """`event` is of HL7 table 0003; `at` Bundle.timestamp."""

    header: Resource
    encounter: Resource
    patient: Resource
    event: str
    at: str
    entries: Entries
    bundle: Resource

    @property
    def id(self) -> str:
        return str(self.header["id"])


def notification(bundle: Resource) -> Notification:
    """Raises Problem."""
    header = _header(bundle)
    entries = Entries.of(bundle)
    encounter = _focus(header, entries)
    patient = entries.find(encounter.get("subject"), "Patient")
    if patient is None:
        raise Problem("reference-missing", "The message does not hold the Patient", "Encounter.subject")
    event = event_of(header, encounter)
    return Notification(header, encounter, patient, event, bundle["timestamp"], entries, bundle)


def _header(bundle: Resource) -> Resource:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "message":
        raise Problem("invalid", "A message is a Bundle of type message", "Bundle.type")
    for name in ("id", "timestamp"):
        if not bundle.get(name):
            raise Problem("required", f"A notification has Bundle.{name}", f"Bundle.{name}")
    held = bundle.get("entry", ())
    header: Resource = held[0].get("resource", {}) if held else {}
    if header.get("resourceType") != "MessageHeader":
        raise Problem("invalid", "The first entry of a message is its MessageHeader", "Bundle.entry[0]")
    if len(held) < 2:
        raise Problem("required", "A notification holds what it is about", "Bundle.entry")
    if not header.get("id"):
        raise Problem("required", "A MessageHeader has an id", "MessageHeader.id")
    if "response" in header:
        raise Problem("invalid", "A notification is no response", "MessageHeader.response")
    return header


def _focus(header: Resource, entries: Entries) -> Resource:
    where = "MessageHeader.focus"
    named = header.get("focus", ())
    if not named:
        raise Problem("required", "A notification has a focus", where)
    if any(entries.find(each, *_kinds(entries)) is None for each in named):
        raise Problem("reference-missing", "The message does not hold its focus", where)
    found = [one for each in named if (one := entries.find(each, "Encounter")) is not None]
    if len(found) != 1:
        raise Problem("business-rule", "The focus is one Encounter", where)
    return found[0]


def _kinds(entries: Entries) -> set[str]:
    return {str(one.get("resourceType")) for one in entries.by_url.values()}
