"""Files of feeds: the table of hub.feeds, which decides.

- `feed_file`: a file that came in, as far as it is read. `seq` is its message's place in the inbox, `said` the
  moment that it speaks of (hub.feeds.moments), `agreed` who said that it may take many away (hub.feeds.agreeing).
- `feed_record`: a row as its source said it last, and when it said so. `name` is a hash of feed, kind and key,
  `hash` one of what it says; `state` is one of hub.feeds.kept: clean, changed, waiting.
- `feed_reject`: the lines of the reject report.
- `feed_whole`: as of when a feed named all rows of a kind that have these values (`within`, JSON).
- `feed_once`: what comes once in a feed, and the file that brought it (hub.feeds.once).
Moments are microseconds since 1970, UTC; 0 is before all others.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy import text as sql

from hub.store.tables import Counter, metadata

_READING = sql("state = 'reading'")

feed_file = Table(
    "feed_file",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=False),
    Column("feed", String(64), nullable=False),
    Column("name", String(256), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("counts", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger),
    # who works at it until when, and how often somebody began
    Column("lease", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("arrived", BigInteger, nullable=False, server_default="0"),
    Column("said", BigInteger, nullable=False, server_default="0"),
    Column("agreed", String(64)),
    Index("feed_file_feed", "feed", "seq"),
    Index("feed_file_digest", "digest"),
    Index("feed_file_reading", "feed", sqlite_where=_READING, postgresql_where=_READING),
)

feed_record = Table(
    "feed_record",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("feed", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("hash", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("file", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("part", String(128), nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("state", Integer, nullable=False),
    Column("said", BigInteger, nullable=False, server_default="0"),
    Index("feed_record_subject", "feed", "subject"),
    Index("feed_record_kind", "feed", "kind", "name"),
    Index(
        "feed_record_changed",
        "feed",
        "stage",
        "subject",
        sqlite_where=sql("state = 1"),
        postgresql_where=sql("state = 1"),
    ),
    sqlite_with_rowid=False,
)

feed_reject = Table(
    "feed_reject",
    metadata,
    Column("file", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("severity", String(8), nullable=False),
    Column("part", String(128), nullable=False),
    Column("line", Integer, nullable=False),
    Column("place", String(128), nullable=False),
    Column("code", String(32), nullable=False),
    Column("what", String(256), nullable=False),
    sqlite_with_rowid=False,
)

feed_whole = Table(
    "feed_whole",
    metadata,
    Column("feed", String(64), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("within", Text, primary_key=True),
    Column("said", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

feed_once = Table(
    "feed_once",
    metadata,
    Column("feed", String(64), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("file", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
