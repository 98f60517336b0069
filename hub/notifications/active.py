"""The active Subscriptions of each topic, as this process understood them last.

An event asks only whether any Subscription changed since: how many there are, the sum of their versions, the
newest. Each write changes that, in whatever order writers commit; so nothing that was committed before the question
is missed, and a thousand Subscriptions are read and parsed once, not for every event.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.notifications.subscriptions import Subscription, subscription
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import driver

PAGE = 500
ACCESS = Access.system("notifications")
_STAMP = (
    "SELECT count(*), coalesce(sum(version), 0), coalesce(max(rid), 0), coalesce(max(last_updated), 0)"
    " FROM resource WHERE type = 'Subscription'"
)


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[Any, ...] = ()
    by_topic: Mapping[str, Sequence[Subscription]] = field(default_factory=dict)


_kept: dict[tuple[str, str], _Kept] = {}


def of_topic(connection: Connection, topic: str, base: str) -> Sequence[Subscription]:
    """Those in status active, whether they have ended or not."""
    place = str(connection.engine.url), base
    stamp = tuple(map(int, driver(connection).execute(_STAMP).fetchone()))
    kept = _kept.get(place)
    if kept is None or kept.stamp != stamp:
        kept = _kept[place] = _Kept(stamp, _read(connection, base))
    return kept.by_topic.get(topic, ())


def _read(connection: Connection, base: str) -> Mapping[str, Sequence[Subscription]]:
    found: dict[str, list[Subscription]] = {}
    for body in _bodies(connection, base):
        asked = understood(body, base)
        if asked is not None:
            found.setdefault(asked.topic, []).append(asked)
    return found


def _bodies(connection: Connection, base: str) -> Iterator[bytes | None]:
    query, after = parse("Subscription", [("status", "active")], Limits(base=base)), list[int]()
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
