"""Handshakes, heartbeats and notices: outbox rows become Bundles that leave by the Subscription's channel, with
retries.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html (handshake: what is taken makes the
Subscription active, anything else an error; a websocket needs none) and Standard Webhooks (2xx is success, 410
stops, anything else is tried again; the id of a message stays). What is given up after 72 hours puts the
Subscription in error: its owner asks anew (https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/errors.html).
Each send asks anew: is the Subscription active, may its owner see this, do the filters still hold. A filter by
panel tells who is a member of a Group: the owner must be allowed to see that, too. A handshake counts such events.
A Subscription with max-count is told of several events at once; which these are is part of the message's id.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from hub import clock, outbox
from hub.fhir import json
from hub.notifications import attempts, bundles, counters, filters, mail
from hub.notifications.active import ACCESS, understood
from hub.notifications.attempts import Attempt
from hub.notifications.bundles import Item
from hub.notifications.connections import Route
from hub.notifications.events import HANDSHAKE, HEARTBEAT, NOTICE, Event
from hub.notifications.looking import Look
from hub.notifications.messages import Messages
from hub.notifications.outgoing import Failure, Outgoing, written
from hub.notifications.round import Versions
from hub.notifications.subscriptions import EMAIL, MESSAGE, WEBSOCKET, Resource, Subscription
from hub.notifications.webhooks import SecretOf, Webhooks
from hub.outbox import Along, Dead, Done, Later, Settled, Work
from hub.problems import Problem
from hub.store import merges, read
from hub.store.engine import Database
from hub.transactions import Transactions, single

HANDSHAKE_TRIES = 3
UNSETTLED_SECONDS = 30
GONE = 410
CHANGED = "The Subscription has changed since"
UNSEEN = "The owner may not see this (any more)"
NO_PANEL = "The owner may not read Group, which a filter by panel tells of"
NO_RELAY = "No mail relay is configured"
# the Subscription, its owner, the event (None: none is told), before anything leaves (hub.notifications.told)
Tell = Callable[[Subscription, str, Event | None], None]

# what becomes of a notice whose Subscription is not active
NOT_ACTIVE: Mapping[str, type[Done] | type[Dead]] = {"off": Done, "error": Dead}


@dataclass(frozen=True, slots=True)
class Deliveries:
    """`transactions` is the hub's own writer (its validation knows no `issues` of clients); `secret_of` a client's
    webhook secret, `look` what a client may see of an event now (asked of a panel's Group as if it were one's):
    where either raises, nothing is sent until later. `seconds` is the longest wait for a receiver, `header_key`
    opens the values of header lines. `tell` records each send, retries too: nothing leaves where it raises. `relay`
    takes mail, `messages` makes those of their channel. What a handler returns writes the delivery log when it is
    settled."""

    database: Database
    transactions: Transactions
    secret_of: SecretOf
    look: Look
    base: str
    seconds: float
    route: Route
    now: clock.Clock = clock.now
    chance: Callable[[], float] = field(default=random.random)
    header_key: bytes = b""
    tell: Tell | None = None
    relay: mail.Relay | None = None
    messages: Messages | None = None

    def handlers(self) -> dict[str, outbox.Handler]:
        return {HANDSHAKE: self.handshake, NOTICE: self.notice, HEARTBEAT: self.heartbeat}

    def handshake(self, work: Work) -> Settled:
        """Ask the endpoint whether it wants notices; the answer decides the Subscription's status."""
        asked, events = self._current(work)
        if asked is None or asked.version != work.payload["version"]:
            return Done(CHANGED)
        owner = work.payload["owner"]
        tried = self._greeted(work, asked, owner, events)
        failure = tried.failure
        if failure is None:
            return Done("" if self._became(asked, "active", owner=owner) else CHANGED, along=tried.log)
        if work.attempts < HANDSHAKE_TRIES and not failure.final:
            return replace(self._again(work, failure.reason), along=tried.log)
        error = f"Handshake failed: {failure.reason}"
        return Done(error if self._became(asked, "error", error) else CHANGED, along=tried.log)

    def _greeted(self, work: Work, asked: Subscription, owner: str, events: int) -> "_Tried":
        if not self._may_narrow(asked, owner):
            return _Tried(Failure(NO_PANEL, final=True))
        if asked.channel in (WEBSOCKET, MESSAGE):  # who binds it has shown a token; a message greets nobody
            return _Tried(None)
        message = bundles.identity(self.base, f"{work.kind}/{work.key}")
        bundle = bundles.greeting(asked, bundles.HANDSHAKE, events, message, self.base, self._micros())
        return self._sent(asked, owner, HANDSHAKE, bundle)

    def heartbeat(self, work: Work) -> Settled:
        """Say that the hub is there; what is not taken is not tried again, the next one comes."""
        asked, events = self._current(work)
        owner = self._owner(work.payload["subscription"])
        if asked is None or asked.status != "active" or not owner or not self._may_narrow(asked, owner):
            return Done(CHANGED)
        message = bundles.identity(self.base, f"{work.kind}/{work.key}")
        bundle = bundles.greeting(asked, bundles.HEARTBEAT, events, message, self.base, self._micros())
        tried = self._sent(asked, owner, HEARTBEAT, bundle)
        return Done(tried.failure.reason if tried.failure else "", along=tried.log)

    def notice(self, work: Work) -> Settled:
        """Tell one event, or several, unless there is no more reason or right to."""
        merges.look(self.database)
        ready = self._ready(work)
        if not isinstance(ready, _Ready):
            return ready
        asked, owner = ready.asked, ready.owner
        more, passed = self._behind(work, asked) if asked.most > 1 else ([], [])
        items = [ready.item, *more]
        key = f"{work.key}-{items[-1].number}" if more else work.key
        message = bundles.identity(self.base, f"{work.kind}/{key}")
        bundle = bundles.notice(asked, items, message, self.base, self._micros())
        if asked.channel == MESSAGE:
            bundle, items = self.messages(asked, owner, ready.item, message) if self.messages else ({}, [])
        if not items:
            return Done(UNSEEN)
        tried = self._sent(asked, owner, NOTICE, bundle, items)
        failure = tried.failure
        if failure is None:
            return Done(passed=passed, along=tried.log)
        if failure.status == GONE and self._became(asked, "off", failure.reason):
            return Done(failure.reason, along=tried.log)
        settled = self._again(work, failure.reason)
        if isinstance(settled, Dead):
            self._became(asked, "error", settled.reason)
        return replace(settled, along=tried.log)

    def _current(self, work: Work) -> tuple[Subscription | None, int]:
        """The Subscription as it is, and how many events it has had."""
        name = work.payload["subscription"]
        with self.database.read() as connection:
            stored = read.current(connection, ACCESS, "Subscription", name)
            count = counters.count_of(connection, name)
        return (understood(stored.body, self.base) if stored else None), count.events if count else 0

    def _owner(self, name: str) -> str:
        with self.database.read() as connection:
            count = counters.count_of(connection, name)
        return count.owner if count else ""

    def _behind(self, work: Work, asked: Subscription) -> tuple[list[Item], list[tuple[Work, str]]]:
        """What may be told in the same notice, and the rows that this settles, with what becomes of them."""
        with self.database.read() as connection:
            waiting = outbox.behind(connection, work, asked.most - 1)
        items: list[Item] = []
        passed: list[tuple[Work, str]] = []
        for one in waiting:
            try:
                ready = self._ready(one)
            except Exception:  # it will say so when it is the first of its line
                break
            if isinstance(ready, _Ready) and ready.asked.version == asked.version:
                items.append(ready.item)
                passed.append((one, ""))
            elif isinstance(ready, Done):
                passed.append((one, ready.reason))
            else:
                break
        return items, passed

    def _ready(self, work: Work) -> "_Ready | Settled":
        """Whom to tell and what, as they may see it; or what becomes of the notice where nobody is to be told."""
        event = Event.of(work.payload)
        with self.database.read() as connection:
            versions = Versions(connection, self.base)
            told = self._told(versions, work.payload["subscription"], event)
            deleted = isinstance(told, tuple) and versions.is_deletion(event)
        if not isinstance(told, tuple):
            return told
        asked, owner = told
        shown = self.look(owner, event)
        if shown is None or not self._may_narrow(asked, owner) or not self._holds_shown(asked, shown):
            return Done(UNSEEN)
        return _Ready(asked, owner, Item(event, work.payload["number"], shown, deleted))

    def _holds_shown(self, asked: Subscription, shown: Resource) -> bool:
        with self.database.read() as connection:
            return filters.holds_shown(connection, asked.filters, shown, self.base)

    def _may_narrow(self, asked: Subscription, owner: str) -> bool:
        """Whether the owner may see, now, what its filters tell: whoever is told of a panel's people knows them."""
        panels = [found for found in asked.filters if isinstance(found, filters.Panel)]
        groups = sorted({group for panel in panels for group in panel.groups})
        events = (Event(asked.topic, "Group", group, 0, self._micros()) for group in groups)
        return all(self.look(owner, event) is not None for event in events)

    def _told(self, versions: Versions, name: str, event: Event) -> tuple[Subscription, str] | Settled:
        """An active Subscription that wants the event, and its owner; or what becomes of the notice."""
        connection, now = versions.connection, self._micros()
        stored = read.current(connection, ACCESS, "Subscription", name)
        asked = understood(stored.body, self.base) if stored else None
        if asked is None or asked.ended(now):
            return Done("The Subscription is gone or has ended")
        if asked.status in NOT_ACTIVE:
            return NOT_ACTIVE[asked.status](f"The Subscription is in status {asked.status}")
        if asked.status != "active":
            return Later(now + UNSETTLED_SECONDS * outbox.SECOND, "The Subscription waits for its handshake")
        count, focus = counters.count_of(connection, name), versions.resource(event)
        if count is None or focus is None:
            return Dead("The Subscription's owner or the event's version is not known")
        panels = filters.panels_of(connection, focus, now, self.base, filters.named(asked.filters))
        if asked.topic != event.topic or not filters.holds(asked.filters, focus, panels, self.base):
            return Done("The Subscription's filters do not hold (any more)")
        return asked, count.owner

    def _sent(
        self, asked: Subscription, owner: str, kind: str, bundle: Resource, items: Sequence[Item] = ()
    ) -> "_Tried":
        """Send a Bundle by the Subscription's channel."""
        made = Outgoing(asked, kind, bundle["id"], written(asked, bundle))
        failure = self._through(made, owner, items)
        numbers = [item.number for item in items] or [0]
        outcome = attempts.FAILED if failure else attempts.SENT
        more = (failure.status, failure.reason) if failure else ()
        attempt = Attempt(asked.id, kind, numbers[0], numbers[-1], self._micros(), outcome, *more)
        return _Tried(failure, lambda connection: attempts.write(connection, attempt))

    def _through(self, made: Outgoing, owner: str, items: Sequence[Item]) -> Failure | None:
        webhooks = Webhooks(self.database, self.secret_of, self.seconds, self.route, self.now, self.header_key)
        prepared = webhooks.prepared(made.asked, owner)
        if isinstance(prepared, Failure):
            return prepared
        if made.asked.channel == EMAIL and self.relay is None:
            return Failure(NO_RELAY)
        told: list[Event | None] = [event for item in items for event in item.told]
        for event in told or [None]:
            if self.tell is not None:
                self.tell(made.asked, owner, event)
        if made.asked.channel == EMAIL and self.relay is not None:
            return mail.send(self.relay, made, self.seconds)
        return webhooks.send(made, *prepared)

    def _again(self, work: Work, reason: str) -> Later | Dead:
        wait = outbox.retry_after(work.attempts)
        if wait is None:
            return Dead(f"Given up after {work.attempts} tries: {reason}")
        return Later(self._micros() + outbox.spread(wait, self.chance()) // clock.MICROSECOND, reason)

    def _became(self, asked: Subscription, status: str, error: str = "", owner: str = "") -> bool:
        """Write the Subscription's new status, and its owner in the same transaction. False, and nothing is
        written, where the Subscription has changed since it was asked."""
        with self.database.read() as connection:
            stored = read.current(connection, ACCESS, "Subscription", asked.id)
        if stored is None or stored.body is None:
            return False
        resource = _with_status(json.stored(stored.body), status, error)
        entry = single("PUT", "Subscription", id=asked.id, resource=resource, if_match=asked.version)

        def owned(connection: Connection) -> None:
            if owner:
                counters.own(connection, asked.id, owner)

        try:
            self.transactions.commit([entry], ACCESS, owned)
        except Problem as problem:
            if problem.kind != "precondition":
                raise
            return False
        return True

    def _micros(self) -> int:
        return clock.micros(self.now())


@dataclass(frozen=True, slots=True)
class _Tried:
    """A try to send: why it failed, None where it was taken; and what writes it to the delivery log."""

    failure: Failure | None
    log: Along | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A notice that may leave: an active Subscription, its owner, and what it tells."""

    asked: Subscription
    owner: str
    item: Item


def _with_status(resource: dict[str, Any], status: str, error: str) -> dict[str, Any]:
    kept = {name: value for name, value in resource.items() if name != "error"}
    return kept | {"status": status} | ({"error": error} if error else {})
