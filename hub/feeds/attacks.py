"""A file that was refused as an attack is a security event, told in the transaction that ends it.

Rules: row C13 of the bad input (docs/bad-input.csv): archives that unpack to far more than they are, or that name
files outside of themselves; docs/audit.md. Told are the feed and the file's number, and nothing that stands in it.
Refuses: nothing.
"""

from sqlalchemy import Connection, select

from hub.audit import store
from hub.audit.record import Record
from hub.feeds.records import ERROR, Feed
from hub.store.tables_feeds import feed_reject

INTERACTION = "unsafe-file"
ATTACKS = ("ZIP_UNSAFE",)  # of hub.feeds.reject_codes
FORBIDDEN = 403  # as HTTP would say it: the sender's failure


def tell(connection: Connection, feed: Feed, file: int, now: int) -> None:
    asked = select(feed_reject.c.code).where(feed_reject.c.file == file, feed_reject.c.severity == ERROR)
    found = connection.execute(asked.where(feed_reject.c.code.in_(ATTACKS)).limit(1)).scalar_one_or_none()
    if found is not None:
        query = f"feed {feed.name}: file {file}, {found}"
        store.pend(connection, Record(now, INTERACTION, FORBIDDEN, method="FILE", query=query, client="hub"))
