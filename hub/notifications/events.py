"""From the changes of a commit to outbox rows: an `event` for each topic that a change triggers, a `handshake` for
each Subscription that a client asks for.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html
Pure, and asked inside the commit: no change without its event, no event without its change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub import outbox
from hub.notifications.topics import BY_TYPE
from hub.transactions import Change

EVENT, HANDSHAKE, NOTICE, HEARTBEAT = "event", "handshake", "notice", "heartbeat"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: a topic's URL, and the version of the resource that triggered it. `at` is in microseconds."""

    topic: str
    type: str
    id: str
    version: int
    at: int

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "Event":
        return cls(*(payload[name] for name in cls.__slots__))

    def payload(self) -> dict[str, Any]:
        return asdict(self)


def effects(changes: Sequence[Change]) -> Iterable[Mapping[str, Any]]:
    """The outbox rows of a commit's changes."""
    for change in changes:
        for event in events(change):
            where = f"{event.type}/{event.id}"
            yield outbox.row(EVENT, f"{event.topic}|{where}|{event.version}", event.payload(), change.at, where)
        if asks(change):
            payload = {"subscription": change.id, "version": change.version, "owner": change.who}
            yield outbox.row(HANDSHAKE, f"{change.id}|{change.version}", payload, change.at, change.id)


def events(change: Change) -> Iterable[Event]:
    """The events of one change."""
    for topic in BY_TYPE.get(change.type, ()):
        if topic.trigger(change.before, change.now):
            yield Event(topic.url, change.type, change.id, change.version, change.at)


def asks(change: Change) -> bool:
    """A client asks for a Subscription, anew or changed."""
    return change.type == "Subscription" and change.now is not None and change.now.get("status") == "requested"
