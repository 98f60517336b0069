"""As of when a feed named all rows of a kind: who was said before that and was not named then is gone.

Rules: docs/feeds.md "Said when". A row that is said before such a file named all, and that is not kept or was taken
back, stays away. Every function works in the caller's transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.feeds.kept import has
from hub.feeds.records import Feed, Row
from hub.store.engine import driver, mark

_KEEP = (
    "INSERT INTO feed_whole (feed, kind, within, said) VALUES (?, ?, ?, ?) ON CONFLICT (feed, kind, within)"
    " DO UPDATE SET said = excluded.said WHERE feed_whole.said < excluded.said"
)
_write = msgspec.json.Encoder(order="sorted").encode
_read = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Named:
    """All whose values have these among them, as of then."""

    within: Mapping[str, Any]
    at: int


@dataclass(frozen=True, slots=True)
class Wholes:
    """What a feed named as a whole, by kind."""

    by_kind: Mapping[str, Sequence[Named]]

    def before(self, row: Row) -> int:
        """As of when this row was named last, or gone; 0 where no file named all of its kind."""
        found = (one.at for one in self.by_kind.get(row.kind, ()) if has(row.values, one.within))
        return max(found, default=0)

    def all_of(self, kind: str) -> int:
        """As of when a file named all of a kind, whatever their values: who was not taken back was said then."""
        return max((one.at for one in self.by_kind.get(kind, ()) if not one.within), default=0)


def wholes(connection: Connection, feed: Feed) -> Wholes:
    asked = f"SELECT kind, within, said FROM feed_whole WHERE feed = {mark(connection)}"  # noqa: S608 - a mark
    found: dict[str, list[Named]] = {}
    for kind, within, at in driver(connection).execute(asked, (feed.name,)).fetchall():
        found.setdefault(kind, []).append(Named(_read(within), at))
    return Wholes(found)


def was_whole(connection: Connection, feed: Feed, kind: str, within: Mapping[str, Any], at: int) -> None:
    """This feed named all of them, as of then; what it named as a whole later stays."""
    statement = _KEEP.replace("?", mark(connection))
    driver(connection).execute(statement, (feed.name, kind, _write(within).decode(), at))
