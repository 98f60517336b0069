"""One event, many Subscriptions: finds who is to be told, and writes a numbered notice for each, all or none.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html
What a Subscription narrows by is asked of the resource as the event left it, and of the panels as they are now.
What another sender told already is told to those only who might not see what that one sent (hub.notifications.
happenings): who came to a panel since hears nothing of before.
Ceiling: reads every active Subscription of the topic for each event; some thousands are fine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from hub import clock, outbox
from hub.fhir import json
from hub.notifications import active, counters, filters, happenings
from hub.notifications.active import ACCESS
from hub.notifications.events import NOTICE, Event
from hub.notifications.happenings import Told, ToldMeanwhile
from hub.notifications.looking import Look
from hub.notifications.subscriptions import Resource
from hub.search.values import references
from hub.store import merges, read
from hub.store.engine import Database

TRIES = 5
SAME_MINUTES = 5


class LeaseLost(Exception):
    """Another worker has this event by now; its transaction counts, ours is undone."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """The worker's handler for `event` rows. `look` says who may see an event: for nobody else it is counted, for a
    number tells that something happened. `base` is the hub's own FHIR base URL; `same_minutes`: how far apart two
    senders may say that one thing happened."""

    database: Database
    look: Look
    base: str = ""
    now: clock.Clock = clock.now
    same_minutes: int = SAME_MINUTES

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        return fan_out(self.database, self.look, work, clock.micros(self.now()), self.base, self.same_minutes)


def fan_out(
    database: Database, look: Look, work: outbox.Work, now: int, base: str = "", minutes: int = SAME_MINUTES
) -> outbox.Outcome:
    """Write the notices of one event, and settle it in the same transaction. Of a topic that nobody asks for
    nothing is kept. Raises LeaseLost."""
    event = Event.of(work.payload)
    if not database.reading(lambda connection: active.of_topic(connection, event.topic, base)):
        return outbox.Done()
    merges.look(database)
    for _ in range(TRIES):
        with database.read() as connection:
            found = _found(connection, look, event, now, base, minutes)
        try:
            database.writing(partial(_write, found, work, event, now, minutes))
        except ToldMeanwhile:
            continue
        return outbox.Ended()
    raise ToldMeanwhile


@dataclass(frozen=True, slots=True)
class _Found:
    """`told` are the Subscriptions whose owners may know of it, `said` what the event says of what happened, and
    `others` what other senders said of that before. `is_there`: the version of the event is."""

    told: Sequence[str] = ()
    said: Told | None = None
    others: Sequence[Told] = ()
    is_there: bool = True


def _found(connection: Connection, look: Look, event: Event, now: int, base: str, minutes: int) -> _Found:
    resource = resource_at(connection, event, base)
    if resource is None:
        return _Found(is_there=False)
    said, *others = _said(connection, event, resource, base, minutes)
    told = _may_know(connection, look, event, resource, now, base)
    for other in others:
        earlier = replace(event, id=other.id, version=other.version, at=other.at)
        content = resource_at(connection, earlier, base)
        if content is not None and told:
            told = sorted(set(told) - set(_may_know(connection, look, earlier, content, now, base)))
    return _Found(told, said, others)


def _said(connection: Connection, event: Event, resource: Resource, base: str, minutes: int) -> list[Told]:
    """What the event says of what happened, and what others said of that."""
    before = resource_at(connection, replace(event, version=event.version - 1)) if event.version > 1 else None
    names = [*happenings.facilities(resource, base), *_npis(connection, resource, base)]
    said = happenings.begins(event, before, resource, names, filters.member(resource, base))
    return happenings.copies(connection, said, minutes) or [said]


def _npis(connection: Connection, resource: Resource, base: str) -> Iterator[str]:
    """Of the Organization that provided the service."""
    for kind, identity in references(resource.get("serviceProvider"), base):
        found = read.current(connection, ACCESS, kind, identity) if kind == "Organization" else None
        if found and found.body:
            yield from happenings.npis(json.stored(found.body))


def _may_know(
    connection: Connection, look: Look, event: Event, resource: Resource, now: int, base: str
) -> Sequence[str]:
    """The Subscriptions that want the event, and whose owners may see it. One whose owner is not known is among
    them, so that it is named."""
    wanted = sorted(_told(connection, event, resource, now, base))
    owners = {name: counters.count_of(connection, name) for name in wanted}
    return [name for name, count in owners.items() if count is None or look(count.owner, event) is not None]


def _write(found: _Found, work: outbox.Work, event: Event, now: int, minutes: int, connection: Connection) -> None:
    """Raises LeaseLost, ToldMeanwhile."""
    happening, known = happenings.NOWHERE, set[str]()
    if found.said is not None:
        expected = {found.said.happening} - {happenings.NOWHERE}
        happening = happenings.join(connection, found.said, expected, minutes)
        known = happenings.have_notice(connection, happening)
    told = [name for name in found.told if name not in known]
    numbered = [(name, counters.next_number(connection, name)) for name in told]
    outbox.add(connection, [_notice(name, number, event, now) for name, number in numbered if number])
    happenings.keep(connection, happening, [name for name, number in numbered if number])
    if not outbox.done(connection, work, _reason(found, [number for _, number in numbered])):
        raise LeaseLost


def _reason(found: _Found, numbers: Sequence[int | None]) -> str:
    if not found.is_there:
        return "The version of this event is not there"
    if orphans := numbers.count(None):
        return f"{orphans} active Subscriptions have no known owner"
    return "Another sender told of this before" if found.others else ""


def _notice(name: str, number: int, event: Event, now: int) -> dict[str, object]:
    payload = {"subscription": name, "number": number, **event.payload()}
    return outbox.row(NOTICE, f"{name}|{number}", payload, now, name)


def resource_at(connection: Connection, event: Event, base: str = "") -> Resource | None:
    """The resource as the event left it, of the member that its subject is now."""
    found = read.version(connection, ACCESS, event.type, event.id, event.version)
    return filters.of_member(connection, json.stored(found.body), base) if found and found.body else None


def _told(connection: Connection, event: Event, resource: Resource, now: int, base: str) -> Iterator[str]:
    """Ids of the active Subscriptions that want this event."""
    panels = filters.panels_of(connection, resource, now, base)
    for asked in active.of_topic(connection, event.topic, base):
        if not asked.ended(now) and filters.holds(asked.filters, resource, panels, base):
            yield asked.id
