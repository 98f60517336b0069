"""The outbox: work that must happen because of a write, stored in the write's own transaction.

Rules: the outbox is at least once. A row stays `waiting` until its handler has ended; a worker that dies between
doing the work and saying so leaves a row that is claimed again, with the same key and payload.
A claim is a lease: `due` moves into the future and `attempts` grows. The count is also the fence: a worker whose
lease ended while it slept cannot settle what another has claimed since.
Rows of one kind with the same `line` are worked one at a time in the order of `seq`; a dead row holds up nobody.
Ceiling: a claim walks over the waiting rows that stand behind the first of their line; 100,000 of them cost it
some tenths of a second.

Every function works in its caller's transaction. Times are microseconds since 1970, UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.fhir import json
from hub.store import outbox_rows
from hub.store.tables import outbox

WAITING, DONE, DEAD = "waiting", "done", "dead"
# written out: with a parameter in its place PostgreSQL cannot know that the indexes of what waits hold the rows
_WAITS: ColumnElement[str] = literal_column(f"'{WAITING}'")
FIRST_WAIT, LONGEST_WAIT, GIVE_UP = timedelta(seconds=1), timedelta(hours=1), timedelta(hours=72)
SECOND = 1_000_000
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed row. `attempts` counts this claim too."""

    seq: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int
    created: int
    line: str | None = None


Along = Callable[[Connection], object]  # what is written in the commit that settles a row


@dataclass(frozen=True, slots=True)
class Done:
    """The work is done, or (with a reason) there is no more need for it. `passed` are rows of its line that were
    done with it, each with a reason or none."""

    reason: str = ""
    passed: Sequence[tuple[Work, str]] = field(default=(), compare=False)
    along: Along | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Later:
    """Try again when `due`."""

    due: int
    reason: str
    along: Along | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Dead:
    """Given up: a person must look, and may replay it."""

    reason: str
    along: Along | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row without its payload, for lists. `reason` names no person."""

    seq: int
    kind: str
    key: str
    state: str
    attempts: int
    due: int
    created: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The handler itself settled the row, in the transaction of what it wrote."""


Settled = Done | Later | Dead
Outcome = Settled | Ended
Handler = Callable[[Work], Outcome]


def row(kind: str, key: str, payload: Mapping[str, Any], now: int, line: str | None = None) -> dict[str, Any]:
    """A row of work for the table; work with the same kind and key is the same work."""
    return {
        "kind": kind,
        "key": key,
        "line": line,
        "payload": json.write(dict(payload)),
        "state": WAITING,
        "due": now,
        "created": now,
    }


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows of work that another piece of work asks for."""
    if rows:
        connection.execute(insert(outbox), [dict(one) for one in rows])


def add_once(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store a row, unless the same work (its kind and key) is there already: done, or still to be done."""
    add_new(connection, [row])


