"""What was being written at a moment, and whether it is written by now: who reads all that was written up to a
moment waits for it.

A version has its time before its transaction ends. On PostgreSQL others may read between the two, and would never
learn of it; the mark is the number of the asking transaction, which is higher than those of all that write already
(https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT). A SQLite database has one
writer at a time, who is asked for the mark: nobody else writes.
"""

from sqlalchemy import BigInteger, ColumnElement, Connection, literal_column, or_, text, true

_MARK = text("SELECT pg_current_xact_id()::text::bigint")
_NOW = "pg_snapshot_{}(pg_current_snapshot())::text::bigint"
_OLDEST: ColumnElement[int] = literal_column(_NOW.format("xmin"), BigInteger)
_NEXT: ColumnElement[int] = literal_column(_NOW.format("xmax"), BigInteger)


def mark(connection: Connection) -> int:
    """Of this moment; asked inside a transaction that writes."""
    return int(connection.execute(_MARK).scalar_one()) if connection.dialect.name == "postgresql" else 0


def is_past(connection: Connection, marked: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether every transaction that had begun at the mark has ended. A number that is not given out yet comes from
    another server, by a backup: whoever wrote there is no more."""
    if connection.dialect.name != "postgresql":
        return true()
    return or_(marked < _OLDEST, marked >= _NEXT)
