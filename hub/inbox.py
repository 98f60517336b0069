"""The inbox: raw messages stored before they are believed, and what became of each.

Rules: HL7 v2 chapter 2, MSH-10 Message Control ID is unique within sending application and facility
(https://hl7-definition.caristix.com/v2/HL7v2.5.1/Fields/MSH.10). So a message is known by source, feed and
control id; for ADT the feed is `MSH-3|MSH-4`, application and facility. The same key with the same bytes is
the same message; with other bytes it is a conflict.
Refuses: nothing. A message that was refused, or that conflicts, is kept too: in state `refused`, as
`control id#digest`, so that it never stands in the way of the message that corrects it. Nothing is deleted
here; one row is at most as large as the largest frame or file that its listener takes.

Every function works in the caller's transaction. Times are microseconds since 1970, UTC. `seq` grows with
arrival; two processes on one PostgreSQL may commit out of turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import takewhile
from typing import Any, Literal

from sqlalchemy import Connection, Select, bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.problems import Problem
from hub.store.tables import inbox

Receipt = Literal["new", "duplicate", "conflict"]
Key = tuple[str, str, str]
Values = dict[str, Any]

RECEIVED, PROCESSED, REFUSED, DEAD = "received", "processed", "refused", "dead"
STATES: Mapping[str, str] = {
    RECEIVED: "stored; processed when it is due",
    PROCESSED: "its resources are written",
    "unreadable": "its bytes are not the format that they claim to be",
    "unmapped": "a code or a facility has no row in its table: add the row, replay",
    "unmatched": "whose message it is, identity review must say",
    REFUSED: "answered with a refusal, or in conflict with an earlier message",
    "waiting": "needs a message that has not come yet",
    DEAD: "tried too often: a person must look",
}
PARKED = frozenset(STATES) - {RECEIVED, PROCESSED}
SPEAKING = (RECEIVED, PROCESSED, "waiting")  # in these a message has something to say about its subject
MAX_ATTEMPTS = 8
SUSPECT = 3  # takes in vain after which a message is taken alone
MICROS = 1_000_000
FEED, CONTROL_ID, LOCATION, SUBJECT = 128, 256, 64, 256  # what the columns hold


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came. `state` is `received`, or `refused` with the reason and place that were answered."""

    source: str
    feed: str
    control_id: str
    raw: bytes = field(repr=False)
    received: int
    state: str = RECEIVED
    reason: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """All but the content. `subject` names a person: not for logs."""

    seq: int
    source: str
    feed: str
    control_id: str
    received: int
    state: str
    reason: str | None
    location: str | None
    subject: str | None = field(repr=False)
    attempts: int
    due: int
    processed: int | None


@dataclass(frozen=True, slots=True)
class Message(Entry):
    """An entry and its bytes, exactly as they came."""

    raw: bytes = field(repr=False)


_KEY = (inbox.c.source, inbox.c.feed, inbox.c.control_id)
_ENTRY = tuple(inbox.c[name] for name in Entry.__dataclass_fields__)
_MESSAGE: Select[Any] = select(*_ENTRY, inbox.c.raw)


# One row a key, whoever comes first. The rows that come back are those that this statement stored.
_STORE = {
    "sqlite": sqlite.insert(inbox).on_conflict_do_nothing(index_elements=_KEY).returning(*_KEY),
    "postgresql": postgresql.insert(inbox).on_conflict_do_nothing(index_elements=_KEY).returning(*_KEY),
}
# One key a statement. Lists of keys were measured: compiled anew for each length they take longer, and without
# statistics PostgreSQL answers them with a scan of the whole feed. Duplicates are few.
_HELD = select(inbox.c.digest).where(
    *(key == bindparam(name) for key, name in zip(_KEY, "sfc", strict=True)),
)


def accept(
    connection: Connection, arrivals: Sequence[Arrival], known: Mapping[Key, bytes] | None = None
) -> list[Receipt]:
    """Store these messages; a receipt for each, in their order. They are safe once the transaction is.
    `known`: digests of messages that another store has already (hub.spool); they are not stored again."""
    known = known or {}
    rows = [_row(arrival) for arrival in arrivals]
    first: dict[Key, Values] = {}
    for row in rows:
        first.setdefault(_key(row), row)
    fresh = _store(connection, [row for key, row in first.items() if key not in known])
    held = {
        key: known.get(key) or (row["digest"] if key in fresh else _digest(connection, key))
        for key, row in first.items()
    }
    receipts = [_receipt(row, row is first[_key(row)] and _key(row) in fresh, held) for row in rows]
    _store(connection, [_aside(row) for row, receipt in zip(rows, receipts, strict=True) if receipt == "conflict"])
    return receipts


