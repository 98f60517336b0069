"""The active Subscriptions of each topic, as this process understood them last.

An event asks only whether any Subscription was written since: each write counts in the row of subscription_changed,
which it holds until it ends (hub.store.header_values); so nothing that was committed before the question is missed,
and ten thousand Subscriptions are read and parsed once, not for every event.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.notifications.matching import Asked, asked_for
from hub.notifications.subscriptions import Subscription, subscription
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import driver

PAGE = 500
NOBODY = Asked()
ACCESS = Access.system("notifications")
_STAMP = "SELECT times FROM subscription_changed"


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[Any, ...] = ()
    by_topic: Mapping[str, Asked] = field(default_factory=dict)


_kept: dict[tuple[str, str], _Kept] = {}


def of_topic(connection: Connection, topic: str, base: str) -> Asked:
    """Those in status active, whether they have ended or not; and those in error, whose events are counted, too."""
    return _now(connection, base).get(topic, NOBODY)


def with_heartbeat(connection: Connection, base: str) -> Sequence[Subscription]:
    """Those in status active that want to hear from the hub now and then."""
    return [one for several in _now(connection, base).values() for one in several if _beats(one)]


def _beats(one: Subscription) -> bool:
    return bool(one.heartbeat) and one.status == "active"


def _now(connection: Connection, base: str) -> Mapping[str, Asked]:
    place = str(connection.engine.url), base
    stamp = tuple(map(int, driver(connection).execute(_STAMP).fetchone()))
    kept = _kept.get(place)
    if kept is None or kept.stamp != stamp:
        kept = _kept[place] = _Kept(stamp, _read(connection, base))
    return kept.by_topic


def _read(connection: Connection, base: str) -> Mapping[str, Asked]:
    found: dict[str, list[Subscription]] = {}
    for body in _bodies(connection, base):
        asked = understood(body, base)
        if asked is not None:
            found.setdefault(asked.topic, []).append(asked)
    return {topic: asked_for(several) for topic, several in found.items()}


def _bodies(connection: Connection, base: str) -> Iterator[bytes | None]:
    query, after = parse("Subscription", [("status", "active,error")], Limits(base=base)), list[int]()
    while rows := read.page(connection, ACCESS, query, after, PAGE):
        yield from (row.body for row in rows)
        after = read.position(rows[-1])


def understood(body: bytes | None, base: str) -> Subscription | None:
    """A stored Subscription; None for one that is deleted or that this release does not understand (an earlier
    one may have taken it): nobody is told anything by guesswork."""
    if body is None:
        return None
    try:
        return subscription(json.stored(body), base)
    except Problem:
        return None
