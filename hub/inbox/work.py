"""The worker's side of the inbox: a message is claimed, and ended once.

A claim is a lease. Its number, `fence`, grows with each claim and never falls, a replay included: a worker whose
lease ended while it slept ends nothing that was claimed since.
Of one member (hub.inbox.messages.member_key) only the first message that is `received` is given out, so that the
others wait while it is leased or waits for its retry. What has left `received` (parked, dead) holds up nobody.
A claim looks at the oldest WINDOW messages and at WINDOW more (`Walk`), so that a long line behind a held message
costs others time only; each turn walks on from where the last ended.

Every function works in the caller's transaction. Times are microseconds since 1970, UTC.
Refuses (`conflict`): to end a message that another worker ended or has claimed since.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    case,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from hub.inbox.messages import (
    DEAD,
    LOCATION,
    MESSAGE,
    PROCESSED,
    RECEIVED,
    STATES,
    SUBJECT,
    Awaited,
    Entry,
    Message,
    fitting,
)
from hub.problems import Problem
from hub.store import inbox_rows
from hub.store.tables import inbox

PARKED = frozenset(STATES) - {RECEIVED, PROCESSED}
MAX_ATTEMPTS = 5
SUSPECT = 1  # takes in vain after which a message is taken alone
LET_GO = 3  # takes that it counts for a message that it was held together with others
BACK_OFF = (1, 4, 16, 64)  # seconds to wait after each try in vain; then the last again
SOONEST = 3  # of these waits: the longest for what passes, for then the backlog is worked off
TOGETHER_SECONDS = 5  # the longest lease of messages that are taken together: one may kill whoever has them all
WINDOW = 500  # messages that a claim looks at in one go
FROM_THE_START = -1
NEVER = 2**62  # when due is what has a lane of its own
MICROS = 1_000_000
# in the text and no parameter: so PostgreSQL's one plan for all values finds the index of what is received
_RECEIVED: ColumnElement[str] = literal_column(f"'{RECEIVED}'")
_IS_RECEIVED = inbox.c.state == _RECEIVED

_ahead = inbox.alias("ahead")
# the offset keeps PostgreSQL from making a join of it, for which it would read and sort the whole backlog
_BEHIND = (
    select(literal_column("1"))
    .select_from(_ahead)
    .where(_ahead.c.member == inbox.c.member, _ahead.c.state == _RECEIVED, _ahead.c.seq < inbox.c.seq)
    .correlate(inbox)
    .limit(1)
    .offset(0)
    .exists()
)
# A worker that died with a message gave it no other end: the attempt counts from the moment of the claim.
# By state and seq a claim stops at its limit; by due time it would read and sort the whole backlog. So `+ 0`. And
# PostgreSQL compares rows, because an equal state would be no part of the order: then the primary key would give it
# as well. SQLite finds both ends of the window in the index only if the state is equal.
_after, _upto = bindparam("after", type_=BigInteger), bindparam("upto", type_=BigInteger)
_place = tuple_(inbox.c.state, inbox.c.seq)
_PAST = {
    "sqlite": (_IS_RECEIVED, inbox.c.seq > _after),
    "postgresql": (_place.op(">")(tuple_(_RECEIVED, _after)), inbox.c.state <= _RECEIVED),
}
_UPTO = {"sqlite": inbox.c.seq <= _upto, "postgresql": _place.op("<=")(tuple_(_RECEIVED, _upto))}
DUE = {
    dialect: MESSAGE.where(
        *_PAST[dialect],
        _UPTO[dialect],
        inbox.c.due + 0 <= bindparam("now", type_=BigInteger),
        or_(inbox.c.member.is_(None), ~_BEHIND),
    )
    .order_by(inbox.c.state, inbox.c.seq)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True, of=inbox)
    for dialect in _PAST
}
_END = {
    dialect: select(inbox.c.seq)
    .where(*past)
    .order_by(inbox.c.state, inbox.c.seq)
    .limit(1)
    .offset(bindparam("window", type_=Integer))
    for dialect, past in _PAST.items()
}
_MINE = update(inbox).where(
    inbox.c.seq == bindparam("b_seq"), inbox.c.fence == bindparam("b_fence"), inbox.c.state == RECEIVED
)


def is_due(connection: Connection, now: int) -> bool:
    """Whether a claim might find something: a look that takes no lock."""
    due = select(inbox.c.seq).where(_IS_RECEIVED, inbox.c.due <= now).order_by(inbox.c.due)
    return connection.execute(due.limit(1)).first() is not None


def walks(connection: Connection) -> None:
    """PostgreSQL walks the index in this transaction, whatever its statistics make it believe of the backlog."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_sort = off")


