"""An event about a hospital stay, as the hub has it -> a notification.

Rules: http://hl7.org/fhir/us/davinci-alerts/StructureDefinition/notifications-bundle, the event's MessageHeader,
adt-notification-encounter, adt-notification-condition (1.1.0); https://hl7.org/fhir/R4/bundle.html#references.
- Every entry but the MessageHeader has the hub's URL of its resource, so that relative references are found.
- What the message does not hold is not referred to: the reference keeps its words and its identifier; where it has
  none, the row goes with it. A diagnosis, a place, or who takes part goes in any case.
- The hub is the source; the hospital is responsible, where the message holds it.
- Timestamp and ids follow from the event: the same message at every try.
Refuses: nothing.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from fhir_mappings.alerts.events import (
    ADMIT,
    CANCEL_ADMIT,
    CANCEL_DISCHARGE,
    DISCHARGE,
    PROFILES,
    TRANSFER,
    WITHDRAWN,
    Event,
)

Resource = dict[str, Any]
BUNDLE, HEADER = f"{PROFILES}notifications-bundle", f"{PROFILES}notifications-messageheader"
OWN_PROFILES = {
    "Encounter": f"{PROFILES}adt-notification-encounter",
    "Condition": f"{PROFILES}adt-notification-condition",
}
# lists of the Encounter -> the reference that a row of the guide's Encounter has, or is not there
ROWS = {"diagnosis": "condition", "location": "location", "participant": "individual"}
SOURCE = "CalAIM FHIR Hub"
_CANCEL = "encounter-cancel"
_EVENTS = {"encounter-admission": ADMIT, "encounter-discharge": DISCHARGE, "encounter-transfer": TRANSFER}


def event_of(topic: str, encounter: Mapping[str, Any]) -> Event:
    """`topic`: its URL (hub.notifications.topics). What is taken back is an admission, or a discharge where the
    stay goes on."""
    name = topic.rpartition("/")[2]
    if name == _CANCEL:
        return CANCEL_ADMIT if encounter.get("status") in WITHDRAWN else CANCEL_DISCHARGE
    return _EVENTS[name]


def notice_message(
    topic: str,
    encounter: Resource,
    along: Mapping[str, Resource],
    *,
    message: UUID,
    at: str,
    base: str,
    endpoint: str,
) -> Resource:
    """`along`: what goes with it, by `Type/id`; `at` is an instant."""
    name = f"Encounter/{encounter['id']}"
    there = {name, *along}
    held = [(url, _closed(one, there, base)) for url, one in ((name, encounter), *along.items())]
    identity = str(uuid5(message, "header"))
    header = _header(identity, event_of(topic, encounter), f"{base}/{name}", held[0][1], base, endpoint)
    entries = [(f"urn:uuid:{identity}", header), *((f"{base}/{url}", _profiled(one)) for url, one in held)]
    return {
        "resourceType": "Bundle",
        "id": str(message),
        "meta": {"profile": [BUNDLE]},
        "type": "message",
        "timestamp": at,
        "entry": [{"fullUrl": url, "resource": one} for url, one in entries],
    }


def _header(identity: str, event: Event, focus: str, encounter: Resource, base: str, endpoint: str) -> Resource:
    provider = encounter.get("serviceProvider", {}).get("reference")
    responsible = {"responsible": {"reference": _absolute(provider, base)}} if provider else {}
    profiles = [HEADER, *([f"{PROFILES}{event.profile}"] if event.profile else [])]
    return {
        "resourceType": "MessageHeader",
        "id": identity,
        "meta": {"profile": profiles},
        "eventCoding": event.coding,
        "destination": [{"endpoint": endpoint}],
        "source": {"name": SOURCE, "endpoint": base},
        **responsible,
        "focus": [{"reference": focus}],
    }


def _profiled(resource: Resource) -> Resource:
    profile = OWN_PROFILES.get(resource["resourceType"])
    meta = resource.get("meta", {})
    if profile is None or profile in meta.get("profile", ()):
        return resource
    return resource | {"meta": meta | {"profile": [*meta.get("profile", ()), profile]}}


def _closed(resource: Resource, there: set[str], base: str) -> Resource:
    found: Resource = _pruned(resource, there, base)
    if resource["resourceType"] == "Encounter":
        for rows, name in ROWS.items():
            kept = [row for row in found.get(rows, ()) if "reference" in row.get(name, {"reference": ""})]
            found = {**found, rows: kept}
    return {name: value for name, value in found.items() if value not in ([], {})}


def _pruned(node: Any, there: set[str], base: str) -> Any:
    """A copy without references to what is not there. A row of a list whose reference had nothing else goes."""
    if isinstance(node, list):
        pairs = [(each, _pruned(each, there, base)) for each in node]
        return [kept for each, kept in pairs if kept not in ({}, []) and not _lost(each, kept)]
    if not isinstance(node, dict):
        return node
    is_told = not isinstance(node.get("reference"), str) or _is_there(node["reference"], there, base)
    found = {name: _pruned(each, there, base) for name, each in node.items() if is_told or name != "reference"}
    return {name: each for name, each in found.items() if each not in ({}, [])}


def _lost(before: Any, now: Any) -> bool:
    return isinstance(before, dict) and any(
        isinstance(each, dict) and "reference" in each and name not in now for name, each in before.items()
    )


def _is_there(reference: str, there: set[str], base: str) -> bool:
    """What is contained is."""
    return reference.startswith("#") or reference.removeprefix(f"{base}/").partition("/_history/")[0] in there


def _absolute(reference: str, base: str) -> str:
    return reference if ":" in reference else f"{base}/{reference}"
