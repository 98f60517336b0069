"""What subscribers were told of: the tables of hub.notifications.happenings, which decides.

- `notice_event`: an event that was processed, and which happening it tells of. A sender (`source`) tells it
  once; the one that told it first `begins` it. `patient` is the id as the event said it.
- `notice_told`: who has a notice of a happening.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from hub.store.tables import Counter, metadata

notice_event = Table(
    "notice_event",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("happening", BigInteger, nullable=False),
    Column("source", String(256), nullable=False),
    Column("patient", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("moments", Text, nullable=False),
    Column("facilities", Text, nullable=False),
    Column("id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("begins", Boolean, nullable=False),
    UniqueConstraint("happening", "source", name="notice_event_sender"),
    Index("notice_event_patient", "patient", "kind", "seq"),
)

notice_told = Table(
    "notice_told",
    metadata,
    Column("happening", BigInteger, primary_key=True, autoincrement=False),
    Column("subscription", String(64), primary_key=True),
    sqlite_with_rowid=False,
)
