"""What the inbox holds: a message that arrived, its states, its row.

Rules: HL7 v2 chapter 2, MSH-10 Message Control ID is unique within sending application and facility
(https://hl7-definition.caristix.com/v2/HL7v2.5.1/Fields/MSH.10). So a message is known by source, feed and
control id; for ADT the feed is `MSH-3|MSH-4`, application and facility.

Times are microseconds since 1970, UTC. `seq` grows with arrival; two processes on one PostgreSQL may commit out of
turn. Messages of one `member` (`member_key`) are worked in the order of `seq`, one at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any

from sqlalchemy import Select, select

from hub.store.tables import inbox

RECEIVED, PROCESSED, REFUSED, LATE, DEAD = "received", "processed", "refused", "late", "dead"
STATES: Mapping[str, str] = {
    RECEIVED: "stored; processed when it is due",
    PROCESSED: "its resources are written",
    "unreadable": "its bytes are not the format that they claim to be",
    "unmapped": "a code or a facility has no row in its table: add the row, it goes on",
    "unmatched": "whose message it is, identity review must say",
    REFUSED: "answered with a refusal, or in conflict with an earlier message",
    "waiting": "needs a message that has not come yet",
    LATE: "came after the messages that it would be put together with were emptied: a person must look",
    DEAD: "tried too often: a person must look",
}
FEED, CONTROL_ID, LOCATION, SUBJECT = 128, 256, 64, 256  # what the columns hold
Awaited = tuple[str, str]  # what a parked message waits for: kind and key


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came. `state` is `received`, or `refused` with the reason and place that were answered.
    `member`: its line (`member_key`); None where no order is known."""

    source: str
    feed: str
    control_id: str
    raw: bytes = field(repr=False)
    received: int
    state: str = RECEIVED
    reason: str | None = None
    location: str | None = None
    member: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """All but the content. `subject` and `awaits_key` may name a person: not for logs. `fence` is the number of the
    claim: only the last one may end the message."""

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
    fence: int
    awaits_kind: str | None
    awaits_key: str | None = field(repr=False)

    @property
    def is_ended(self) -> bool:
        """Whether the worker is through with it, for the present: it is processed, or waits for something."""
        return self.state != RECEIVED

    @property
    def is_told(self) -> bool:
        """Whether what it says is written: it is processed, or was and is processed again."""
        return self.state == PROCESSED or (self.state == RECEIVED and self.processed is not None)


@dataclass(frozen=True, slots=True)
class Message(Entry):
    """An entry and its bytes, exactly as they came."""

    raw: bytes = field(repr=False)


ENTRY = tuple(inbox.c[name] for name in Entry.__dataclass_fields__)
MESSAGE: Select[Any] = select(*ENTRY, inbox.c.raw)


def fitting(text: str, limit: int) -> str:
    """The text, or its hash where no column could hold it: one message must not spoil the batch it came in."""
    if len(text) <= limit and text.isprintable():
        return text
    return f"sha256:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def member_key(*parts: bytes) -> int:
    """The line of a member's messages: a signed 64-bit number in which nobody reads whom the sender means. Two
    members with one number wait for each other, and nothing else."""
    return int.from_bytes(blake2b(b"\x1f".join(parts), digest_size=8).digest(), "big", signed=True)
