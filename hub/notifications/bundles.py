"""Notification Bundles: pure.

Rules: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4 and
.../backport-subscription-status-r4 (1.1.0); https://hl7.org/fhir/R4/bundle.html (bdl-3, bdl-4: every entry of a
history has request and response).
`empty` says that something happened, `id-only` what, `full-resource` how it looked at the event. A topic's URL
stands in no status of `empty` content: it would say what happened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from hub import clock
from hub.notifications.events import Event
from hub.notifications.subscriptions import BACKPORT, EMPTY, FULL_RESOURCE, Subscription

Resource = dict[str, Any]
NOTIFICATION = BACKPORT + "backport-subscription-notification-r4"
STATUS = BACKPORT + "backport-subscription-status-r4"
HANDSHAKE, HEARTBEAT, EVENTS = "handshake", "heartbeat", "event-notification"
QUERY_STATUS, QUERY_EVENT = "query-status", "query-event"


@dataclass(frozen=True, slots=True)
class Item:
    """One event to tell: its number, and the resource at the event as its reader may see it. `deleted`: the event
    is the resource's deletion. `along`: other resources that are told with it, as events for the audit."""

    event: Event
    number: int
    focus: Resource
    deleted: bool = False
    along: tuple[Event, ...] = ()

    @property
    def told(self) -> tuple[Event, ...]:
        return (self.event, *self.along)


def identity(base: str, key: str) -> UUID:
    """The id of a message, the same at every try: by it a receiver knows what it has already."""
    return uuid5(NAMESPACE_URL, f"{base}/{key}")


def greeting(asked: Subscription, kind: str, number: int, message: UUID, base: str, now: int) -> Resource:
    """The Bundle of a handshake, which asks an endpoint whether it wants notices, or of a heartbeat. `number`:
    events so far."""
    return _bundle(message, now, [_status_entry(asked, status(asked, kind, number, base), message, base)])


def notice(asked: Subscription, items: Sequence[Item], message: UUID, base: str, now: int) -> Resource:
    """The Bundle that tells these events, in order."""
    return told(asked, asked.content, items, EVENTS, items[-1].number, message, base, now)


def told(
    asked: Subscription,
    content: str,
    items: Sequence[Item],
    kind: str,
    number: int,
    message: UUID,
    base: str,
    now: int,
) -> Resource:
    """The same with another content, or to who asks for events; `number`: events so far."""
    parameters = status(asked, kind, number, base, content)
    parameters += [{"name": "notification-event", "part": _event(item, content, base)} for item in items]
    entries = [_status_entry(asked, parameters, message, base)]
    if content != EMPTY:
        entries += [_focus_entry(item, content, base) for item in items]
    return _bundle(message, now, entries)


def status(
    asked: Subscription, kind: str, number: int, base: str, content: str = "", errors: Iterable[str] = ()
) -> list[Resource]:
    """The parameters of a status."""
    found: list[Resource] = [
        {"name": "subscription", "valueReference": {"reference": f"{base}/Subscription/{asked.id}"}}
    ]
    if (content or asked.content) != EMPTY:
        found.append({"name": "topic", "valueCanonical": asked.topic})
    return [
        *found,
        {"name": "status", "valueCode": asked.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(number)},
        *({"name": "error", "valueCodeableConcept": {"text": text}} for text in errors),
    ]


def status_resource(parameters: list[Resource], identity: str) -> Resource:
    return {
        "resourceType": "Parameters",
        "id": identity,
        "meta": {"profile": [STATUS]},
        "parameter": parameters,
    }


def _bundle(message: UUID, now: int, entries: list[Resource]) -> Resource:
    return {
        "resourceType": "Bundle",
        "id": str(message),
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": clock.instant(now),
        "entry": entries,
    }


def _event(item: Item, content: str, base: str) -> list[Resource]:
    parts: list[Resource] = [
        {"name": "event-number", "valueString": str(item.number)},
        {"name": "timestamp", "valueInstant": clock.instant(item.event.at)},
    ]
    if content != EMPTY:
        focus = {"reference": f"{base}/{item.event.type}/{item.event.id}"}
        parts.append({"name": "focus", "valueReference": focus})
    return parts


def _status_entry(asked: Subscription, parameters: list[Resource], message: UUID, base: str) -> Resource:
    identity = str(uuid5(message, "status"))
    return {
        "fullUrl": f"urn:uuid:{identity}",
        "resource": status_resource(parameters, identity),
        "request": {"method": "GET", "url": f"{base}/Subscription/{asked.id}/$status"},
        "response": {"status": "200"},
    }


def _focus_entry(item: Item, content: str, base: str) -> Resource:
    event, created = item.event, item.event.version == 1
    entry: Resource = {"fullUrl": f"{base}/{event.type}/{event.id}"}
    if content == FULL_RESOURCE and not item.deleted:
        entry["resource"] = item.focus
    method, url, answer = "PUT", f"{event.type}/{event.id}", "200"
    if created:
        method, url, answer = "POST", event.type, "201"
    if item.deleted:
        method, answer = "DELETE", "204"
    return entry | {"request": {"method": method, "url": url}, "response": {"status": answer}}
