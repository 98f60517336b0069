"""What comes once in a feed, whatever file brings it: the control numbers of interchanges.

Rules: docs/plan-834.md "Answers" (TA1 note 025). A file that says again, byte for byte, what another file of the
feed said, is not measured by it: all of it is unchanged. What was refused was not taken, and may come again. The
feed's option `control_numbers = "repeat"` takes them however often they come.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from hub.feeds.records import Feed
from hub.store.tables_feeds import feed_file, feed_once

CAME_BEFORE, CONTROL_NUMBERS, REPEAT = "came_before", "control_numbers", "repeat"
LONGEST = 128
_STORE = {
    "sqlite": sqlite.insert(feed_once).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(feed_once).on_conflict_do_nothing(),
}


def with_before(connection: Connection, feed: Feed, file: int) -> Feed:
    """The feed as the reader of this file is given it."""
    if feed.options.get(CONTROL_NUMBERS) == REPEAT:
        return feed
    return replace(feed, options={**feed.options, CAME_BEFORE: _before(connection, feed, file)})


def _before(connection: Connection, feed: Feed, file: int) -> frozenset[str]:
    mine, theirs = aliased(feed_file), aliased(feed_file)
    asked = (
        select(feed_once.c.key)
        .join(theirs, theirs.c.seq == feed_once.c.file)
        .join(mine, mine.c.seq == file)
        .where(feed_once.c.feed == feed.name, theirs.c.digest != mine.c.digest)
    )
    return frozenset(connection.execute(asked).scalars())


def keep(connection: Connection, feed: Feed, keys: Iterable[str], file: int) -> None:
    """Who came first stays."""
    rows = [{"feed": feed.name, "key": key[:LONGEST], "file": file} for key in sorted({*keys})]
    if rows:
        connection.execute(_STORE[connection.dialect.name], rows)
