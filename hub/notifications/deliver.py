"""Handshakes and notices: outbox rows become signed POSTs, with retries.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#rest-hook (handshake: 2xx makes the
Subscription active, anything else an error) and Standard Webhooks (2xx is success, 410 stops, anything else is
tried again; the id of a message stays).
Each send asks anew: is the Subscription active, may its owner see this, do the filters still hold. A filter by
panel tells who is a member of a Group: the owner must be allowed to see that, too. A handshake counts such events.
Refuses: addresses that are not fit; nothing of a receiver's answer is kept but its status.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from hub import clock, header_values, outbox
from hub.fhir import json
from hub.notifications import bundles, counters, filters
from hub.notifications.active import ACCESS, understood
from hub.notifications.connections import Refused, Route, Unreachable, post
from hub.notifications.events import HANDSHAKE, NOTICE, Event
from hub.notifications.fan_out import resource_at
from hub.notifications.looking import Look
from hub.notifications.signature import signed
from hub.notifications.subscriptions import Resource, Subscription
from hub.outbox import Dead, Done, Later, Settled, Work
from hub.problems import Problem
from hub.store import merges, read
from hub.store.engine import Database
from hub.transactions import Transactions, single

HANDSHAKE_TRIES = 3
UNSETTLED_SECONDS = 30
GONE = 410
CHANGED = "The Subscription has changed since"
NO_VALUES = "The values of the header lines cannot be read: they changed just now, or the hub's key is another"
NO_PANEL = "The owner may not read Group, which a filter by panel tells of"
SecretOf = Callable[[str], str | None]
# the Subscription, its owner, the event (None: a handshake), before anything leaves (hub.notifications.told)
Tell = Callable[[Subscription, str, Event | None], None]

# what becomes of a notice whose Subscription is not active
NOT_ACTIVE: Mapping[str, type[Done] | type[Dead]] = {"off": Done, "error": Dead}


@dataclass(frozen=True, slots=True)
class Deliveries:
    """`transactions` is the hub's own writer (its validation knows no `issues` of clients); `secret_of` a client's
    webhook secret, `look` what a client may see of an event now (asked of a panel's Group as if it were one's):
    where either raises, nothing is sent until later. `seconds` is the longest wait for a receiver, `header_key`
    opens the values of header lines. `tell` records each send, retries too: nothing leaves where it raises."""

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

    def handlers(self) -> dict[str, outbox.Handler]:
        return {HANDSHAKE: self.handshake, NOTICE: self.notice}

    def handshake(self, work: Work) -> Settled:
        """Ask the endpoint whether it wants notices; the answer decides the Subscription's status."""
        with self.database.read() as connection:
            stored = read.current(connection, ACCESS, "Subscription", work.payload["subscription"])
            asked = understood(stored.body, self.base) if stored else None
            count = counters.count_of(connection, work.payload["subscription"])
        if asked is None or asked.version != work.payload["version"]:
            return Done(CHANGED)
        owner, message = work.payload["owner"], bundles.identity(self.base, f"{work.kind}/{work.key}")
        bundle = bundles.handshake(asked, count.events if count else 0, message, self.base, self._micros())
        failure = (
            self._sent(asked, owner, bundle) if self._may_narrow(asked, owner) else _Failure(NO_PANEL, final=True)
        )
        if failure is None:
            return Done("" if self._became(asked, "active", owner=owner) else CHANGED)
        if work.attempts < HANDSHAKE_TRIES and not failure.final:
            return self._again(work, failure.reason)
        error = f"Handshake failed: {failure.reason}"
        return Done(error if self._became(asked, "error", error) else CHANGED)

    def notice(self, work: Work) -> Settled:
        """Tell one event, unless there is no more reason or right to."""
        event, number = Event.of(work.payload), work.payload["number"]
        merges.look(self.database)
        with self.database.read() as connection:
            told = self._told(connection, work.payload["subscription"], event)
        if not isinstance(told, _Told):
            return told
        seen = self.look(told.owner, event)
        if seen is None or not self._may_narrow(told.asked, told.owner):
            return Done("The owner may not see this (any more)")
        message = bundles.identity(self.base, f"{work.kind}/{work.key}")
        bundle = bundles.notice(told.asked, event, number, seen, message, self.base, self._micros())
        failure = self._sent(told.asked, told.owner, bundle, event)
        if failure is None:
            return Done()
        if failure.status == GONE and self._became(told.asked, "off", failure.reason):
            return Done(failure.reason)
        return self._again(work, failure.reason)

    def _may_narrow(self, asked: Subscription, owner: str) -> bool:
        """Whether the owner may see, now, what its filters tell: whoever is told of a panel's people knows them."""
        panels = [found for found in asked.filters if isinstance(found, filters.Panel)]
        groups = sorted({group for panel in panels for group in panel.groups})
        events = (Event(asked.topic, "Group", group, 0, self._micros()) for group in groups)
        return all(self.look(owner, event) is not None for event in events)

    def _told(self, connection: Connection, name: str, event: Event) -> "_Told | Settled":
        """Whom to tell and what; or what becomes of the notice where nobody is to be told."""
        now = self._micros()
        stored = read.current(connection, ACCESS, "Subscription", name)
        asked = understood(stored.body, self.base) if stored else None
        if asked is None or asked.ended(now):
            return Done("The Subscription is gone or has ended")
        if asked.status in NOT_ACTIVE:
            return NOT_ACTIVE[asked.status](f"The Subscription is in status {asked.status}")
        if asked.status != "active":
            return Later(now + UNSETTLED_SECONDS * outbox.SECOND, "The Subscription waits for its handshake")
        count, focus = counters.count_of(connection, name), resource_at(connection, event, self.base)
        if count is None or focus is None:
            return Dead("The Subscription's owner or the event's version is not known")
        panels = filters.panels_of(connection, focus, now, self.base)
        if asked.topic != event.topic or not filters.holds(asked.filters, focus, panels, self.base):
            return Done("The Subscription's filters do not hold (any more)")
        return _Told(asked, count.owner)

    def _sent(
        self, asked: Subscription, owner: str, bundle: Resource, event: Event | None = None
    ) -> "_Failure | None":
        """POST a Bundle; None where the receiver took it."""
        secret = self.secret_of(owner)
        if secret is None:
            return _Failure("The owner has no webhook secret: no such client, or disabled")
        headers = self._headers(asked)
        if headers is None:
            return _Failure(NO_VALUES)
        body = json.write(bundle)
        headers |= {"Content-Type": asked.payload}
        headers |= signed(secret, bundle["id"], self._micros() // outbox.SECOND, body)
        seconds = min(self.seconds, asked.timeout or self.seconds)
        if self.tell is not None:
            self.tell(asked, owner, event)
        try:
            status = post(asked.endpoint, body, headers, seconds, self.route)
        except Refused as refused:
            return _Failure(str(refused), final=True)
        except Unreachable as unreachable:
            return _Failure(f"No answer: {unreachable}")
        return None if 200 <= status < 300 else _Failure(f"The receiver answered {status}", status=status)

    def _headers(self, asked: Subscription) -> dict[str, str] | None:
        """The header lines with their values; None where these cannot be had."""
        headers = dict(asked.headers)
        marked = [name for name, value in headers.items() if value == header_values.SET]
        if not marked:
            return headers
        with self.database.read() as connection:
            values = header_values.read(connection, self.header_key, asked.id, asked.version, asked.endpoint)
        if not values.keys() >= {name.lower() for name in marked}:
            return None
        return headers | {name: values[name.lower()] for name in marked}

    def _again(self, work: Work, reason: str) -> Settled:
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
class _Told:
    """An active Subscription and its owner."""

    asked: Subscription
    owner: str


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a send did not succeed. `status` is 0 where there was no answer; `final`: no try can be better."""

    reason: str
    status: int = 0
    final: bool = False


def _with_status(resource: dict[str, Any], status: str, error: str) -> dict[str, Any]:
    kept = {name: value for name, value in resource.items() if name != "error"}
    return kept | {"status": status} | ({"error": error} if error else {})
