"""What the owner of a Subscription may see of an event, now: asked before an event is counted for it, and before
each send and each retry.

Rules: docs/access.md. The same predicate as for a read: a panel that ended, a consent that was revoked, a scope
that was cut or a client that was disabled ends notices, too, also those that wait. What leaves is shaped and
labelled as a read would be (hub.leaving). Who is shown a part of a resource is told of changes of that part alone.
Refuses (None): whoever is not known, and whatever is not there for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.leaving import one
from hub.notifications import ends
from hub.notifications.events import Event
from hub.notifications.subscriptions import Resource
from hub.notifications.topics import CONSENT_REVOKED, TOPICS
from hub.store import read
from hub.store.engine import Database
from hub.store.listed import labels_if_there
from hub.store.read import Stored

# the client that owns a Subscription, the event → the resource as the event left it and the client may see it
Look = Callable[[str, Event], Resource | None]


@dataclass(frozen=True, slots=True)
class Looking:
    """A Look that asks the store. `access_of` is a client's access now, None for nobody; an event of version 0 asks
    whether the resource as it is may be seen: of what stands in it nothing is told."""

    database: Database
    access_of: Callable[[str], Access | None]
    base: str

    def __call__(self, owner: str, event: Event) -> Resource | None:
        access = self.access_of(owner)
        if access is None:
            return None
        with self.database.read() as connection:
            if not event.version and _is_there(connection, access, event):
                return {}
            left = told(connection, access, event, self.base)
        return json.stored(left.body) if left and left.body else None

    def for_a_round(self) -> "Looking":
        """For what is looked at at one time: what a client may see is asked once."""
        return replace(self, access_of=cache(self.access_of))


def _is_there(connection: Connection, access: Access, event: Event) -> bool:
    """Surely; what has labels may want a consent (hub.leaving). The thousands in a panel are not read for this."""
    if not access.may("read", event.type):
        return False
    return labels_if_there(connection, access.sight, event.type, event.id) == 0


def told(connection: Connection, access: Access, event: Event, base: str) -> Stored | None:
    """What this access may be told of an event: what it may see, and the end of a Consent that it saw by itself."""
    left = seen(connection, access, event, base)
    if left is not None:
        return left
    anew = ends.for_its_end(connection, access, event, base)
    return seen(connection, anew, event, base) if anew else None


def seen(connection: Connection, access: Access, event: Event, base: str) -> Stored | None:
    """The resource as the event left it (as it was, where the event is its deletion) and as this access may see it
    now."""
    if not access.may("read", event.type):
        return None
    found = _at(connection, access, event)
    if found is not None and found.body is None and event.version > 1:
        found = read.version(connection, access, event.type, event.id, event.version - 1)
    return one(connection, access, found, base) if found and found.body else None


def _at(connection: Connection, access: Access, event: Event) -> Stored | None:
    if event.version:
        return read.version(connection, access, event.type, event.id, event.version)
    return read.current(connection, access, event.type, event.id)


def is_shown(look: Look, owner: str, event: Event, before: Resource | None, now: Resource, shown: Resource) -> bool:
    """Whether what the owner is `shown` of the resource tells the event: who is shown a part of it must not learn
    that something else of it changed. `before` and `now` are whole; both are one where the event is a deletion."""
    if _is_whole(now, shown) and (before is None or before.keys() <= now.keys()):
        return True
    trigger = TOPICS[event.topic].trigger
    if event.topic == CONSENT_REVOKED and before is not now:  # its status alone tells the event
        return trigger(before, shown)
    if before is now:
        return trigger(shown, None)
    earlier = look(owner, replace(event, version=event.version - 1)) if before is not None else None
    if before is not None and (earlier is None or _said(earlier) == _said(shown)):
        return False
    return trigger(earlier, shown)


def _is_whole(now: Resource, shown: Resource) -> bool:
    return now.keys() <= shown.keys() and now.get("meta", {}).keys() <= shown.get("meta", {}).keys()


def _said(resource: Resource) -> dict[str, Any]:
    """Without what each version has of its own."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name == "profile"}
    return {**resource, "meta": meta}
