"""Steps of the inbox's tests: each is one transaction."""

from hub.inbox import arrivals as incoming
from hub.inbox import listing, work
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival, Entry, Message
from hub.store.engine import Database

SECOND = 1_000_000
NOW = 1_000 * SECOND


def arrival(control_id: str, raw: bytes = b"one", feed: str = "EHR|HOSPITAL_ONE", **more: str) -> Arrival:
    return Arrival("adt", feed, control_id, raw, NOW, **more)


def accept(database: Database, *arrivals: Arrival) -> list[Receipt]:
    return database.writing(lambda connection: incoming.accept(connection, arrivals))


def claim(database: Database, now: int = NOW, limit: int = 100, lease: int = 60) -> list[Message]:
    return database.writing(lambda connection: work.claim(connection, now, lease, limit))


def every(database: Database, state: str | None = None) -> list[Entry]:
    with database.read() as connection:
        return listing.listed(connection, state)


def shown(database: Database, seq: int) -> Message:
    with database.read() as connection:
        found = listing.shown(connection, seq)
    assert found
    return found


def park(database: Database, seq: int, state: str, reason: str = "a reason", location: str | None = None) -> None:
    database.writing(lambda connection: work.parked(connection, seq, state, reason, location, NOW))


def retry_later(database: Database, seq: int, due: int) -> None:
    database.writing(lambda connection: work.retry_later(connection, seq, due, "busy"))


def set_subject(database: Database, seq: int, subject: str) -> None:
    database.writing(lambda connection: work.set_subject(connection, seq, subject))


def process(database: Database, seq: int) -> None:
    database.writing(lambda connection: work.processed(connection, seq, NOW))


def accepted(database: Database, count: int = 1) -> list[int]:
    """Seqs of `count` new messages, oldest first."""
    accept(database, *(arrival(f"m{n}", f"content {n}".encode()) for n in range(count)))
    return [entry.seq for entry in reversed(every(database))]
