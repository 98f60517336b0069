"""One event, many Subscriptions: finds who is to be told, and writes a numbered notice for each, all or none.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html
What a Subscription narrows by is asked of the resource as the event left it, and of the panels as they are now.
Ceiling: reads every active Subscription of the topic for each event; some thousands are fine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from hub import clock, outbox
from hub.access import Access
from hub.fhir import json
from hub.notifications import counters, filters
from hub.notifications.events import NOTICE, Event
from hub.notifications.looking import Look
from hub.notifications.subscriptions import Resource, Subscription, subscription
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database

PAGE = 500
ACCESS = Access.system("notifications")


class LeaseLost(Exception):
    """Another worker has this event by now; its transaction counts, ours is undone."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """The worker's handler for `event` rows. `look` says who may see an event: for nobody else it is counted, for a
    number tells that something happened. `base` is the hub's own FHIR base URL."""

    database: Database
    look: Look
    base: str = ""
    now: clock.Clock = clock.now

    def __call__(self, work: outbox.Work) -> outbox.Settled:
        return fan_out(self.database, self.look, work, clock.micros(self.now()), self.base)


def fan_out(database: Database, look: Look, work: outbox.Work, now: int, base: str = "") -> outbox.Settled:
    """Write the notices of one event, and settle it in the same transaction. Raises LeaseLost."""
    event = Event.of(work.payload)
    with database.read() as connection:
        resource = resource_at(connection, event)
        wanted = sorted(_told(connection, event, resource, now, base)) if resource is not None else []
        owners = {name: counters.count_of(connection, name) for name in wanted}
    told = [name for name, count in owners.items() if count is None or look(count.owner, event) is not None]

    def write(connection: Connection) -> str:
        numbered = [(name, counters.next_number(connection, name)) for name in told]
        outbox.add(connection, [_notice(name, number, event, now) for name, number in numbered if number])
        reason = _reason(resource, [number for _, number in numbered])
        if not outbox.done(connection, work, reason):
            raise LeaseLost
        return reason

    return outbox.Done(database.writing(write))


def _reason(resource: Resource | None, numbers: Sequence[int | None]) -> str:
    if resource is None:
        return "The version of this event is not there"
    orphans = numbers.count(None)
    return f"{orphans} active Subscriptions have no known owner" if orphans else ""


def _notice(name: str, number: int, event: Event, now: int) -> dict[str, object]:
    payload = {"subscription": name, "number": number, **event.payload()}
    return outbox.row(NOTICE, f"{name}|{number}", payload, now, name)


def resource_at(connection: Connection, event: Event) -> Resource | None:
    """The resource as the event left it."""
    found = read.version(connection, ACCESS, event.type, event.id, event.version)
    return json.stored(found.body) if found and found.body else None


def _told(connection: Connection, event: Event, resource: Resource, now: int, base: str) -> Iterator[str]:
    """Ids of the active Subscriptions that want this event."""
    panels = filters.panels_of(connection, resource, now, base)
    for asked in _active(connection, event.topic, base):
        if not asked.ended(now) and filters.holds(asked.filters, resource, panels, base):
            yield asked.id


def _active(connection: Connection, topic: str, base: str) -> Iterator[Subscription]:
    query = parse("Subscription", [("status", "active"), ("criteria", topic)], Limits(base=base))
    after: list[int] = []
    while found := read.page(connection, ACCESS, query, after, PAGE):
        for row in found:
            asked = understood(row.body, base)
            if asked is not None and asked.topic == topic:  # a string search finds longer texts, too
                yield asked
        after = read.position(found[-1])


def understood(body: bytes | None, base: str) -> Subscription | None:
    """A stored Subscription; None for one that is deleted or that this release does not understand (an earlier
    one may have taken it): nobody is told anything by guesswork."""
    if body is None:
        return None
    try:
        return subscription(json.stored(body), base)
    except Problem:
        return None
