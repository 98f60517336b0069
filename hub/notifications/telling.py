"""What a bound websocket is sent: handshakes, then notices and heartbeats, each as its client may see it now.

Rules: hub.notifications.sockets. A Subscription that is not active any more, has another owner or another channel,
is told nothing more; where none is left, the websocket ends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from hub import clock, outbox
from hub.access import Access
from hub.notifications import attempts, bundles, counters, filters, kept
from hub.notifications.active import ACCESS, understood
from hub.notifications.attempts import Attempt
from hub.notifications.binding import Bound
from hub.notifications.bundles import Item
from hub.notifications.events import HANDSHAKE, HEARTBEAT, NOTICE, Event
from hub.notifications.kept import Kept
from hub.notifications.looking import Look
from hub.notifications.outgoing import written
from hub.notifications.round import is_deletion, resource_at
from hub.notifications.subscriptions import WEBSOCKET, Resource, Subscription
from hub.store import merges, read
from hub.store.engine import Database

MOST = 50  # events of a Subscription at one look
Tell = Callable[[Subscription, str, Event | None], None]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a Subscription was told: its last number, and when something was sent (microseconds)."""

    number: int
    at: int


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be sent, in order, and how far that is."""

    places: Mapping[str, Place]
    bodies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """A Bundle to send, and what the delivery log says of it."""

    body: str
    tried: Attempt


@dataclass(frozen=True, slots=True)
class Teller:
    """`look` says what a client may see, `access_of` who it is now; `tell` records what leaves, before it does."""

    database: Database
    look: Look
    access_of: Callable[[str], Access | None]
    base: str
    tell: Tell | None = None
    now: clock.Clock = clock.now
    most: int = field(default=MOST)

    def begin(self, bound: Bound) -> Said:
        """A handshake for each Subscription that can be told."""
        places: dict[str, Place] = {}
        made: list[_Written] = []
        for name in bound.subscriptions:
            asked, events = self._asked(bound, name)
            if asked is not None:
                made.append(self._greeting(asked, bound, bundles.HANDSHAKE, events))
                places[name] = Place(events, self._micros())
        return self._logged(places, made)

    def newest(self, subscriptions: Sequence[str]) -> Mapping[str, int]:
        """By Subscription the number of its last event; one without any is not there."""
        with self.database.read() as connection:
            return kept.newest(connection, subscriptions)

    def follow(self, bound: Bound, places: Mapping[str, Place]) -> Said:
        """What came since."""
        newest, now = self.newest(list(places)), self._micros()
        left: dict[str, Place] = {}
        made: list[_Written] = []
        for name, place in places.items():
            asked, events = self._asked(bound, name)
            if asked is None:
                continue
            left[name] = place
            if newest.get(name, 0) > place.number:
                several, left[name] = self._notices(asked, bound.client, place)
                made += several
            elif asked.heartbeat and now - place.at >= asked.heartbeat * outbox.SECOND:
                made.append(self._greeting(asked, bound, bundles.HEARTBEAT, events))
                left[name] = replace(place, at=now)
        return self._logged(left, made)

    def _logged(self, places: Mapping[str, Place], made: Sequence[_Written]) -> Said:
        """Before it is sent: nobody knows what a websocket took."""
        if made:
            self.database.writing(lambda connection: attempts.write(connection, *(one.tried for one in made)))
        return Said(places, [one.body for one in made])

    def _asked(self, bound: Bound, name: str) -> tuple[Subscription | None, int]:
        """The Subscription, if it is to be told now, and how many events it has had."""
        with self.database.read() as connection:
            stored = read.current(connection, ACCESS, "Subscription", name)
            count = counters.count_of(connection, name)
        asked = understood(stored.body, self.base) if stored else None
        if asked is None or count is None or count.owner != bound.client or self.access_of(bound.client) is None:
            return None, 0
        is_told = asked.channel == WEBSOCKET and asked.status == "active" and not asked.ended(self._micros())
        return (asked if is_told and self._may_narrow(asked, bound.client) else None), count.events

    def _may_narrow(self, asked: Subscription, client: str) -> bool:
        groups = sorted(filters.named(asked.filters))
        about = (Event(asked.topic, "Group", group, 0, self._micros()) for group in groups)
        return all(self.look(client, event) is not None for event in about)

    def _notices(self, asked: Subscription, client: str, place: Place) -> tuple[Sequence[_Written], Place]:
        merges.look(self.database)
        with self.database.read() as connection:
            found = kept.between(connection, asked.id, place.number + 1, kept.LAST, self.most)
        items = [item for one in found if (item := self._item(asked, client, one)) is not None]
        groups = [items[at : at + asked.most] for at in range(0, len(items), asked.most)]
        made = [self._notice(asked, client, several) for several in groups]
        number = found[-1].number if found else place.number
        return made, Place(number, self._micros() if made else place.at)

    def _item(self, asked: Subscription, client: str, one: Kept) -> Item | None:
        """None where the client may not see it (any more), or the Subscription is about something else now."""
        shown = self.look(client, one.event) if one.event.topic == asked.topic else None
        if shown is None:
            return None
        with self.database.read() as connection:
            if not self._holds(connection, asked, one.event, shown):
                return None
            return Item(one.event, one.number, shown, is_deletion(connection, one.event))

    def _holds(self, connection: Connection, asked: Subscription, event: Event, shown: Resource) -> bool:
        """The filters hold for what is shown, and the member is in the panels now."""
        focus = resource_at(connection, event, self.base)
        if focus is None or not filters.holds_shown(connection, asked.filters, shown, self.base):
            return False
        panels = filters.panels_of(connection, focus, self._micros(), self.base, filters.named(asked.filters))
        return filters.holds(asked.filters, focus, panels, self.base)

    def _notice(self, asked: Subscription, client: str, items: Sequence[Item]) -> _Written:
        key = f"{NOTICE}/{asked.id}|{items[0].number}-{items[-1].number}"
        message = bundles.identity(self.base, key)
        bundle = bundles.notice(asked, items, message, self.base, self._micros())
        for item in items:
            self._told(asked, client, item.event)
        return self._made(asked, NOTICE, bundle, [item.number for item in items])

    def _greeting(self, asked: Subscription, bound: Bound, kind: str, events: int) -> _Written:
        message = bundles.identity(self.base, f"{kind}/{asked.id}|{self._micros()}")
        bundle = bundles.greeting(asked, kind, events, message, self.base, self._micros())
        self._told(asked, bound.client, None)
        return self._made(asked, HANDSHAKE if kind == bundles.HANDSHAKE else HEARTBEAT, bundle, [0])

    def _told(self, asked: Subscription, client: str, event: Event | None) -> None:
        if self.tell is not None:
            self.tell(asked, client, event)

    def _made(self, asked: Subscription, kind: str, bundle: Resource, numbers: Sequence[int]) -> _Written:
        tried = Attempt(asked.id, kind, numbers[0], numbers[-1], self._micros(), attempts.SENT)
        return _Written(written(asked, bundle).decode(), tried)

    def _micros(self) -> int:
        return clock.micros(self.now())
