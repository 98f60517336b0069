"""The inbox: raw messages stored before they are believed, and what became of each.

Rules: a message is known by source, feed and control id (HL7 v2 MSH-10, https://www.hl7.org/implement/standards/
MSH-10 is unique within the sending application and facility). `feed` is therefore, for ADT, MSH-3 and MSH-4
as `application|facility`. The same key with the same bytes is the same message; with other bytes it is a conflict.
Refuses: nothing. A message that was refused, or that conflicts, is kept as well, in state `refused` and under
`control id#digest`, so that it never stands in the way of the message that corrects it.

Every function takes the caller's connection: what it does is part of the caller's transaction. Times are
microseconds since 1970, UTC. `seq` grows with arrival within one process; two processes may commit out of turn.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, bindparam, case, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.problems import Problem
from hub.store.tables import inbox

Receipt = Literal["new", "duplicate", "conflict"]
Key = tuple[str, str, str]

RECEIVED, PROCESSED, REFUSED, DEAD = "received", "processed", "refused", "dead"
STATES: Mapping[str, str] = {
    RECEIVED: "stored, to be processed when due",
    PROCESSED: "its resources are written",
    "unreadable": "its bytes are not the format they claim to be",
    "unmapped": "a code or facility has no row in its table: add one, replay",
    "unmatched": "its person needs a decision of identity review",
    REFUSED: "answered with a refusal, or in conflict with an earlier message",
    "waiting": "needs a message that has not come yet",
    DEAD: "tried too often; a person must look",
}
OF_SUBJECT = (RECEIVED, PROCESSED, "waiting")  # the states in which a message still speaks about its subject
MAX_ATTEMPTS = 8
TOO_OFTEN = f"tried {MAX_ATTEMPTS} times"


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
    """What can be shown of a message without its content. `subject` names a person: not for logs."""

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
    """A message with its bytes, exactly as they came."""

    raw: bytes = field(repr=False)


_ENTRY = tuple(inbox.c[name] for name in Entry.__dataclass_fields__)
_MESSAGE = (*_ENTRY, inbox.c.raw)
_KEY = tuple_(inbox.c.source, inbox.c.feed, inbox.c.control_id)
_INSERT = {  # at most one row of a key, whoever comes first; the others look at what is there
    dialect.dialect.name: dialect.insert(inbox).on_conflict_do_nothing(
        index_elements=["source", "feed", "control_id"]
    )
    for dialect in (sqlite, postgresql)
}


# -- arriving


def accept(connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
    """Store these messages; one receipt for each, in their order."""
    rows = [_row(arrival) for arrival in arrivals]
    first: dict[Key, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(_key(row), row)
    stored = _insert(connection, list(first.values()))
    known = {key: row["digest"] for key, row in first.items()}
    if stored < len(first):  # some were here already: whose bytes are they?
        known |= _digests(connection, list(first))
    return []
