"""What a person sees of the inbox: which messages there are, how many in which state and why, one of them.

Every function works in the caller's transaction.
"""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from hub.inbox.choosing import Which, reason_kind
from hub.inbox.messages import ENTRY, MESSAGE, RECEIVED, Arrival, Entry, Message
from hub.store.tables import inbox

ALL = Which()


class Count(NamedTuple):
    state: str
    reason: str
    number: int


def listed(connection: Connection, which: Which = ALL, limit: int = 100) -> list[Entry]:
    """The newest of these messages, without their content."""
    statement = select(*ENTRY).where(*which.conditions()).order_by(inbox.c.seq.desc()).limit(limit)
    return [Entry(*row) for row in connection.execute(statement)]


def counts(connection: Connection, which: Which = ALL) -> dict[str, int]:
    """How many of these messages there are in each state that has any."""
    by_state = select(inbox.c.state, func.count()).where(*which.conditions()).group_by(inbox.c.state)
    return {row[0]: row[1] for row in connection.execute(by_state)}


def counts_by_reason(connection: Connection, which: Which = ALL) -> list[Count]:
    """The same by kind of reason, the most frequent of each state first."""
    columns = inbox.c.state, inbox.c.reason
    asked = select(*columns, func.count()).where(*which.conditions()).group_by(*columns)
    found: Counter[tuple[str, str]] = Counter()
    for state, reason, number in connection.execute(asked):
        found[state, reason_kind(reason or "")] += number
    several = (Count(state, reason, number) for (state, reason), number in found.items())
    return sorted(several, key=lambda one: (one.state, -one.number, one.reason))


def oldest_received(connection: Connection) -> int | None:
    """When the oldest message came that nobody has ended; None where there is none. By its place: two processes may
    store out of turn, by no more than their commits take."""
    first = select(inbox.c.received).where(inbox.c.state == RECEIVED).order_by(inbox.c.seq).limit(1)
    return connection.execute(first).scalar_one_or_none()


def kept_as(connection: Connection, arrival: Arrival) -> Entry | None:
    """What became of an arrival, without its content; None where it is not in the inbox (yet)."""
    named = (inbox.c.source == arrival.source, inbox.c.feed == arrival.feed)
    found = select(*ENTRY).where(*named, inbox.c.control_id == arrival.control_id)
    row = connection.execute(found).one_or_none()
    return Entry(*row) if row else None


def shown(connection: Connection, seq: int) -> Message | None:
    """One message with its content."""
    row = connection.execute(MESSAGE.where(inbox.c.seq == seq)).one_or_none()
    return Message(*row) if row else None