@dataclass
class Walk:
    """How far a worker has looked beyond the oldest messages, among those that wait behind others."""

    after: int = FROM_THE_START


def claim(
    connection: Connection,
    now: int,
    lease_seconds: int,
    limit: int,
    tries: int = MAX_ATTEMPTS,
    walk: Walk | None = None,
) -> list[Message]:
    """Take due messages, oldest first, one of each member; they come back to others when the lease ends. Each take
    is an attempt, and after `tries` in vain a message is dead.
    A message that was taken several times in vain is taken alone: if it kills its worker, it kills no other's try.
    """
    walks(connection)
    due = _together(_due(connection, now, limit, walk or Walk()))
    for message in due:
        if message.attempts >= tries:
            _end(connection, message, state=DEAD, reason=f"tried {tries} times without an end")
    taken = [_claimed(message) for message in due if message.attempts < tries]
    if taken:
        seconds = lease_seconds if len(taken) == 1 else min(lease_seconds, TOGETHER_SECONDS)
        until = now + seconds * MICROS
        inbox_rows.lease(connection, [message.seq for message in taken], until)
    return taken


def _due(connection: Connection, now: int, limit: int, walk: Walk) -> list[Message]:
    found, end = _window(connection, now, limit, FROM_THE_START)
    if end is None or len(found) == limit:
        return found
    start = max(walk.after, end)
    more, end = _window(connection, now, limit - len(found), start)
    walk.after = FROM_THE_START if end is None else start if more else end
    return found + more


def _window(connection: Connection, now: int, limit: int, after: int) -> tuple[list[Message], int | None]:
    """What is due among the next messages, and where these end; None where there are no more behind them."""
    dialect = connection.dialect.name
    end = connection.execute(_END[dialect], {"after": after, "window": WINDOW - 1}).scalar_one_or_none()
    among = {"now": now, "limit": limit, "after": after, "upto": end or 2**63 - 1}
    return [Message(*row) for row in connection.execute(DUE[dialect], among)], end


def _together(due: list[Message]) -> list[Message]:
    return list(takewhile(lambda message: message.attempts < SUSPECT, due)) or due[:1]


def _claimed(message: Message) -> Message:
    """With the number of this claim. `attempts` stays as it was before."""
    values = {name: getattr(message, name) for name in (*Entry.__dataclass_fields__, "raw")}
    return Message(**values | {"fence": message.fence + 1})


def _end(connection: Connection, message: Entry, **values: Any) -> bool:
    """Move a message out of `received`; False where it is not there any more, or another has claimed it since."""
    given = {f"b_{name}": value for name, value in values.items() if not isinstance(value, ColumnElement)}
    computed = {name: value for name, value in values.items() if f"b_{name}" not in given}
    ended = _ending(tuple(name.removeprefix("b_") for name in given))
    statement = ended.values(**computed) if computed else ended
    claimed = {"b_seq": message.seq, "b_fence": message.fence}
    return connection.execute(statement, claimed | given).rowcount == 1


@cache
def _ending(names: tuple[str, ...]) -> Any:
    return _MINE.values({name: bindparam(f"b_{name}", type_=inbox.c[name].type) for name in names})


class Lost(Problem):
    """Another worker ended the message, or has claimed it since."""

    def __init__(self) -> None:
        super().__init__("conflict", "The message is no longer this worker's: another worker ended it, or has it")


def _must(ended: bool) -> None:
    if not ended:
        raise Lost