def digests(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Key, bytes]:
    """The digests of those messages that are in the inbox already, by their key."""
    found: dict[Key, bytes] = {}
    for key in {_key(_row(arrival)) for arrival in arrivals}:
        digest = connection.execute(_HELD, dict(zip("sfc", key, strict=True))).scalar_one_or_none()
        if digest is not None:
            found[key] = bytes(digest)
    return found


def take_over(connection: Connection, rows: list[Values]) -> None:
    """Store rows that another store accepted, once each. Should a key be taken by other bytes, it stands aside."""
    fresh = _store(connection, rows)
    others = [row for row in rows if _key(row) not in fresh]
    _store(connection, [_aside(row) for row in others if _digest(connection, _key(row)) != row["digest"]])


def _receipt(row: Values, fresh: bool, held: Mapping[Key, bytes]) -> Receipt:
    if fresh:
        return "new"
    return "duplicate" if held[_key(row)] == row["digest"] else "conflict"


def _row(arrival: Arrival) -> Values:
    row = {
        "source": arrival.source,
        "feed": _fitting(arrival.feed, FEED),
        "control_id": _fitting(arrival.control_id, CONTROL_ID - 33),  # 33: `#` and the digest that may follow
        "digest": sha256(arrival.raw).digest(),
        "received": arrival.received,
        "raw": arrival.raw,
        "state": arrival.state,
        "reason": arrival.reason,
        "location": arrival.location,
    }
    return row if arrival.state == RECEIVED else _beside(row)


def _fitting(text: str, limit: int) -> str:
    """The text, or its hash where no column could hold it: one message must not spoil the batch it came in."""
    if len(text) <= limit and text.isprintable():
        return text
    return f"sha256:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _beside(row: Values) -> Values:
    return row | {"control_id": f"{row['control_id']}#{row['digest'].hex()[:32]}"}


def _aside(row: Values) -> Values:
    reason = "Control id used before by a message with other content"
    return _beside(row) | {"state": REFUSED, "reason": reason, "location": "MSH-10"}


def _key(row: Values) -> Key:
    return row["source"], row["feed"], row["control_id"]


def _store(connection: Connection, rows: list[Values]) -> set[Key]:
    if not rows:
        return set()
    return {(s, f, c) for s, f, c in connection.execute(_STORE[connection.dialect.name], rows)}


def _digest(connection: Connection, key: Key) -> bytes:
    return bytes(connection.execute(_HELD, dict(zip("sfc", key, strict=True))).scalar_one())


# A worker that died with a message gave it no other end: the attempt counts from the moment of the claim.
_DUE = (
    # `+ 0`: by due time, PostgreSQL would read and sort the whole backlog; by state and seq it stops at the limit
    _MESSAGE.where(inbox.c.state == RECEIVED, inbox.c.due + 0 <= bindparam("now"))
    .order_by(inbox.c.seq)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(inbox)
    .where(inbox.c.seq == bindparam("b_seq"))
    .values(due=bindparam("b_due"), attempts=inbox.c.attempts + 1)
)


def is_due(connection: Connection, now: int) -> bool:
    """Whether a claim might find something: a look that takes no lock."""
    due = select(inbox.c.seq).where(inbox.c.state == RECEIVED, inbox.c.due <= now)
    return connection.execute(due.limit(1)).first() is not None


def claim(connection: Connection, now: int, lease_seconds: int, limit: int) -> list[Message]:
    """Take due messages, oldest first; they come back to others when the lease ends. Each take is an attempt.
    A message that was taken several times in vain is taken alone: if it kills its worker, it kills no other's try.
    """
    due = _together([Message(*row) for row in connection.execute(_DUE, {"now": now, "limit": limit})])
    taken = [message for message in due if message.attempts < MAX_ATTEMPTS]
    for message in due:
        if message.attempts >= MAX_ATTEMPTS:
            _end(connection, message.seq, state=DEAD, reason=f"tried {MAX_ATTEMPTS} times without an end")
    if taken:
        until = now + lease_seconds * MICROS
        connection.execute(_LEASE, [{"b_seq": message.seq, "b_due": until} for message in taken])
    return taken


