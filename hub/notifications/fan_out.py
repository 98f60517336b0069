"""One event, many Subscriptions: finds who is to be told, and writes a numbered notice for each, all or none.
Several events share a look and a commit (`FanOut.together`); where that fails, each is done alone.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html
What a Subscription narrows by is asked of the resource as the event left it, and of the panels as they are now.
What another sender told already is told to those only who might not see what that one sent (hub.notifications.
happenings): who came to a panel since hears nothing of before.
Which Subscriptions are looked at for an event, hub.notifications.matching says.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from hub import clock, outbox, traced
from hub.fhir import json
from hub.notifications import counters, filters, happenings
from hub.notifications.events import NOTICE, Event
from hub.notifications.happenings import Told, ToldMeanwhile
from hub.notifications.kept import keep
from hub.notifications.looking import Look, is_shown
from hub.notifications.round import Round
from hub.notifications.subscriptions import Resource, Subscription
from hub.search.values import references
from hub.store import merges
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

    def together(self, works: Sequence[outbox.Work]) -> list[outbox.Outcome]:
        """For all or none. Raises LeaseLost; ToldMeanwhile, also where two of them tell of one happening."""
        return _told(self.database, self.look, works, clock.micros(self.now()), self.base, self.same_minutes)


def fan_out(
    database: Database, look: Look, work: outbox.Work, now: int, base: str = "", minutes: int = SAME_MINUTES
) -> outbox.Outcome:
    """Write the notices of one event, and settle it in the same transaction. Of a topic that nobody asks for
    nothing is kept. Raises LeaseLost."""
    for _ in range(TRIES):
        try:
            (outcome,) = _told(database, look, [work], now, base, minutes)
        except ToldMeanwhile:
            continue
        return outcome
    raise ToldMeanwhile


def _told(
    database: Database, look: Look, works: Sequence[outbox.Work], now: int, base: str, minutes: int
) -> list[outbox.Outcome]:
    """Raises LeaseLost, ToldMeanwhile."""
    merges.look(database)
    events = [(work, Event.of(work.payload)) for work in works]
    with database.read() as connection:
        topics = Round(connection, look, now, base)
        asked = [(work, event) for work, event in events if topics.asked(event.topic)]
        this = Round(connection, look, now, base, [event for _, event in asked])
        found = [(work, _found(this, event, minutes)) for work, event in asked]
    if found:
        database.writing(partial(_write, found, now, minutes))
    written = {work.seq for work, _ in asked}
    return [outbox.Ended() if work.seq in written else outbox.Done() for work in works]


@dataclass(frozen=True, slots=True)
class _Found:
    """`told` are the Subscriptions whose owners may know of it, `said` what the event says of what happened, and
    `others` what other senders said of that before. `is_there`: the version of the event is. `silent` are those for
    whom it is counted and kept, and not sent: they are in error, or bound by a websocket."""

    event: Event
    told: Sequence[str] = ()
    said: Told | None = None
    others: Sequence[Told] = ()
    is_there: bool = True
    silent: frozenset[str] = frozenset()


def _found(this: Round, event: Event, minutes: int) -> _Found:
    resource = this.resource(event)
    if resource is None:
        return _Found(event, is_there=False)
    said, *others = _said(this, event, resource, minutes)
    told = _may_know(this, event, resource)
    for other in others:
        earlier = replace(event, id=other.id, version=other.version, at=other.at)
        content = this.resource(earlier)
        if content is not None and told:
            told = sorted(set(told) - set(_may_know(this, earlier, content)))
    silent = frozenset(told) & this.asked(event.topic).silent
    return _Found(event, told, said, others, silent=silent)


def _said(this: Round, event: Event, resource: Resource, minutes: int) -> list[Told]:
    """What the event says of what happened, and what others said of that."""
    before = this.resource(replace(event, version=event.version - 1)) if event.version > 1 else None
    names = [*happenings.facilities(resource, this.base), *_npis(this, resource)]
    said = happenings.begins(event, before, resource, names, filters.member(resource, this.base))
    return happenings.copies(this.connection, said, minutes) or [said]


def _npis(this: Round, resource: Resource) -> Iterator[str]:
    """Of the Organization that provided the service."""
    for kind, identity in references(resource.get("serviceProvider"), this.base):
        found = this.current(kind, identity) if kind == "Organization" else None
        if found and found.body:
            yield from happenings.npis(json.stored(found.body))


def _may_know(this: Round, event: Event, resource: Resource) -> Sequence[str]:
    """The Subscriptions that want the event, and whose owners may see it. One whose owner is not known is among
    them, so that it is named."""
    wanted = _wanted(this, event, resource)
    if not wanted:
        return []
    before = _before(this, event, resource)

    def may(asked: Subscription, owner: str) -> bool:
        shown = this.look(owner, event)
        if shown is None or not is_shown(this.look, owner, event, before, resource, shown):
            return False
        return filters.holds_shown(this.connection, asked.filters, shown, this.base)

    found = [(asked, this.count(asked.id)) for asked in wanted]
    return [asked.id for asked, count in found if (may(asked, count.owner) if count else asked.status == "active")]


def _before(this: Round, event: Event, resource: Resource) -> Resource | None:
    """What stood there before: of a deletion this content, of a creation nothing."""
    if event.version <= 1:
        return None
    return resource if this.is_deletion(event) else this.resource(replace(event, version=event.version - 1))


def _wanted(this: Round, event: Event, resource: Resource) -> list[Subscription]:
    """The active Subscriptions that want this event, by id."""
    panels = this.panels(event, resource)
    found = this.asked(event.topic).candidates(resource, panels, this.base)
    several = (found[name] for name in sorted(found) if not found[name].ended(this.now))
    return [one for one in several if filters.holds(one.filters, resource, panels, this.base)]


def _write(several: Sequence[tuple[outbox.Work, _Found]], now: int, minutes: int, connection: Connection) -> None:
    """Raises LeaseLost, ToldMeanwhile."""
    happenings.take_turns(connection, (found.said for _, found in several if found.said))
    told = [_joined(connection, found, minutes) for _, found in several]
    numbers = counters.next_numbers(connection, Counter(name for _, names in told for name in names))
    notices, kept, counted, ended = [], [], [], []
    for (work, found), (happening, names) in zip(several, told, strict=True):
        for name in names:
            if name in numbers:
                if name not in found.silent:
                    notices.append(_notice(name, numbers[name], found.event, now, work))
                kept.append((happening, name))
                counted.append((name, numbers[name], found.event))
                numbers[name] += 1
        ended.append((work, _reason(found, sum(name not in numbers for name in names))))
    outbox.add(connection, notices)
    happenings.keep(connection, kept)
    keep(connection, counted)
    if not outbox.done_together(connection, ended):
        raise LeaseLost


def _joined(connection: Connection, found: _Found, minutes: int) -> tuple[int, Sequence[str]]:
    """The happening, and who has no notice of it yet. Raises ToldMeanwhile."""
    if found.said is None:
        return happenings.NOWHERE, found.told
    expected = {found.said.happening} - {happenings.NOWHERE}
    happening = happenings.join(connection, found.said, expected, minutes)
    known = happenings.have_notice(connection, happening) if expected else ()
    return happening, [name for name in found.told if name not in known]


def _reason(found: _Found, orphans: int) -> str:
    if not found.is_there:
        return "The version of this event is not there"
    if orphans:
        return f"{orphans} active Subscriptions have no known owner"
    return "Another sender told of this before" if found.others else ""


def _notice(name: str, number: int, event: Event, now: int, work: outbox.Work) -> dict[str, object]:
    payload = {"subscription": name, "number": number, **event.payload(), **traced.along(work)}
    return outbox.row(NOTICE, f"{name}|{number}", payload, now, name)