def add_new(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Store those rows of which the same work is not there already, in the order of their keys: two that add the
    same rows never wait for each other in a circle. Returns how many."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = dialect.insert(outbox).on_conflict_do_nothing()
    ordered = sorted(rows, key=lambda one: str(one["key"]))
    return sum(connection.execute(added, dict(row)).rowcount for row in ordered)


def is_due(connection: Connection, kinds: Sequence[str], now: int) -> bool:
    """Whether a claim might find something: a look that takes no lock. What is due may stand behind another one."""
    return outbox_rows.is_due(connection, kinds, now)


def claim(connection: Connection, kinds: Sequence[str], now: int, lease_seconds: float, limit: int) -> list[Work]:
    """Take due work of these kinds: the first of each line, and what stands in no line. It comes back to others
    when the lease ends."""
    rows = outbox_rows.take(connection, kinds, now, now + round(lease_seconds * SECOND), limit)
    return [_work(row) for row in rows]


def _work(row: outbox_rows.Row) -> Work:
    seq, kind, key, payload, *rest = row
    return Work(seq, kind, key, json.stored(payload), *rest)


def done_and_next(
    connection: Connection, work: Work, ended: Outcome, now: int, lease_seconds: float
) -> Work | None:
    """The work is done (`ended` is a Done without a reason), and the next of its line, if that is due, is taken in
    the same commit. None where there is none, or the lease was lost: then no row changes."""
    if work.line is None:
        settle(connection, work, ended)
        return None
    if not isinstance(ended, Ended):
        _beside(connection, ended)
    until = now + round(lease_seconds * SECOND)
    found = outbox_rows.end_and_take(connection, work.seq, work.attempts, work.kind, work.line, now, until)
    return None if found is None else _work(found)


def behind(connection: Connection, work: Work, limit: int) -> list[Work]:
    """What waits behind a claimed row in its line, in order, unclaimed: whoever does it along settles it with
    `done_together`."""
    which = (outbox.c.kind == work.kind, outbox.c.line == work.line, outbox.c.seq > work.seq)
    asked = select(outbox).where(outbox.c.state == _WAITS, *which).order_by(outbox.c.seq).limit(limit)
    found = connection.execute(asked)
    return [Work(r.seq, r.kind, r.key, json.stored(r.payload), r.attempts, r.created, r.line) for r in found]


def done_together(connection: Connection, several: Sequence[tuple[Work, str]]) -> bool:
    """All of these are done, each with a reason or none. False where a lease was lost: the caller undoes it all."""
    rows = [(work.seq, work.attempts, (reason or None) and reason[:REASON_LENGTH]) for work, reason in several]
    return outbox_rows.end(connection, rows) == len(rows)


def done(connection: Connection, work: Work, reason: str = "") -> bool:
    """The work is done. False, and nothing changes, where the lease was lost or the row is settled already."""
    return _end(connection, work, state=DONE, reason=reason or None)


def later(connection: Connection, work: Work, due: int, reason: str) -> bool:
    """The work waits until `due`. False as in `done`."""
    return _end(connection, work, due=due, reason=reason)


def dead(connection: Connection, work: Work, reason: str) -> bool:
    """The work is given up. False as in `done`."""
    return _end(connection, work, state=DEAD, reason=reason)


def settle(connection: Connection, work: Work, settled: Outcome) -> bool:
    """What a handler said becomes of its row. False as in `done`."""
    if isinstance(settled, Ended):
        return True
    _beside(connection, settled)
    match settled:
        case Done(reason):
            return done(connection, work, reason)
        case Later(due, reason):
            return later(connection, work, due, reason)
        case Dead(reason):
            return dead(connection, work, reason)


def settle_all(connection: Connection, settled: Sequence[tuple[Work, Outcome]]) -> None:
    """The same for several: those that are done with one statement."""
    done_well = [(work, outcome) for work, outcome in settled if isinstance(outcome, Done)]
    for _, one in done_well:
        _beside(connection, one)
    if done_well:
        done_together(connection, [(work, one.reason) for work, one in done_well])
    for work, outcome in settled:
        if not isinstance(outcome, Done):
            settle(connection, work, outcome)


def alone(settled: Outcome) -> Outcome:
    """The same without what is written along: a log that cannot be written must not bring its work again."""
    return settled if isinstance(settled, Ended) else replace(settled, along=None)


def has_along(settled: Outcome) -> bool:
    return not isinstance(settled, Ended) and settled.along is not None


def _beside(connection: Connection, settled: Settled) -> None:
    if settled.along is not None:
        settled.along(connection)
    if isinstance(settled, Done) and settled.passed:
        done_together(connection, settled.passed)


def _end(connection: Connection, work: Work, **values: Any) -> bool:
    if values.get("reason"):
        values["reason"] = values["reason"][:REASON_LENGTH]
    mine = (outbox.c.seq == work.seq, outbox.c.state == WAITING, outbox.c.attempts == work.attempts)
    return connection.execute(update(outbox).where(*mine).values(values)).rowcount == 1


def release(connection: Connection, until: int) -> None:
    """Make due now what is due by then, the end of any lease: for the start of a hub that is the only one on its
    database. What waits longer waits on: receivers that fail are not all asked at once because the hub started."""
    leased = (outbox.c.state == WAITING, outbox.c.due > 0, outbox.c.due <= until)
    connection.execute(update(outbox).where(*leased).values(due=0))


def listed(connection: Connection, state: str = DEAD, limit: int = 100) -> list[Entry]:
    """The newest rows in a state, without their payload."""
    columns = [outbox.c[name] for name in Entry.__slots__]
    rows = connection.execute(
        select(*columns).where(outbox.c.state == state).order_by(outbox.c.seq.desc()).limit(limit)
    )
    return [Entry(*found) for found in rows]


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many rows there are of each kind in each state that has any."""
    rows = connection.execute(
        select(outbox.c.kind, outbox.c.state, func.count()).group_by(outbox.c.kind, outbox.c.state)
    )
    return {(kind, state): number for kind, state, number in rows}


def replay(connection: Connection, now: int, seqs: Sequence[int] | None = None) -> int:
    """Dead rows wait again, all of them (None) or those named, with their tries anew. Returns how many."""
    which: list[ColumnElement[bool]] = [outbox.c.state == DEAD]
    if seqs is not None:
        which.append(outbox.c.seq.in_(seqs))
    again = {"state": WAITING, "attempts": 0, "due": now, "reason": None}
    return connection.execute(update(outbox).where(*which).values(again)).rowcount


def purge(connection: Connection, before: int) -> int:
    """Forget what is done and was asked for before this moment. Returns how many rows went."""
    old = delete(outbox).where(outbox.c.state == DONE, outbox.c.created < before)
    return connection.execute(old).rowcount


def retry_after(attempt: int) -> timedelta | None:
    """Wait after failed try `attempt` (1 = the first). Doubles from 1 s, capped at 1 h; None: give up, because
    the waits would make more than 72 h."""
    waits = [_wait(number) for number in range(1, attempt + 1)]
    return waits[-1] if sum(waits, timedelta()) <= GIVE_UP else None


def _wait(attempt: int) -> timedelta:
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempt - 1, 20)
    return min(doubled, LONGEST_WAIT)


def spread(wait: timedelta, chance: float) -> timedelta:
    """The wait made up to a quarter shorter or longer, by a chance in [0, 1): retries must not march in step."""
    return wait * (0.75 + chance / 2)
