"""Messages that wait for the first one of their subject: seen by it, and ended in its transaction.

They wait as `waiting` (hub.inbox.work.parked), for a thing whose key is the subject. What is missed here because
two workers did not see each other goes on by hub.inbox.waits. One that was emptied meanwhile says nothing any more.
Every function works in the caller's transaction.
Refuses (Lost): to end one that somebody else replayed or ended meanwhile.
"""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, update

from hub.inbox.messages import PROCESSED, SUBJECT, Awaited, Message, fitting
from hub.inbox.replaying import IS_KEPT
from hub.inbox.waits import KEY
from hub.inbox.work import Lost
from hub.store import inbox_rows
from hub.store.tables import inbox

WAITING = "waiting"
_ARE = (
    inbox.c.awaits_kind == bindparam("b_kind"),
    inbox.c.awaits_key == bindparam("b_key"),
    inbox.c.state == WAITING,
    IS_KEPT,
)


def thing(kind: str, subject: str) -> Awaited:
    """What a message about this subject waits for."""
    return kind, fitting(subject, KEY)


def waiting(connection: Connection, kind: str, subject: str) -> list[Message]:
    """Those that wait for it, in order of arrival."""
    return waiting_for(connection, kind, [subject])[subject]


def waiting_for(connection: Connection, kind: str, subjects: Collection[str]) -> dict[str, list[Message]]:
    """The same for several subjects."""
    found: dict[str, list[Message]] = {fitting(each, KEY): [] for each in subjects}
    for row in inbox_rows.waiting(connection, kind, found):
        message = Message(*row)
        found[message.awaits_key or ""].append(message)
    return {each: found[fitting(each, KEY)] for each in subjects}


def processed(connection: Connection, seqs: Collection[int], kind: str, subject: str, now: int) -> None:
    """In the transaction that writes what they said, too. Raises Lost."""
    values = {"state": PROCESSED, "reason": None, "location": None, "processed": now}
    values |= {"awaits_kind": None, "awaits_key": None, "subject": fitting(subject, SUBJECT)}
    ended = connection.execute(
        update(inbox).where(*_ARE, inbox.c.seq.in_(seqs)).values(values), _named(kind, subject)
    )
    if ended.rowcount != len(seqs):
        raise Lost


def _named(kind: str, subject: str) -> dict[str, str]:
    return dict(zip(("b_kind", "b_key"), thing(kind, subject), strict=True))
