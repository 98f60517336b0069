"""Digests: what was counted for a client about a panel, file by file, each event in one file and no event in two.

Rules: docs/digests.md. A digest is a Subscription for each of its topics, narrowed to the panel, which the hub
makes for the client and sends nothing for: its events are counted and kept as for a websocket that nobody bound.
So what is in a digest is decided where it is for every notice (hub.notifications.fan_out), and asked again when the
file is made.
A file goes from the last one's numbers to those of the moment when it was opened. It stays open until it was sent:
who is killed in between makes the same file again, with the same name.
Refuses (Problem): a panel that the client may not read, a Subscription of it that somebody has ended.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, insert, select, update

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.notifications import counters, filters, kept
from hub.notifications.active import understood
from hub.notifications.events import Event
from hub.notifications.kept import Kept
from hub.notifications.looking import seen
from hub.notifications.round import resource_at
from hub.notifications.subscriptions import BACKPORT, ID_ONLY, WEBSOCKET, Resource, Subscription
from hub.notifications.topics import MEMBER, Topic
from hub.problems import Problem
from hub.search.values import references
from hub.store import merges, read
from hub.store.engine import Database
from hub.store.read import Stored
from hub.store.tables_subscriptions import digest as table
from hub.transactions import Transactions, single

ACCESS = Access.system("digests")
PAGE = 500
Numbers = Mapping[str, int]  # by Subscription


@dataclass(frozen=True, slots=True)
class Digest:
    """Who gets what: `feed` names the place where its files go, `panel` is `Group/id`."""

    feed: str
    client: str
    panel: str
    topics: tuple[Topic, ...]

    @property
    def name(self) -> str:
        return str(uuid5(NAMESPACE_URL, "|".join(("digest", self.feed, self.client, self.panel))))

    def subscription(self, topic: Topic) -> str:
        """The id of its Subscription."""
        return f"digest-{uuid5(NAMESPACE_URL, f'{self.name}|{topic.url}')}"

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return tuple(self.subscription(topic) for topic in self.topics)


@dataclass(frozen=True, slots=True)
class File:
    """What one file tells: events after `since` until `until`. `again`: it was begun before, and not known to be
    sent."""

    sequence: int
    since: Numbers
    until: Numbers
    again: bool


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a digest, and the resource as it leaves."""

    topic: Topic
    number: int
    event: Event
    shown: Stored

    @property
    def resource(self) -> Resource:
        return json.stored(self.shown.body or b"{}")


