"""What clients took of their limits, of all nodes together (hub.rest.shared_limits). `mark` is a keyed hash."""

from sqlalchemy import BigInteger, Column, String, Table

from hub.store.tables import metadata

limit_taken = Table(
    "limit_taken",
    metadata,
    Column("book", String(16), primary_key=True),
    Column("mark", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
