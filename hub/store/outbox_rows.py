"""Rows of the outbox that every notice ends and asks for, as statements of the driver: SQLAlchemy's way costs as
much as they do. hub.outbox says what they mean.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection

from hub.store import arrays
from hub.store.engine import driver, mark

Row = tuple[Any, ...]
_NAMES = "seq, kind, key, payload, attempts, created, line"
# `state` is in the text and no parameter: so PostgreSQL's one plan for all values finds the indexes of what waits
_WAITS_OF = "FROM outbox o WHERE o.state = 'waiting' AND o.kind = {mark} AND o.due <= {mark}"
# the first of each line, and what stands in no line
_LEADS = (
    " AND (o.line IS NULL OR NOT EXISTS (SELECT 1 FROM outbox e"
    " WHERE e.kind = o.kind AND e.line = o.line AND e.state = 'waiting' AND e.seq < o.seq))"
)
_WALK = "SET LOCAL enable_seqscan = off"
_ENDED = "UPDATE outbox SET state = 'done', reason = {reason}"
_MINE = "state = 'waiting'"
_END_SEVERAL = (
    _ENDED.format(reason="n.reason")
    + " FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS n (seq, attempts, reason)"
    + f" WHERE outbox.seq = n.seq AND outbox.attempts = n.attempts AND outbox.{_MINE} RETURNING outbox.seq"
)
_END_ONE = _ENDED.format(reason="?") + f" WHERE seq = ? AND attempts = ? AND {_MINE}"
# the first of the line but the one that ends: where it is another's or not yet due, it holds up the line
_FIRST = (
    "SELECT seq FROM outbox WHERE kind = {kind} AND line = {line} AND state = 'waiting' AND seq <> {seq}"
    " ORDER BY seq LIMIT 1"
)
_TAKEN = "due = {until}, attempts = outbox.attempts + 1"
_TAKE_ONE = "UPDATE outbox SET {taken} WHERE seq = ({first}) AND due <= ? RETURNING {names}".format(
    taken=_TAKEN.format(until="?"), first=_FIRST.format(kind="?", line="?", seq="?"), names=_NAMES
)
_END_AND_TAKE = (
    "WITH ended AS ({ended} WHERE seq = %(seq)s AND attempts = %(attempts)s AND {mine} RETURNING 1),"
    " first AS ({first}) UPDATE outbox SET {taken} FROM first, ended"
    " WHERE outbox.seq = first.seq AND outbox.state = 'waiting' AND outbox.due <= %(now)s RETURNING {names}"
).format(
    ended=_ENDED.format(reason="NULL"),
    mine=_MINE,
    first=_FIRST.format(kind="%(kind)s", line="%(line)s", seq="%(seq)s"),
    taken=_TAKEN.format(until="%(until)s"),
    names=_NAMES.replace("seq", "outbox.seq", 1),
)


def is_due(connection: Connection, kinds: Sequence[str], now: int) -> bool:
    """Whether a row is due; it may stand behind another one of its line."""
    if not kinds:
        return False
    values = [value for kind in kinds for value in (kind, now)]
    return driver(connection).execute(_any(mark(connection), len(kinds)), values).fetchone() is not None


def take(connection: Connection, kinds: Sequence[str], now: int, until: int, limit: int) -> list[Row]:
    """Rows that are due, by due time, until then nobody else's. `attempts` counts this."""
    if not kinds:
        return []
    cursor, one = _walking(connection), mark(connection)
    values = [value for kind in kinds for value in (kind, now, limit)]
    found = cursor.execute(_first(one, len(kinds)), (*values, limit)).fetchall()
    if found:
        these, seqs = arrays.among(connection.dialect.name, [row[0] for row in found])
        cursor.execute(_taken(one, these), (until, *seqs))
    return [(*row[:4], row[4] + 1, *row[5:]) for row in found]


def _walking(connection: Connection) -> Any:
    """PostgreSQL walks the indexes in this transaction: it plans once a connection, and to a worker that began with
    an empty table reading all of it looks cheap for ever."""
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        cursor.execute(_WALK)
    return cursor


@cache
def _any(mark: str, kinds: int) -> str:
    """In order, though nobody asks for it: to PostgreSQL reading the table from its beginning looks cheap else."""
    return _of_each(kinds, f"SELECT o.seq {_WAITS_OF.format(mark=mark)} ORDER BY o.due, o.seq LIMIT 1")


@cache
def _first(mark: str, kinds: int) -> str:
    locked = " FOR UPDATE OF o SKIP LOCKED" if mark == "%s" else ""
    names = ", ".join(f"o.{name}" for name in f"{_NAMES}, due".split(", "))
    waits = _WAITS_OF.format(mark=mark)
    each = f"SELECT {names} {waits}{_LEADS} ORDER BY o.due, o.seq LIMIT {mark}{locked}"
    return f"SELECT {_NAMES} FROM ({_of_each(kinds, each)}) AS o ORDER BY due, seq LIMIT {mark}"


def _of_each(kinds: int, asked: str) -> str:
    """Each kind is asked by itself: the index holds them in this order, and a hundred thousand rows of one kind
    cost the others nothing."""
    return " UNION ALL ".join(f"SELECT * FROM ({asked}) AS of_{number}" for number in range(kinds))


@cache
def _taken(mark: str, these: str) -> str:
    return f"UPDATE outbox SET due = {mark}, attempts = attempts + 1 WHERE seq {these}"


def end(connection: Connection, ended: Sequence[tuple[int, int, str | None]]) -> int:
    """Of (seq, attempts, reason): those that are still whose claim has this number are done. How many are."""
    cursor = driver(connection)
    if connection.dialect.name == "postgresql":
        values = arrays.columns(("bigint", "int", "text"), ended)
        return len(cursor.execute(_END_SEVERAL, values).fetchall())
    return sum(cursor.execute(_END_ONE, (reason, seq, attempts)).rowcount for seq, attempts, reason in ended)


def end_and_take(
    connection: Connection, seq: int, attempts: int, kind: str, line: str, now: int, until: int
) -> Row | None:
    """One row is done, and the next of its line taken until then: its columns, if it is due and nobody has it."""
    cursor = _walking(connection)
    if connection.dialect.name == "postgresql":
        found: Row | None = cursor.execute(_END_AND_TAKE, (seq, attempts, kind, line, until, now)).fetchone()
        return found
    if not end(connection, [(seq, attempts, None)]):
        return None
    rows: list[Row] = cursor.execute(_TAKE_ONE, (until, kind, line, seq, now)).fetchall()
    return rows[0] if rows else None