def processed(connection: Connection, message: Entry, now: int, subject: str | None = None) -> None:
    """In the transaction that writes the resources. `subject`: whom or what the message turned out to be about, so
    that all about one subject can be read in order. Raises `conflict` where another worker was first, so that a
    worker whose lease ended while it slept undoes its writes."""
    processed_together(connection, [(message, subject)], now)


def processed_together(connection: Connection, ended: Sequence[tuple[Entry, str | None]], now: int) -> None:
    """`processed` for several, all or none."""
    rows = [(each.seq, each.fence, subject and fitting(subject, SUBJECT)) for each, subject in ended]
    _must(inbox_rows.end(connection, rows, now) == len(rows))


def parked(
    connection: Connection,
    message: Entry,
    state: str,
    reason: str,
    location: str | None,
    now: int,
    awaits: Awaited | None = None,
) -> None:
    """Put a message where a person can find it; `awaits`: or where it goes on by itself (hub.inbox.waits). Raises
    `conflict` where another worker ended it."""
    if state not in PARKED:
        raise ValueError(f"{state} is not a state to park in")
    kind, key = awaits or (None, None)
    where = location and location[:LOCATION]
    values = {"awaits_kind": kind, "awaits_key": key, "location": where}
    _must(_end(connection, message, state=state, reason=reason, processed=now, **values))


def retry_later(connection: Connection, message: Entry, due: int, reason: str, tries: int = MAX_ATTEMPTS) -> None:
    """Try again from `due` on, or `dead` after so many tries. Nothing happens where another worker ended it."""
    state = case((inbox.c.attempts >= tries, DEAD), else_=RECEIVED)
    _end(connection, message, state=state, due=due, reason=reason)


def wait_for_it(connection: Connection, message: Message, now: int, reason: str) -> None:
    """What hinders passes (a lock, a full disk): this take does not count. Waits grow with the claim's number."""
    wait = wait_after(min(message.fence, SOONEST))
    _end(connection, message, attempts=inbox.c.attempts - 1, due=now + wait, reason=reason)


def let_go(connection: Connection, messages: Sequence[Entry], now: int, tries: int = MAX_ATTEMPTS) -> None:
    """Messages that were taken together and do not end may be taken again at once, each alone. Whoever has them may
    still end those that nobody has taken since."""
    takes = min(LET_GO, tries - 1)
    suspect = case((inbox.c.attempts < takes, takes), else_=inbox.c.attempts)
    for message in messages:
        _end(connection, message, due=now, attempts=suspect)


def wait_after(attempt: int) -> int:
    """Microseconds to wait after try `attempt` (1 = the first)."""
    return BACK_OFF[min(attempt, len(BACK_OFF)) - 1] * MICROS


def release(connection: Connection) -> None:
    """Make every message due now: for the start of a hub that is the only one on its database. What has a lane of
    its own is left there: a claim would count as an attempt, and so many starts of the hub would make it dead."""
    connection.execute(update(inbox).where(_IS_RECEIVED, inbox.c.due > 0, inbox.c.due < NEVER).values(due=0))


def seqs_told(connection: Connection, subject: str) -> set[int]:
    """Which messages about a subject are written (`Entry.is_told`); as `of_subject`, without their bytes."""
    return seqs_told_of(connection, [subject])[subject]


def seqs_told_of(connection: Connection, subjects: Collection[str]) -> dict[str, set[int]]:
    """The same for several subjects."""
    found: dict[str, set[int]] = {fitting(each, SUBJECT): set() for each in subjects}
    for subject, seq in inbox_rows.told(connection, found):
        found[subject].add(seq)
    return {each: found[fitting(each, SUBJECT)] for each in subjects}


def of_subject(connection: Connection, subject: str) -> list[Message]:
    """What was said about a subject, in order of arrival: received, processed and waiting messages."""
    return of_subjects(connection, [subject])[subject]


def of_subjects(connection: Connection, subjects: Collection[str]) -> dict[str, list[Message]]:
    """The same for several subjects."""
    found: dict[str, list[Message]] = {fitting(each, SUBJECT): [] for each in subjects}
    for row in inbox_rows.said(connection, found):
        message = Message(*row)
        found[message.subject or ""].append(message)
    return {each: found[fitting(each, SUBJECT)] for each in subjects}
