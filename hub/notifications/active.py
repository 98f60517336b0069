"""The active Subscriptions of each topic, as this process understood them last.

An event asks only whether any Subscription was written since: each write counts in the row of subscription_changed,
which it holds until it ends (hub.store.header_values); so nothing that was committed before the question is missed,
and ten thousand Subscriptions are read and parsed once, not for every event. Only what was written since is read
again: a thousand clients that subscribe must not hold up the notices of the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
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
from hub.store.listed import Listing, having_any

PAGE = 500
COUNTED = ("active", "error")  # statuses
NOBODY = Asked()
ACCESS = Access.system("notifications")
_STAMP = "SELECT times FROM subscription_changed"


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[Any, ...] = ()
    known: Mapping[Listing, Subscription | None] = field(default_factory=dict)
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
    kept = _kept.get(place, _Kept())
    if kept.stamp != stamp:
        kept = _kept[place] = _read(connection, base, stamp, kept)
    return kept.by_topic


def _read(connection: Connection, base: str, stamp: tuple[Any, ...], before: _Kept) -> _Kept:
    there = having_any(connection, _keys(base))
    known = {one: before.known[one] for one in there if one in before.known}
    known |= _several(connection, [one.id for one in there if one not in known], base)
    found: dict[str, list[Subscription]] = {}
    for _, asked in sorted(known.items()):
        if asked is not None and asked.status in COUNTED:
            found.setdefault(asked.topic, []).append(asked)
    by_topic = {topic: _asked(several, before.by_topic.get(topic)) for topic, several in found.items()}
    return _Kept(stamp, known, by_topic)


def _asked(several: list[Subscription], before: Asked | None) -> Asked:
    return before if before is not None and before.every == tuple(several) else asked_for(several)


def _several(connection: Connection, ids: list[str], base: str) -> Iterator[tuple[Listing, Subscription | None]]:
    for start in range(0, len(ids), PAGE):
        for row in read.several(connection, ACCESS, "Subscription", ids[start : start + PAGE]).values():
            yield Listing(row.rid, row.id, row.version, row.last_updated), understood(row.body, base)


@cache
def _keys(base: str) -> Sequence[int]:
    """Of the index: those in each status in which events are counted."""
    asked = (parse("Subscription", [("status", status)], Limits(base=base)) for status in COUNTED)
    return [key for query in asked for key in read.keys_of(query)]


def understood(body: bytes | None, base: str) -> Subscription | None:
    """A stored Subscription; None for one that is deleted or that this release does not understand (an earlier
    one may have taken it): nobody is told anything by guesswork."""
    if body is None:
        return None
    try:
        return subscription(json.stored(body), base)
    except Problem:
        return None
