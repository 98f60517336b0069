"""The tables of identity (hub.identity, docs/identity.md). Nothing here decides who is who.

- `source_person`: what one source calls one person. `patient` is the id of the member it is linked to now,
  `home` of the Patient that was made for it, or that it was linked to first; `record` what the source said
  last.
- `identity_key`: blocking keys and strong identifiers of a source person, as 64-bit hashes.
- `identity_event`: every decision, in order. `evidence` holds no personal data; `undone_by` the event that took it
  back. Rows are never deleted.
- `identity_rewrite`: what an event changed, so that it can be changed back: the resource, a JSON pointer, what
  stood there, and the version that the event wrote. An empty pointer: the resource only belongs to somebody
  else now.
- `identity_absorbed`: Patients that are somebody else now. `survivor` is whom each was merged into, `member` where
  the chain of merges ends.
- `identity_pair`: two source persons who are held apart, or who wait for a person's decision (`task`). `agreed`:
  what one person has decided, as `answer|who`, where a second one must agree.
- `identity_attempt`: how often a client asked $member-match in a minute.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint
from sqlalchemy import text as sql

from hub.store.tables import Counter, metadata

source_person = Table(
    "source_person",
    metadata,
    Column("person", Counter, primary_key=True, autoincrement=True),
    Column("source", String(256), nullable=False),
    Column("key", String(256), nullable=False),
    Column("patient", String(64), nullable=False),
    Column("home", String(64), nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("updated", BigInteger, nullable=False),
    UniqueConstraint("source", "key", name="source_person_key"),
    Index("source_person_patient", "patient"),
)

identity_key = Table(
    "identity_key",
    metadata,
    Column("hash", BigInteger, primary_key=True),
    Column("person", BigInteger, primary_key=True),
    Index("identity_key_person", "person"),
    sqlite_with_rowid=False,
)

identity_event = Table(
    "identity_event",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("who", String(128), nullable=False),
    # ids of Patients: who remains, and who was merged into it or taken out of it
    Column("survivor", String(64), nullable=False, server_default=sql("''")),
    Column("absorbed", String(64), nullable=False, server_default=sql("''")),
    Column("persons", Text, nullable=False, server_default=sql("'[]'")),
    Column("evidence", Text, nullable=False, server_default=sql("'{}'")),
    Column("undoes", BigInteger, nullable=False, server_default="0"),
    Column("undone_by", BigInteger, nullable=False, server_default="0"),
    Index("identity_event_kind", "kind", "seq"),
    Index("identity_event_survivor", "survivor", "seq"),
    Index("identity_event_absorbed", "absorbed", "seq"),
)

identity_rewrite = Table(
    "identity_rewrite",
    metadata,
    Column("event", BigInteger, primary_key=True),
    Column("rid", BigInteger, primary_key=True),
    Column("pointer", Text, primary_key=True),
    Column("before", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index("identity_rewrite_rid", "rid"),
    sqlite_with_rowid=False,
)

identity_absorbed = Table(
    "identity_absorbed",
    metadata,
    Column("address", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False),
    Column("survivor", String(64), nullable=False),
    Column("member", String(64), nullable=False),
    Column("event", BigInteger, nullable=False),
    Index("identity_absorbed_id", "id", unique=True),
    Index("identity_absorbed_member", "member"),
)

identity_pair = Table(
    "identity_pair",
    metadata,
    Column("low", BigInteger, primary_key=True),
    Column("high", BigInteger, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("task", String(64), nullable=False, server_default=sql("''")),
    Column("event", BigInteger, nullable=False),
    Column("agreed", String(160), nullable=False, server_default=sql("''")),
    Index("identity_pair_high", "high"),
    Index("identity_pair_task", "task"),
    sqlite_with_rowid=False,
)

identity_attempt = Table(
    "identity_attempt",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)
