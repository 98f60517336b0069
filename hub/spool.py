"""With SQLite, what arrives is made durable in a file of its own, and moves to the inbox from there.

SQLite has one writer at a time (hub.store.engine): an acknowledgment would wait for whatever commit is on its way.
The spool is a second database, beside the first, with the inbox's table and nothing else; it is as durable
(WAL, `synchronous=FULL`). The worker moves its rows to the inbox and then deletes them: killed in between, it finds
the same rows in both, and the inbox takes a row once.
Refuses: nothing. Whether a message came before is asked of both, under the spool's write lock: a row leaves the
spool only when the inbox has it, so it is always seen in one of them.
Ceiling: the table is the inbox's of this release; a release that changes it moves the rows before it migrates.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, delete, select

from hub.inbox import arrivals as inbox
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.engine import Database
from hub.store.tables import inbox as table

BATCH = 500


class Spool:
    """The arrivals beside a SQLite database. Several processes may have it open."""

    def __init__(self, database: Database):
        self._inbox = database
        self._own = Database(f"sqlite:///{path_of(database)}")
        self._own.writing(lambda connection: table.create(connection, checkfirst=True))

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
        seqs = [row.pop("seq") for row in rows]
        self._inbox.writing(lambda connection: inbox.take_over(connection, rows))
        self._own.writing(lambda connection: connection.execute(delete(table).where(table.c.seq.in_(seqs))))
        return len(rows)

    def close(self) -> None:
        self._own.close()


_OLDEST = select(table).order_by(table.c.seq).limit(BATCH)


def path_of(database: Database) -> Path:
    """The spool's file, beside the database's."""
    return Path(f"{database.url.database}.arrivals")
