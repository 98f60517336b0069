"""The worker's side of the inbox: a message is claimed, and ended once.

Every function works in the caller's transaction. Times are microseconds since 1970, UTC.
Refuses (`conflict`): to end a message that another worker ended.
"""

from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, bindparam, case, literal_column, select, update

from hub.inbox.messages import DEAD, LOCATION, MESSAGE, PROCESSED, RECEIVED, STATES, SUBJECT, Message, fitting
from hub.problems import Problem
from hub.store.tables import inbox

PARKED = frozenset(STATES) - {RECEIVED, PROCESSED}
SPEAKING = (RECEIVED, PROCESSED, "waiting")  # in these a message has something to say about its subject
MAX_ATTEMPTS = 8
SUSPECT = 3  # takes in vain after which a message is taken alone
MICROS = 1_000_000
# in the text and no parameter: so PostgreSQL's one plan for all values finds the index of what is received
_IS_RECEIVED = inbox.c.state == literal_column(f"'{RECEIVED}'")

# A worker that died with a message gave it no other end: the attempt counts from the moment of the claim.
_DUE = (
    # `+ 0`: by due time, PostgreSQL would read and sort the whole backlog; by state and seq it stops at the limit
    MESSAGE.where(_IS_RECEIVED, inbox.c.due + 0 <= bindparam("now"))
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
    due = select(inbox.c.seq).where(_IS_RECEIVED, inbox.c.due <= now)
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
    connection.execute(update(inbox).where(_IS_RECEIVED, inbox.c.due > 0).values(due=0))


def set_subject(connection: Connection, seq: int, subject: str) -> None:
    """Note whom or what a message is about, so that all about one subject can be read in order."""
    connection.execute(update(inbox).where(inbox.c.seq == seq).values(subject=fitting(subject, SUBJECT)))


def seqs_of_subject(connection: Connection, subject: str, state: str) -> set[int]:
    """Which messages about a subject are in a state; as `of_subject`, without their bytes."""
    about = select(inbox.c.seq).where(inbox.c.subject == fitting(subject, SUBJECT), inbox.c.state == state)
    return set(connection.execute(about).scalars())


def of_subject(connection: Connection, subject: str) -> list[Message]:
    """What was said about a subject, in order of arrival: received, processed and waiting messages."""
    said = MESSAGE.where(inbox.c.subject == fitting(subject, SUBJECT), inbox.c.state.in_(SPEAKING))
    return [Message(*row) for row in connection.execute(said.order_by(inbox.c.seq))]
