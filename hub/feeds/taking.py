"""Who has a file in hand: a lease, that ends by itself, and a number, by which everybody sees that it ended.

Rules: docs/feeds.md "Arriving". A process that slept does not know that its lease is over, and that somebody else
has the file, or another one of its feed. So each taking has a number (a fencing token:
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html), and whatever a reader writes asks for
it in the same transaction. With PostgreSQL who asks holds the file's row until the commit, and who would take the
feed meanwhile passes by; SQLite has one writer at a time anyway.
Every function works in the caller's transaction. Times are microseconds since 1970, UTC.
Refuses (Lost): the holder of a taking that is over.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, literal_column, or_, select, update

from hub.store.tables_feeds import feed_file as table
from hub.store.turns import lock_words

CAME, READING = "came", "reading"
LEASE = 30_000_000  # microseconds
# in the text and no parameter: so the index of what is being read is found
_READING: ColumnElement[str] = literal_column(f"'{READING}'")


@dataclass(frozen=True, slots=True)
class Taking:
    """`number` is greater than that of all takings of this file before it; `attempts` is how many failed before."""

    seq: int
    number: int
    attempts: int


class Lost(Exception):
    """Somebody else took the file meanwhile, or another one of its feed."""

    def __init__(self, taking: Taking):
        super().__init__(f"file {taking.seq} was taken over")


def take(connection: Connection, seq: int, now: int) -> Taking | None:
    """Unless somebody is at it or at another file of its feed. Whose lease is over is not any more."""
    feed = connection.execute(select(table.c.feed).where(table.c.seq == seq)).scalar_one_or_none()
    lock_words(connection, [f"file {feed}"])
    found = _at_hand(connection, feed, seq) if feed else {}
    if seq not in found or any(row.lease >= now for row in found.values()):
        return None
    others = (table.c.feed == feed, table.c.state == _READING, table.c.seq != seq)
    connection.execute(update(table).where(*others).values(state=CAME))
    taking = Taking(seq, max(now, found[seq].started + 1), found[seq].attempts)
    mine = {"lease": now + LEASE, "attempts": taking.attempts + 1, "state": READING, "started": taking.number}
    connection.execute(update(table).where(table.c.seq == seq).values(**mine, ended=None))
    return taking


def _at_hand(connection: Connection, feed: str, seq: int) -> dict[int, Any]:
    """This file and those of its feed that somebody reads, or did; none where somebody writes of one just now,
    whatever its lease says."""
    which = or_(table.c.seq == seq, and_(table.c.feed == feed, table.c.state == _READING))
    asked = select(table.c.seq, table.c.lease, table.c.started, table.c.attempts).where(which)
    free: dict[int, Any] = {row.seq: row for row in connection.execute(asked.with_for_update(skip_locked=True))}
    is_written = any(row.seq not in free for row in connection.execute(asked))
    return {} if is_written else free


def held_feeds(connection: Connection, now: int) -> set[str]:
    """Feeds of which somebody reads a file."""
    held = (table.c.lease >= now, table.c.state == _READING)
    return set(connection.execute(select(table.c.feed).where(*held)).scalars())


def ask(connection: Connection, taking: Taking) -> None:
    """Nobody else takes it until the transaction ends. Raises Lost."""
    held = select(table.c.seq).where(*_same(taking)).with_for_update(read=True, key_share=True)
    if connection.execute(held).first() is None:
        raise Lost(taking)


def keep(connection: Connection, taking: Taking, **values: Any) -> None:
    """What the file is now, by who has it. Raises Lost."""
    if connection.execute(update(table).where(*_same(taking)).values(values)).rowcount != 1:
        raise Lost(taking)


def _same(taking: Taking) -> tuple[ColumnElement[bool], ...]:
    return table.c.seq == taking.seq, table.c.started == taking.number, table.c.state == _READING


def prolong(connection: Connection, taking: Taking, now: int) -> None:
    """Still at it. Raises Lost."""
    keep(connection, taking, lease=now + LEASE)


def rest(connection: Connection, taking: Taking, until: int) -> None:
    """Not before then again; nobody is at it. Raises Lost."""
    keep(connection, taking, lease=until, state=CAME)


def free(connection: Connection, seq: int) -> None:
    """Whoever is at it is not any more."""
    state = case((table.c.state == _READING, CAME), else_=table.c.state)
    connection.execute(update(table).where(table.c.seq == seq).values(lease=0, state=state))


def release(connection: Connection) -> None:
    """Nobody is at any file."""
    connection.execute(update(table).where(table.c.lease > 0).values(lease=0))