def _together(due: list[Message]) -> list[Message]:
    return list(takewhile(lambda message: message.attempts < SUSPECT, due)) or due[:1]


def _end(connection: Connection, seq: int, **values: Any) -> bool:
    """Move a message out of `received`; False where it is not there (any more)."""
    statement = update(inbox).where(inbox.c.seq == seq, inbox.c.state == RECEIVED).values(**values)
    return connection.execute(statement).rowcount == 1


def _must(ended: bool) -> None:
    if not ended:
        raise Problem("conflict", "The message is no longer in state received; another worker ended it")


def processed(connection: Connection, seq: int, now: int) -> None:
    """In the transaction that writes the resources. Raises `conflict` where another worker was first, so that
    a worker whose lease ended while it slept undoes its writes."""
    _must(_end(connection, seq, state=PROCESSED, reason=None, location=None, processed=now))


def parked(connection: Connection, seq: int, state: str, reason: str, location: str | None, now: int) -> None:
    """Put a message where a person can find it. Raises `conflict` where another worker ended it."""
    if state not in PARKED:
        raise ValueError(f"{state} is not a state to park in")
    place = location and location[:LOCATION]
    _must(_end(connection, seq, state=state, reason=reason, location=place, processed=now))


def retry_later(connection: Connection, seq: int, due: int, reason: str) -> None:
    """Try again from `due` on, or `dead` after MAX_ATTEMPTS. Nothing happens where another worker ended it."""
    state = case((inbox.c.attempts >= MAX_ATTEMPTS, DEAD), else_=RECEIVED)
    _end(connection, seq, state=state, due=due, reason=reason)


def release(connection: Connection) -> None:
    """Make every message due now: for the start of a hub that is the only one on its database."""
    connection.execute(update(inbox).where(inbox.c.state == RECEIVED, inbox.c.due > 0).values(due=0))


def replay(connection: Connection, seqs: Sequence[int] = (), state: str | None = None) -> int:
    """Process these again: the messages named, or all in one state. Returns how many."""
    which = inbox.c.state == state if state else inbox.c.seq.in_(seqs)
    again = {"state": RECEIVED, "attempts": 0, "due": 0, "reason": None, "location": None, "processed": None}
    return connection.execute(update(inbox).where(which, inbox.c.state != RECEIVED).values(again)).rowcount


def listed(connection: Connection, state: str | None = None, limit: int = 100) -> list[Entry]:
    """The newest messages, of one state or of all, without their content."""
    statement = select(*_ENTRY).order_by(inbox.c.seq.desc()).limit(limit)
    chosen = statement.where(inbox.c.state == state) if state else statement
    return [Entry(*row) for row in connection.execute(chosen)]


def counts(connection: Connection) -> dict[str, int]:
    """How many messages there are in each state that has any."""
    by_state = select(inbox.c.state, func.count()).group_by(inbox.c.state)
    return {row[0]: row[1] for row in connection.execute(by_state)}


def shown(connection: Connection, seq: int) -> Message | None:
    """One message with its content."""
    row = connection.execute(_MESSAGE.where(inbox.c.seq == seq)).one_or_none()
    return Message(*row) if row else None


def set_subject(connection: Connection, seq: int, subject: str) -> None:
    """Note whom or what a message is about, so that all about one subject can be read in order."""
    connection.execute(update(inbox).where(inbox.c.seq == seq).values(subject=_fitting(subject, SUBJECT)))


def seqs_of_subject(connection: Connection, subject: str, state: str) -> set[int]:
    """Which messages about a subject are in a state; as `of_subject`, without their bytes."""
    about = select(inbox.c.seq).where(inbox.c.subject == _fitting(subject, SUBJECT), inbox.c.state == state)
    return set(connection.execute(about).scalars())


def of_subject(connection: Connection, subject: str) -> list[Message]:
    """What was said about a subject, in order of arrival: received, processed and waiting messages."""
    said = _MESSAGE.where(inbox.c.subject == _fitting(subject, SUBJECT), inbox.c.state.in_(SPEAKING))
    return [Message(*row) for row in connection.execute(said.order_by(inbox.c.seq))]
