"""Which digests a deployment wants: a list in the table of the feed to whose place they go.

    [feeds.lantern]
    digests = [{ client = "lantern-ehr", panel = "Group/lantern", hours = 24, topics = ["encounter-admission"] }]

`hours` (24): a file for each stretch of so many hours, counted from midnight in the feed's time zone; `topics` the
ends of their URLs (docs/topics.md; without it all).
Refuses (CannotStart): what is no such list, topics that nobody knows, less than an hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.feeds.records import Feed
from hub.notifications.digests import Digest
from hub.notifications.topics import ROWS, Topic
from hub.problems import CannotStart

OPTION, DAILY, LONGEST = "digests", 24, 24 * 31
BY_NAME: Mapping[str, Topic] = {topic.url.rpartition("/")[2]: topic for topic in ROWS}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A digest, and how long the stretch of time is that a file tells of."""

    digest: Digest
    every: timedelta


def topics_of(names: Sequence[str]) -> tuple[Topic, ...]:
    """By the ends of their URLs, in the table's order; all where none is named. Raises KeyError."""
    wanted = {BY_NAME[name].url for name in names} or {topic.url for topic in ROWS}
    return tuple(topic for topic in ROWS if topic.url in wanted)


def wanted(feed: Feed) -> tuple[Wanted, ...]:
    """Raises CannotStart."""
    found = feed.options.get(OPTION, [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise CannotStart(f"Feed {feed.name}: digests is a list of tables")
    return tuple(_wanted(feed, one) for one in found)


def _wanted(feed: Feed, table: Mapping[str, Any]) -> Wanted:
    if unknown := table.keys() - {"client", "panel", "hours", "topics"}:
        raise CannotStart(f"Feed {feed.name}: digests does not know {', '.join(sorted(map(str, unknown)))}")
    client, panel, hours = table.get("client"), table.get("panel"), table.get("hours", DAILY)
    if not isinstance(client, str) or not isinstance(panel, str) or not client or not panel.startswith("Group/"):
        raise CannotStart(f"Feed {feed.name}: a digest has a client, and a panel such as Group/ID")
    if type(hours) is not int or not 1 <= hours <= LONGEST:
        raise CannotStart(f"Feed {feed.name}: hours of a digest is a number from 1 to {LONGEST}")
    names = table.get("topics", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name in BY_NAME for name in names):
        raise CannotStart(f"Feed {feed.name}: topics of a digest are among {', '.join(BY_NAME)}")
    return Wanted(Digest(feed.name, client, panel, topics_of(names)), timedelta(hours=hours))
