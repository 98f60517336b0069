"""What several events are looked at with: what they have in common, and each version, is read once for all of them.

A round lasts from the first look at its events to the commit of their notices, as a look at one event does.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection

from hub.fhir import json
from hub.notifications import active, counters, filters
from hub.notifications.active import ACCESS
from hub.notifications.counters import Count
from hub.notifications.events import Event
from hub.notifications.looking import Look, Looking
from hub.notifications.matching import Asked
from hub.store import read
from hub.store.read import Stored

Resource = dict[str, Any]


class Versions:
    """Versions of resources as the hub itself sees them, each read once; `base` is the hub's own FHIR base URL."""

    def __init__(self, connection: Connection, base: str = "", events: Iterable[Event] = ()):
        self.connection = connection
        self.base = base
        self.current = cache(self._current)
        self.version = cache(self._version)
        self._there = self._several(events)

    def _several(self, events: Iterable[Event]) -> dict[tuple[str, str], Stored]:
        ids: dict[str, set[str]] = {}
        for event in events:
            ids.setdefault(event.type, set()).add(event.id)
        found = {kind: read.several(self.connection, ACCESS, kind, several) for kind, several in ids.items()}
        return {(kind, each): row for kind, rows in found.items() for each, row in rows.items()}

    def _current(self, kind: str, identity: str) -> Stored | None:
        return self._there.get((kind, identity)) or read.current(self.connection, ACCESS, kind, identity)

    def _version(self, kind: str, identity: str, number: int) -> Stored | None:
        there = self._there.get((kind, identity))
        if there is not None and there.version == number:
            return there
        return read.version(self.connection, ACCESS, kind, identity, number)

    def is_deletion(self, event: Event) -> bool:
        found = self.version(event.type, event.id, event.version)
        return found is not None and found.body is None

    def resource(self, event: Event) -> Resource | None:
        """The resource as the event left it (as it was, where the event is its deletion), of the member that it is
        about now."""
        found = self.version(event.type, event.id, event.version)
        if found is not None and found.body is None:
            found = self.version(event.type, event.id, event.version - 1)
        if not found or not found.body:
            return None
        return filters.of_member(self.connection, json.stored(found.body), self.base)


def resource_at(connection: Connection, event: Event, base: str = "") -> Resource | None:
    """`Versions.resource` of one event."""
    return Versions(connection, base).resource(event)


def is_deletion(connection: Connection, event: Event) -> bool:
    return Versions(connection).is_deletion(event)


class Round(Versions):
    """`now` in microseconds; `look` says who may see an event."""

    def __init__(self, connection: Connection, look: Look, now: int, base: str, events: Iterable[Event] = ()):
        super().__init__(connection, base, events)
        self.look = look.for_a_round() if isinstance(look, Looking) else look
        self.now = now
        self.asked = cache(self._asked)
        self.count = cache(self._count)

    def _asked(self, topic: str) -> Asked:
        return active.of_topic(self.connection, topic, self.base)

    def _count(self, subscription: str) -> Count | None:
        return counters.count_of(self.connection, subscription)

    def panels(self, event: Event, resource: Resource) -> frozenset[str]:
        """Of the Groups that somebody names who asked for the topic, those whose active member it is about."""
        named = self.asked(event.topic).groups
        return filters.panels_of(self.connection, resource, self.now, self.base, named)
