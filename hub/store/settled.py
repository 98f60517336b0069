"""What was being written at a moment, and whether it is written by now: who reads all that was written up to a
moment waits for it.

A version has its time before its transaction ends. On PostgreSQL others may read between the two, and would never
learn of it; the mark is the number of the asking transaction, which is higher than those of all that write already
(https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT). A SQLite database has one
writer at a time, who is asked for the mark: nobody else writes.
"""

from sqlalchemy import Connection, text

_MARK = text("SELECT pg_current_xact_id()::text::bigint")
_OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def mark(connection: Connection) -> int:
    """Of this moment; asked inside a transaction that writes."""
    return int(connection.execute(_MARK).scalar_one()) if connection.dialect.name == "postgresql" else 0


def is_past(connection: Connection, marked: int) -> bool:
    """Whether every transaction that had begun at the mark has ended."""
    if connection.dialect.name != "postgresql":
        return True
    return int(connection.execute(_OLDEST).scalar_one()) > marked
