"""What a person sees of the inbox, and does: list, look into one, have it processed again.

Every function works in the caller's transaction.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from hub.inbox.messages import ENTRY, MESSAGE, RECEIVED, Entry, Message
from hub.store.tables import inbox


def replay(connection: Connection, seqs: Sequence[int] = (), state: str | None = None) -> int:
    """Process these again: the messages named, or all in one state. Returns how many."""
    which = inbox.c.state == state if state else inbox.c.seq.in_(seqs)
    again = {"state": RECEIVED, "attempts": 0, "due": 0, "reason": None, "location": None, "processed": None}
    return connection.execute(update(inbox).where(which, inbox.c.state != RECEIVED).values(again)).rowcount


def listed(connection: Connection, state: str | None = None, limit: int = 100) -> list[Entry]:
    """The newest messages, of one state or of all, without their content."""
    statement = select(*ENTRY).order_by(inbox.c.seq.desc()).limit(limit)
    chosen = statement.where(inbox.c.state == state) if state else statement
    return [Entry(*row) for row in connection.execute(chosen)]


def counts(connection: Connection) -> dict[str, int]:
    """How many messages there are in each state that has any."""
    by_state = select(inbox.c.state, func.count()).group_by(inbox.c.state)
    return {row[0]: row[1] for row in connection.execute(by_state)}


def shown(connection: Connection, seq: int) -> Message | None:
    """One message with its content."""
    row = connection.execute(MESSAGE.where(inbox.c.seq == seq)).one_or_none()
    return Message(*row) if row else None
