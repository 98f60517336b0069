"""The tables of the audit (hub.audit).

- `audit`: the chain. `record` is what was recorded; `hash` is SHA-256 of `previous`, the number and the record. The
  other columns repeat what the record says, to search by. Rows are added and never changed: triggers refuse that.
- `audit_patient`: whose data a record is about. `place` numbers its AuditEvents, 0: asked for, and nothing left.
- `audit_pending`: records of writes, from the transaction of the write, until they join the chain.
- `audit_head`: the end of the chain, so that a last row that is gone is noticed.
- `audit_journal`: how much of each journal file is in the chain already.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from hub.store.tables import metadata

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("client", String(128), nullable=False),
    Column("person", String(128), nullable=False),
    Column("interaction", String(32), nullable=False),
    Column("action", String(1), nullable=False),
    Column("type", String(64), nullable=False),
    Column("entity", BigInteger, nullable=False),  # the address of what was asked for; 0: no one resource
    Column("status", Integer, nullable=False),
    Column("events", Integer, nullable=False),  # AuditEvents that tell it
    Column("disclosures", Integer, nullable=False),  # and those that tell a disclosure beside
    Column("record", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_at", "at", "seq"),
    Index("audit_client", "client", "seq"),
    Index("audit_entity", "entity", "seq"),
)

audit_patient = Table(
    "audit_patient",
    metadata,
    Column("patient", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("disclosed", Boolean, nullable=False),
    Index("audit_patient_seq", "seq"),
    sqlite_with_rowid=False,
)

audit_pending = Table(
    "audit_pending",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("record", LargeBinary, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

audit_journal = Table(
    "audit_journal",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
