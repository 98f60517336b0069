"""Messages are processed again because a person says so.

What is `received` is left alone: it will be processed anyway, and a worker may have it. What is `processed` is
taken only where the person says so expressly; processing it again changes no resource (docs/adr/0006). What was
emptied (hub.inbox.retention) cannot be processed any more.
Refuses: nothing; the answer says how many were left alone, and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from hub.inbox.choosing import Which
from hub.inbox.messages import PROCESSED, RECEIVED
from hub.store.engine import Database
from hub.store.tables import inbox

CHUNK = 1000  # of one transaction
AGAIN: dict[str, Any] = {
    "state": RECEIVED,
    "attempts": 0,
    "due": 0,
    "reason": None,
    "location": None,
    # what was written still counts, until the message ends again: its visit must not be put together without it
    "processed": case((inbox.c.state == PROCESSED, inbox.c.processed), else_=None),
    "awaits_kind": None,
    "awaits_key": None,
}
IS_KEPT: ColumnElement[bool] = func.length(inbox.c.raw) > 0


@dataclass
class Replay:
    """How many messages of each state are processed again, and how many were left alone."""

    again: dict[str, int] = field(default_factory=dict)
    received: int = 0
    processed: int = 0
    emptied: int = 0

    @property
    def number(self) -> int:
        return sum(self.again.values())


def planned(connection: Connection, which: Which, processed: bool) -> Replay:
    """What a replay would do now."""
    kept = IS_KEPT.label("kept")
    asked = select(inbox.c.state, kept, func.count()).where(*which.conditions()).group_by(inbox.c.state, kept)
    plan = Replay()
    for state, is_kept, number in connection.execute(asked):
        if state == RECEIVED:
            plan.received += number
        elif not is_kept:
            plan.emptied += number
        elif state == PROCESSED and not processed:
            plan.processed += number
        else:
            plan.again[state] = number
    return plan


def replay(database: Database, which: Which, processed: bool = False) -> Replay:
    """Process these again, the oldest first, chunk by chunk: what is done stays done where a later chunk fails."""
    with database.read() as connection:
        plan = planned(connection, which, processed)
    plan.again = {}
    after = -1
    while seqs := _chunk(database, which, processed, after):
        for state, number in database.writing(partial(taken, seqs=seqs)).items():
            plan.again[state] = plan.again.get(state, 0) + number
        after = seqs[-1]
    return plan


def _chunk(database: Database, which: Which, processed: bool, after: int) -> list[int]:
    left = (RECEIVED,) if processed else (RECEIVED, PROCESSED)
    wanted = (*which.conditions(), inbox.c.state.not_in(left), IS_KEPT, inbox.c.seq > after)
    with database.read() as connection:
        found = connection.execute(select(inbox.c.seq).where(*wanted).order_by(inbox.c.seq).limit(CHUNK))
        return list(found.scalars())


def taken(connection: Connection, seqs: Sequence[int]) -> dict[str, int]:
    """Those of them that are still not `received`: another person may replay at the same moment."""
    mine = select(inbox.c.seq, inbox.c.state).where(inbox.c.seq.in_(seqs), inbox.c.state != RECEIVED)
    found = connection.execute(mine.order_by(inbox.c.seq).with_for_update()).all()
    connection.execute(update(inbox).where(inbox.c.seq.in_([row.seq for row in found])).values(AGAIN))
    by_state: dict[str, int] = {}
    for row in found:
        by_state[row.state] = by_state.get(row.state, 0) + 1
    return by_state
