"""The delivery log: each try to send a Subscription something, and what became of it.

Rules: docs/subscriptions.md "Delivery log". A row names the Subscription, the numbers of its events and the
answer's status; no resource, no endpoint, nothing of what a receiver answered. Rows go after HUB_NOTICE_KEEP_DAYS.
A try is
written in the commit that says what became of its notice: one that is not in the log because the hub was killed
before that, is tried again.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from functools import cache

from sqlalchemy import Connection, delete, func, select

from hub.store.engine import driver, mark
from hub.store.tables import outbox
from hub.store.tables import subscription_counter as counter
from hub.store.tables_subscriptions import notice_attempt as table

SENT, FAILED = "sent", "failed"
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """`first` and `last` are numbers of events, 0 where none is told; `status` is the answer's, 0 where none came;
    `at` is in microseconds."""

    subscription: str
    kind: str
    first: int
    last: int
    at: int
    outcome: str
    status: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a Subscription stands: events counted, notices that wait and that are dead, failed tries in a row."""

    subscription: str
    owner: str
    events: int
    waiting: int
    dead: int
    failures: int
    reached: int


def write(connection: Connection, *several: Attempt) -> None:
    """Add rows, in their order, and count failures in a row anew."""
    cursor, one = driver(connection), mark(connection)
    for tried in several:
        cursor.execute(_logged(one), astuple(replace(tried, reason=tried.reason[:LONGEST])))
        if tried.outcome == SENT:
            cursor.execute(_reached(one), (tried.at, tried.subscription))
        else:
            cursor.execute(_failed(one), (tried.subscription,))


@cache
def _logged(mark: str) -> str:
    names = Attempt.__slots__
    return f"INSERT INTO notice_attempt ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"


@cache
def _reached(mark: str) -> str:
    return f"UPDATE subscription_counter SET failures = 0, reached = {mark} WHERE subscription = {mark}"


@cache
def _failed(mark: str) -> str:
    return f"UPDATE subscription_counter SET failures = failures + 1 WHERE subscription = {mark}"


def listed(connection: Connection, subscription: str | None, limit: int) -> list[Attempt]:
    """The newest, of one Subscription or of all."""
    asked = select(*(table.c[name] for name in Attempt.__slots__)).order_by(table.c.seq.desc()).limit(limit)
    if subscription is not None:
        asked = asked.where(table.c.subscription == subscription)
    return [Attempt(*row) for row in connection.execute(asked)]


def last_failure(connection: Connection, subscription: str) -> Attempt | None:
    """The newest try, where that failed."""
    newest = next(iter(listed(connection, subscription, 1)), None)
    return newest if newest and newest.outcome == FAILED else None


def standings(connection: Connection, kind: str) -> list[Standing]:
    """Of every Subscription that ever had an owner; `kind` is the outbox's of its notices."""
    asked = select(outbox.c.line, outbox.c.state, func.count()).where(
        outbox.c.kind == kind, outbox.c.state.in_(("waiting", "dead"))
    )
    held = {
        (line, state): n for line, state, n in connection.execute(asked.group_by(outbox.c.line, outbox.c.state))
    }
    rows = connection.execute(select(counter).order_by(counter.c.subscription))
    return [
        Standing(
            *(row.subscription, row.owner, row.events),
            held.get((row.subscription, "waiting"), 0),
            held.get((row.subscription, "dead"), 0),
            *(row.failures, row.reached),
        )
        for row in rows
    ]


def dead_numbers(connection: Connection, kind: str, subscriptions: Iterable[str]) -> list[int]:
    """The outbox numbers of notices that were given up, in order."""
    which = (outbox.c.kind == kind, outbox.c.state == "dead", outbox.c.line.in_(list(subscriptions)))
    return list(connection.execute(select(outbox.c.seq).where(*which).order_by(outbox.c.seq)).scalars())


def forget(connection: Connection, before: int) -> int:
    """Tries of before this moment (microseconds) go. Returns how many."""
    return connection.execute(delete(table).where(table.c.at < before)).rowcount
