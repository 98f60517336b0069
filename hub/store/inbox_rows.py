"""Rows of the inbox that every hospital message asks for or ends, as statements of the driver: SQLAlchemy's way
costs as much as they do. Each is for several messages at once.

hub.inbox.work and hub.inbox.held say what they mean. Texts are those that the columns hold (hub.inbox.messages).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.store import arrays
from hub.store.engine import driver

Row = tuple[Any, ...]
NAMES = (
    "seq, source, feed, control_id, received, state, reason, location, subject, attempts, due, processed, fence,"
    " awaits_kind, awaits_key, raw"
)
_SAID = f"SELECT {NAMES} FROM inbox WHERE {{which}} AND state IN ('received', 'processed', 'waiting') ORDER BY seq"
_TOLD = (
    "SELECT subject, seq FROM inbox WHERE {which}"
    " AND (state = 'processed' OR (state = 'received' AND processed IS NOT NULL))"
)
_WAITING = (
    f"SELECT {NAMES} FROM inbox WHERE {{which}} AND awaits_kind = {{mark}} AND state = 'waiting'"
    " AND length(raw) > 0 ORDER BY seq"
)
_ENDED = (
    "UPDATE inbox SET state = 'processed', reason = NULL, location = NULL, processed = {at}, subject = {subject}"
)
_END_SEVERAL = (
    _ENDED.format(at="%s", subject="coalesce(n.subject, inbox.subject)")
    + " FROM unnest(%s::bigint[], %s::int[], %s::varchar[]) AS n (seq, fence, subject)"
    " WHERE inbox.seq = n.seq AND inbox.fence = n.fence AND inbox.state = 'received' RETURNING inbox.seq"
)
_END_ONE = (
    _ENDED.format(at="?", subject="coalesce(?, subject)")
    + " WHERE seq = ? AND fence = ? AND state = 'received' RETURNING seq"
)


def lease(connection: Connection, seqs: Sequence[int], until: int) -> None:
    """Nobody else is given these before then; each take is an attempt, and has a number of its own."""
    which, values = arrays.among(connection.dialect.name, seqs)
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    taken = f"UPDATE inbox SET due = {mark}, attempts = attempts + 1, fence = fence + 1 WHERE seq {which}"
    driver(connection).execute(taken, (until, *values))


def said(connection: Connection, subjects: Collection[str]) -> list[Row]:
    """What was said about these subjects, oldest first: received, processed and waiting."""
    return _asked(connection, _SAID, "subject", subjects)


def told(connection: Connection, subjects: Collection[str]) -> list[Row]:
    """(subject, seq) of what is written."""
    return _asked(connection, _TOLD, "subject", subjects)


def waiting(connection: Connection, kind: str, keys: Collection[str]) -> list[Row]:
    """What waits for these things of a kind, oldest first, and was not emptied."""
    return _asked(connection, _WAITING, "awaits_key", keys, kind)


def _asked(connection: Connection, statement: str, column: str, wanted: Collection[str], *more: Any) -> list[Row]:
    which, values = arrays.among_texts(connection.dialect.name, sorted(wanted))
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    made = statement.format(which=f"{column} {which}", mark=mark)
    found: list[Row] = driver(connection).execute(made, (*values, *more)).fetchall()
    return found


def end(connection: Connection, ended: Sequence[tuple[int, int, str | None]], at: int) -> int:
    """Of (seq, fence, subject): those that are still whose claim has this number are processed. How many are."""
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        values = arrays.columns(("bigint", "int", "varchar"), ended)
        return len(cursor.execute(_END_SEVERAL, (at, *values)).fetchall())
    found = (cursor.execute(_END_ONE, (at, subject, seq, fence)).fetchall() for seq, fence, subject in ended)
    return sum(map(len, found))
