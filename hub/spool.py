"""With SQLite, what arrives is made durable in a file of its own, and moves to the inbox from there.

SQLite has one writer at a time (hub.store.engine): an acknowledgment would wait for whatever commit is on its way.
The spool is a second database, beside the first, with what the inbox's table keeps of an arrival and nothing else;
it is as durable (WAL, `synchronous=FULL`). The worker moves its rows to the inbox and then deletes them: killed in
between, it finds the same rows in both, and the inbox takes a row once.
Refuses: nothing. Whether a message came before is asked of both, under the spool's write lock: a row leaves the
spool only when the inbox has it, so it is always seen in one of them.
A file of an earlier release is used as it is; columns that it lacks are added.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    inspect,
    select,
)

from hub.inbox import arrivals as inbox
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.engine import Database
from hub.store.tables import Counter

BATCH = 500
# by the inbox's name: the statements that store there store here
table = Table(
    "inbox",
    MetaData(),
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("source", String(32), nullable=False),
    Column("feed", String(128), nullable=False),
    Column("control_id", String(256), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("location", String(64)),
    Column("member", BigInteger),
    UniqueConstraint("source", "feed", "control_id", name="inbox_message"),
)
KEY = ("source", "feed", "control_id")
# by its key, too: somebody else may have moved the row meanwhile, and SQLite gives its number to the next one
_MOVED = delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in ("seq", *KEY)))
_OLDEST = select(table).order_by(table.c.seq).limit(BATCH)


class Spool:
    """The arrivals beside a SQLite database. Several processes may have it open."""

    def __init__(self, database: Database):
        self._inbox = database
        self._own = Database(f"sqlite:///{path_of(database)}")
        self._own.writing(_made)

    def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """As hub.inbox.arrivals.accept, in a transaction of its own: when it returns, the messages are durable."""

        def work(connection: Connection) -> list[Receipt]:
            with self._inbox.read() as there:
                known = inbox.digests(there, arrivals)
            return inbox.accept(connection, arrivals, known)

        return self._own.writing(work)

    def move(self) -> int:
        """Move the oldest arrivals to the inbox; how many."""
        with self._own.read() as connection:
            rows = [dict(row) for row in connection.execute(_OLDEST).mappings()]
        if not rows:
            return 0
        moved = [{f"of_{name}": row[name] for name in ("seq", *KEY)} for row in rows]
        for row in rows:
            del row["seq"]
        self._inbox.writing(lambda connection: inbox.take_over(connection, rows))
        self._own.writing(lambda connection: connection.execute(_MOVED, moved))
        return len(rows)

    def close(self) -> None:
        self._own.close()


def _made(connection: Connection) -> None:
    """The table, with the columns of this release."""
    table.create(connection, checkfirst=True)
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for column in table.c:
        if column.name not in there:
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")


def path_of(database: Database) -> Path:
    """The spool's file, beside the database's."""
    return Path(f"{database.url.database}.arrivals")
