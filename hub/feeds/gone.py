"""Rows that a whole file does not name: what it takes away, and when that is so much that a person looks first.

Rules: docs/feeds.md "Whole files". Of each kind that the file names all of, `gone_percent` of the rows that are
there (20) may be gone, and `gone_few` (5) in any case: a file that is cut off, or of another plan, would take
everybody away.
Refuses: nothing; the file is refused by hub.feeds.ingest, until a person agrees (agreeing.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hub.feeds import kept
from hub.feeds.records import Feed, Reject, Whole
from hub.feeds.wholes import Wholes

TOO_MANY = "TOO_MANY_GONE"
PERCENT, FEW = 20, 5


@dataclass(frozen=True, slots=True)
class Leaving:
    """Rows of a kind, by name, that are gone as of then; `there` is how many of them there were."""

    kind: str
    within: Mapping[str, Any]
    at: int
    names: Sequence[bytes]
    there: int


def leaving(
    connection: Connection, feed: Feed, whole: Whole, at: int, kind: str, wholes: Wholes, seen: Collection[bytes]
) -> Leaving:
    """Of rows that were told of later nothing is gone; nor where all were named later."""
    names: list[bytes] = []
    there = 0
    pages = kept.names_of(connection, feed, kind, at) if wholes.all_of(kind) <= at else ()
    for page in pages:
        mine = [name for name, body in page if kept.holds(body, whole.within)]
        there += len(mine)
        names += [name for name in mine if name not in seen]
    return Leaving(kind, whole.within, at, names, there)


def are_too_many(feed: Feed, one: Leaving) -> bool:
    percent, few = int(feed.options.get("gone_percent", PERCENT)), int(feed.options.get("gone_few", FEW))
    return len(one.names) > few and len(one.names) * 100 > percent * one.there


def reject(feed: Feed, one: Leaving) -> Reject:
    what = f"{len(one.names)} of {one.there} rows would be gone: send it whole, or somebody agrees"
    return Reject(TOO_MANY, column=one.kind, what=what, whole=True)
