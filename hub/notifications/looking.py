"""What the owner of a Subscription may see of an event, now: asked before an event is counted for it, and before
each send and each retry.

Rules: docs/access.md. The same predicate as for a read: a panel that ended, a consent that was revoked, a scope
that was cut or a client that was disabled ends notices, too, also those that wait. What leaves is shaped and
labelled as a read would be (hub.leaving).
Refuses (None): whoever is not known, and whatever is not there for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hub.access import Access
from hub.fhir import json
from hub.leaving import one
from hub.notifications.events import Event
from hub.notifications.subscriptions import Resource
from hub.store import read
from hub.store.engine import Database

# the client that owns a Subscription, the event → the resource as the event left it and the client may see it
Look = Callable[[str, Event], Resource | None]


@dataclass(frozen=True, slots=True)
class Looking:
    """A Look that asks the store. `access_of` is a client's access now, None for nobody; an event of version 0 is
    about the resource as it is."""

    database: Database
    access_of: Callable[[str], Access | None]
    base: str

    def __call__(self, owner: str, event: Event) -> Resource | None:
        access = self.access_of(owner)
        if access is None or not access.may("read", event.type):
            return None
        with self.database.read() as connection:
            if event.version:
                found = read.version(connection, access, event.type, event.id, event.version)
            else:
                found = read.current(connection, access, event.type, event.id)
            left = one(connection, access, found, self.base) if found and found.body else None
        return json.stored(left.body) if left and left.body else None
