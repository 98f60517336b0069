"""Notification Bundles: pure.

Rules: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4 and
.../backport-subscription-status-r4 (1.1.0); https://hl7.org/fhir/R4/bundle.html (bdl-3, bdl-4: every entry of a
history has request and response).
`empty` says that something happened, `id-only` what, `full-resource` how it looked at the event.
"""

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from hub import clock
from hub.notifications.events import Event
from hub.notifications.subscriptions import BACKPORT, EMPTY, FULL_RESOURCE, Subscription

Resource = dict[str, Any]
NOTIFICATION = BACKPORT + "backport-subscription-notification-r4"
STATUS = BACKPORT + "backport-subscription-status-r4"


def identity(base: str, key: str) -> UUID:
    """The id of a message, the same at every try: by it a receiver knows what it has already."""
    return uuid5(NAMESPACE_URL, f"{base}/{key}")


def handshake(asked: Subscription, number: int, message: UUID, base: str, now: int) -> Resource:
    """The Bundle that asks an endpoint whether it wants notices. `number`: events so far."""
    parameters = _status(asked, "handshake", number, base)
    return _bundle(message, now, [_status_entry(asked, parameters, message, base)])


def notice(
    asked: Subscription, event: Event, number: int, focus: Resource, message: UUID, base: str, now: int
) -> Resource:
    """The Bundle that tells one event, the subscription's `number`-th. `focus` is the resource at the event."""
    parameters = _status(asked, "event-notification", number, base)
    parameters.append({"name": "notification-event", "part": _event(asked, event, number, base)})
    entries = [_status_entry(asked, parameters, message, base)]
    if asked.content != EMPTY:
        entries.append(_focus_entry(asked, event, focus, base))
    return _bundle(message, now, entries)


def _bundle(message: UUID, now: int, entries: list[Resource]) -> Resource:
    return {
        "resourceType": "Bundle",
        "id": str(message),
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": clock.instant(now),
        "entry": entries,
    }


def _status(asked: Subscription, kind: str, number: int, base: str) -> list[Resource]:
    return [
        {"name": "subscription", "valueReference": {"reference": f"{base}/Subscription/{asked.id}"}},
        {"name": "topic", "valueCanonical": asked.topic},
        {"name": "status", "valueCode": asked.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(number)},
    ]


def _event(asked: Subscription, event: Event, number: int, base: str) -> list[Resource]:
    parts: list[Resource] = [
        {"name": "event-number", "valueString": str(number)},
        {"name": "timestamp", "valueInstant": clock.instant(event.at)},
    ]
    if asked.content != EMPTY:
        focus = {"reference": f"{base}/{event.type}/{event.id}"}
        parts.append({"name": "focus", "valueReference": focus})
    return parts


def _status_entry(asked: Subscription, parameters: list[Resource], message: UUID, base: str) -> Resource:
    identity = str(uuid5(message, "status"))
    return {
        "fullUrl": f"urn:uuid:{identity}",
        "resource": {
            "resourceType": "Parameters",
            "id": identity,
            "meta": {"profile": [STATUS]},
            "parameter": parameters,
        },
        "request": {"method": "GET", "url": f"{base}/Subscription/{asked.id}/$status"},
        "response": {"status": "200"},
    }


def _focus_entry(asked: Subscription, event: Event, focus: Resource, base: str) -> Resource:
    created = event.version == 1
    entry: Resource = {"fullUrl": f"{base}/{event.type}/{event.id}"}
    if asked.content == FULL_RESOURCE:
        entry["resource"] = focus
    method, url = ("POST", event.type) if created else ("PUT", f"{event.type}/{event.id}")
    return entry | {
        "request": {"method": method, "url": url},
        "response": {"status": "201" if created else "200"},
    }
