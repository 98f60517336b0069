"""The delivery log: each try to send a Subscription something, and what became of it.

Rules: docs/subscriptions.md "Delivery log". A row names the Subscription, the numbers of its events and the
answer's status; no resource, no endpoint, nothing of what a receiver answered. Rows go after HUB_NOTICE_KEEP_DAYS.
What failed is written at once; what was sent, with others and within a second: a kill loses these lines (the audit
has each send), not the notices.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.store.engine import Database
from hub.store.tables import outbox
from hub.store.tables import subscription_counter as counter
from hub.store.tables_subscriptions import notice_attempt as table

SENT, FAILED = "sent", "failed"
LONGEST = 500
TOGETHER = 50


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


@dataclass(slots=True)
class Log:
    """The log of one process."""

    database: Database
    _sent: list[Attempt] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def add(self, attempt: Attempt) -> None:
        """Write it, and what waits; or let it wait for others."""
        with self._turn:
            self._sent.append(attempt)
            if attempt.outcome == SENT and len(self._sent) < TOGETHER:
                return
        self.flush()

    def flush(self) -> bool:
        """Write what waits. Whether there was anything."""
        with self._turn:
            waiting, self._sent = self._sent, []
        if waiting:
            self.database.writing(lambda connection: write(connection, waiting))
        return bool(waiting)


def write(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Add rows, and count failures in a row anew."""
    rows = [{name: getattr(one, name) for name in Attempt.__slots__} for one in attempts]
    connection.execute(insert(table), [row | {"reason": row["reason"][:LONGEST]} for row in rows])
    newest = {one.subscription: one for one in attempts}
    for name, last in sorted(newest.items()):
        mine = update(counter).where(counter.c.subscription == name)
        failed = _failed_since_sent([one for one in attempts if one.subscription == name])
        reached = [one.at for one in attempts if one.subscription == name and one.outcome == SENT]
        if last.outcome == SENT:
            connection.execute(mine.values(failures=0, reached=last.at))
        elif reached:
            connection.execute(mine.values(failures=failed, reached=reached[-1]))
        else:
            connection.execute(mine.values(failures=counter.c.failures + failed))


def _failed_since_sent(attempts: Sequence[Attempt]) -> int:
    """How many tries failed after the last that did not."""
    outcomes = [one.outcome for one in attempts]
    return len(outcomes) if SENT not in outcomes else outcomes[::-1].index(SENT)


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
