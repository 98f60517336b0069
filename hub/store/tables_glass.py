"""Broken glass: who asked to see one patient's record without any other relation, why, and until when.

Each row has one in index_relation, of kind GRANTED, with the negative of its number in place of a resource's.
"""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from hub.store.tables import Counter, metadata

break_glass = Table(
    "break_glass",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("client", String(128), nullable=False),
    Column("patient", String(64), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("opened_by", String(128), nullable=False),
    Index("break_glass_client", "client", "until"),
)