@dataclass(frozen=True, slots=True)
class Digests:
    """`own` writes for the hub itself."""

    database: Database
    own: Transactions
    base: str
    now: clock.Clock = clock.now

    def begin(self, digest: Digest, access: Access) -> None:
        """Its Subscriptions, where they are not there yet: from now on its events are counted. Raises Problem."""
        self._check(digest, access)
        with self.database.read() as connection:
            there = {name: self._asked(connection, name) for name in digest.subscriptions}
        for topic in digest.topics:
            asked = there[digest.subscription(topic)]
            if asked is None:
                self._subscribe(digest, topic)
            elif asked.status != "active":
                raise Problem("business-rule", f"Subscription/{asked.id} of this digest is {asked.status}")

    def _check(self, digest: Digest, access: Access) -> None:
        group = Event("", "Group", digest.panel.removeprefix("Group/"), 0, self._micros())
        with self.database.read() as connection:
            if not digest.panel.startswith("Group/") or seen(connection, access, group, self.base) is None:
                raise Problem("not-found", "The client may not read this panel, or there is none")

    def _asked(self, connection: Connection, name: str) -> Subscription | None:
        stored = read.current(connection, ACCESS, "Subscription", name)
        return understood(stored.body, self.base) if stored and stored.body else None

    def _subscribe(self, digest: Digest, topic: Topic) -> None:
        name = digest.subscription(topic)
        entry = single("PUT", "Subscription", id=name, resource=_resource(digest, topic, name))
        self.own.commit([entry], ACCESS, lambda connection: counters.own(connection, name, digest.client))

    def open(self, digest: Digest) -> File:
        """The file that is to be sent now: the one that was begun, else the next."""
        return self.database.writing(lambda connection: self._opened(connection, digest))

    def _opened(self, connection: Connection, digest: Digest) -> File:
        row = connection.execute(select(table).where(table.c.name == digest.name).with_for_update()).one_or_none()
        if row is not None and row.is_open:
            return File(row.sequence, _numbers(row.since), _numbers(row.until), again=True)
        since = _numbers(row.until) if row else {}
        until = {**since, **_counted(connection, digest.subscriptions)}
        values = {"is_open": True, "opened": self._micros(), "since": _text(since), "until": _text(until)}
        sequence = row.sequence + 1 if row else 1
        if row is None:
            connection.execute(insert(table).values(name=digest.name, sequence=sequence, **values))
        else:
            changed = update(table).where(table.c.name == digest.name)
            connection.execute(changed.values(sequence=sequence, **values))
        return File(sequence, since, until, again=False)

    def close(self, digest: Digest, file: File) -> None:
        """It was sent."""
        mine = (table.c.name == digest.name, table.c.sequence == file.sequence)
        closed = update(table).where(*mine).values(is_open=False)
        self.database.writing(lambda connection: connection.execute(closed))

    def last_opened(self, digest: Digest) -> tuple[int, bool]:
        """When its newest file was begun (microseconds; 0: never), and whether that is open still."""
        with self.database.read() as connection:
            row = connection.execute(select(table).where(table.c.name == digest.name)).one_or_none()
        return (row.opened, row.is_open) if row else (0, False)

    def events(self, connection: Connection, digest: Digest, access: Access, file: File) -> Iterator[Told]:
        """What the client may be told now, topic by topic, in the order of the numbers."""
        self._check(digest, access)
        merges.look(self.database)
        for topic in digest.topics:
            asked = self._asked(connection, digest.subscription(topic))
            for one in _kept(connection, digest.subscription(topic), file) if asked else ():
                shown = self._shown(connection, asked, access, one.event) if asked else None
                if shown is not None:
                    yield Told(topic, one.number, one.event, shown)

    def _shown(self, connection: Connection, asked: Subscription, access: Access, event: Event) -> Stored | None:
        """The resource at the event, if the filters hold for what is shown and the member is in the panel now."""
        focus, left = resource_at(connection, event, self.base), seen(connection, access, event, self.base)
        if focus is None or left is None or not left.body:
            return None
        if not filters.holds_shown(connection, asked.filters, json.stored(left.body), self.base):
            return None
        named = filters.named(asked.filters)
        panels = filters.panels_of(connection, focus, self._micros(), self.base, named)
        return left if filters.holds(asked.filters, focus, panels, self.base) else None

    def whose(self, connection: Connection, access: Access, told: Told) -> Stored | None:
        """The Patient that it is about, as it may leave."""
        event, resource = told.event, told.resource
        named = resource if event.type == "Patient" else resource.get(MEMBER[event.type], {})
        for kind, identity in references(named, self.base):
            if kind == "Patient":
                return seen(connection, access, replace(event, type=kind, id=identity, version=0), self.base)
        return None

    def forgotten(self, connection: Connection, digest: Digest, file: File) -> int:
        """How many events of the file are not kept any more (HUB_NOTICE_KEEP_DAYS)."""
        return sum(
            file.until.get(name, 0) - file.since.get(name, 0) - sum(1 for _ in _kept(connection, name, file))
            for name in digest.subscriptions
        )

    def _micros(self) -> int:
        return clock.micros(self.now())


def _kept(connection: Connection, name: str, file: File) -> Iterator[Kept]:
    first, last = file.since.get(name, 0) + 1, file.until.get(name, 0)
    while rows := kept.between(connection, name, first, last, PAGE) if first <= last else []:
        yield from rows
        first = rows[-1].number + 1


def _counted(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    found = {name: counters.count_of(connection, name) for name in names}
    return {name: count.events for name, count in found.items() if count is not None}


def _numbers(text: str) -> dict[str, int]:
    return {str(name): int(number) for name, number in json.stored(text.encode()).items()}


def _text(numbers: Numbers) -> str:
    return json.write(dict(sorted(numbers.items()))).decode()


def _resource(digest: Digest, topic: Topic, name: str) -> dict[str, Any]:
    wanted = f"{topic.type}?panel={digest.panel}"
    return {
        "resourceType": "Subscription",
        "id": name,
        "status": "active",
        "reason": f"Digest of {digest.panel} for {digest.client}, feed {digest.feed}",
        "criteria": topic.url,
        "_criteria": {"extension": [{"url": f"{BACKPORT}backport-filter-criteria", "valueString": wanted}]},
        "channel": {
            "type": WEBSOCKET,
            "payload": "application/fhir+json",
            "_payload": {"extension": [{"url": f"{BACKPORT}backport-payload-content", "valueCode": ID_ONLY}]},
        },
    }
