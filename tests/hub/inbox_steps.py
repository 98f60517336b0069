"""Steps of the inbox's tests: each is one transaction."""

from typing import Any

from sqlalchemy import update

from hub.inbox import arrivals as incoming
from hub.inbox import listing, work
from hub.inbox.arrivals import Receipt
from hub.inbox.choosing import Which
from hub.inbox.messages import SUBJECT, Arrival, Awaited, Entry, Message, fitting
from hub.store.engine import Database
from hub.store.tables import inbox

SECOND = 1_000_000
NOW = 1_000 * SECOND


def arrival(control_id: str, raw: bytes = b"one", feed: str = "EHR|HOSPITAL_ONE", **more: Any) -> Arrival:
    return Arrival("adt", feed, control_id, raw, NOW, **more)


def accept(database: Database, *arrivals: Arrival) -> list[Receipt]:
    return database.writing(lambda connection: incoming.accept(connection, arrivals))


def claim(database: Database, now: int = NOW, limit: int = 100, lease: int = 60) -> list[Message]:
    return database.writing(lambda connection: work.claim(connection, now, lease, limit))


def every(database: Database, state: str | None = None) -> list[Entry]:
    with database.read() as connection:
        return listing.listed(connection, Which(states=(state,) if state else ()), limit=10_000)


def shown(database: Database, seq: int) -> Message:
    with database.read() as connection:
        found = listing.shown(connection, seq)
    assert found
    return found


def park(
    database: Database,
    seq: int,
    state: str,
    reason: str = "a reason",
    location: str | None = None,
    awaits: Awaited | None = None,
) -> None:
    """By whoever has claimed it last."""
    message = shown(database, seq)
    database.writing(lambda connection: work.parked(connection, message, state, reason, location, NOW, awaits))


def retry_later(database: Database, seq: int, due: int) -> None:
    message = shown(database, seq)
    database.writing(lambda connection: work.retry_later(connection, message, due, "busy"))


def set_subject(database: Database, seq: int, subject: str) -> None:
    """As `work.processed` notes it."""
    told = update(inbox).where(inbox.c.seq == seq).values(subject=fitting(subject, SUBJECT))
    database.writing(lambda connection: connection.execute(told))


def process(database: Database, seq: int, now: int = NOW) -> None:
    message = shown(database, seq)
    database.writing(lambda connection: work.processed(connection, message, now))


def accepted(database: Database, count: int = 1) -> list[int]:
    """Seqs of `count` new messages, oldest first."""
    return lined(database, *[None] * count)


def lined(database: Database, *members: int | None) -> list[int]:
    """Seqs of new messages of these members, oldest first."""
    start = len(every(database))
    numbered = enumerate(members, start)
    accept(database, *(arrival(f"m{n}", f"content {n}".encode(), member=member) for n, member in numbered))
    return [entry.seq for entry in reversed(every(database))][start:]
