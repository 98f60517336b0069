"""The worker: claims messages from the inbox and work from the outbox, until told to stop.

A claim is a lease: what a killed worker held is claimed again when the lease ends. A handler's own commit settles
a message; what it raises decides where the message waits. Nothing is dropped here.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection

from hub import clock, outbox
from hub.inbox import work as inbox
from hub.inbox.messages import Message
from hub.inbox.parking import Park as Park
from hub.lanes import Hold, Lane, Lanes
from hub.message_ends import PASSING, Ends, ParkedHandler
from hub.problems import Problem
from hub.settling import named, settle
from hub.stopping import WORK_SECONDS
from hub.store import clocks
from hub.store.calls import INBOX, OUTBOX, Hearing
from hub.store.engine import Database

log = logging.getLogger("hub.worker")
LEASE = timedelta(seconds=60)
SOON_SECONDS = 0.05  # where another process may have brought something
BATCH = 20
LINE_SECONDS = 1.0  # that a lane goes on with one line while others may wait
MESSAGES, EVENTS, WORK, DELIVERIES = "_messages_lane", "_events_lane", "_work_lane", "_deliveries_lane"
FOLLOWING = MESSAGES, EVENTS, WORK, DELIVERIES
CALLED: dict[str | None, tuple[str, ...]] = {INBOX: (MESSAGES,), OUTBOX: (EVENTS, WORK, DELIVERIES)}
STAND_INS = 4  # for lanes that a message or a piece of local work holds
MOST_DELIVERIES = 32  # that wait for slow receivers at the same time


MessageHandler = Callable[[Message], None]


@runtime_checkable
class Together(Protocol):
    """A handler that does several messages in one go: what it would have raised for each, None where it is done."""

    def together(self, messages: Sequence[Message]) -> Sequence[Exception | None]: ...


@runtime_checkable
class WorkTogether(Protocol):
    """A handler that does several pieces of work in one go."""

    def together(self, works: Sequence[outbox.Work]) -> Sequence[outbox.Outcome]: ...


WorkHandler = outbox.Handler


@dataclass(frozen=True, slots=True)
class Chore:
    """Housekeeping that runs every `every`; `do` gets the current microseconds."""

    every: timedelta
    do: Callable[[int], object]


@dataclass
class Worker:
    """`arrivals` moves messages to the inbox that wait elsewhere (hub.spool). `messages` by source; by kind
    `events` (who is told of them is found out), `work` (local; ten thousand referrals of a file keep no notice
    waiting), `deliveries` (they wait for other machines). A message is dead after `tries`. `parked`, by source, is
    called in the transaction that parks a message."""

    database: Database
    messages: Mapping[str, MessageHandler]
    work: Mapping[str, WorkHandler]
    deliveries: Mapping[str, WorkHandler]
    chores: Sequence[Chore] = ()
    now: clock.Clock = clock.now
    arrivals: Callable[[], int] = lambda: 0
    delivery_lanes: int = 4
    message_lanes: int = 1
    tries: int = inbox.MAX_ATTEMPTS
    parked: Mapping[str, ParkedHandler] = field(default_factory=dict)
    events: Mapping[str, WorkHandler] = field(default_factory=dict)
    files: Callable[[], bool] | None = None  # a lane for what takes minutes (hub.feeds.lane)
    bulk: Callable[[], bool] | None = None  # and one for bulk jobs (hub.bulk.lane)
    give_up: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL)  # what hangs cannot be ended else
    _walks: dict[int, inbox.Walk] = field(default_factory=dict)
    _ends: Ends = field(init=False)
    _lanes: Lanes = field(init=False)
    _hearing: Hearing | None = field(init=False)

    def __post_init__(self) -> None:
        self._ends = Ends(self.database, self.parked, self.tries, self._micros)
        self._lanes = Lanes(FOLLOWING, lambda: self.give_up())
        self._hearing = self.database.hearing(self.heard)

    def start(self) -> None:
        """Start the lanes: inbox, events, local work, deliveries, chores, files, bulk jobs."""
        with suppress(Problem):  # what there is to do waits for the database, too
            self.database.reading(clocks.follow)
        many, wide = self.message_lanes, self.delivery_lanes
        lanes = [
            (
                self.messages,
                Lane(self._messages_lane, many, many + STAND_INS, SOON_SECONDS, on_held=self._ends.let_go),
            ),
            (self.events, Lane(self._events_lane, 1, 1 + STAND_INS, SOON_SECONDS)),
            (self.work, Lane(self._work_lane, 1, 1 + STAND_INS, SOON_SECONDS)),
            (self.chores, Lane(self._chores_lane)),
            (self.deliveries, Lane(self._deliveries_lane, wide, max(wide, MOST_DELIVERIES), patience=0.5)),
            *((turn, Lane(turn)) for turn in (self.files, self.bulk) if turn),
        ]
        self._lanes.start([lane for wanted, lane in lanes if wanted])
        if self._hearing:
            self._hearing.start()

    def of_messages(self) -> "Worker":
        """The part of it that processes messages and bulk jobs, for a process of its own: both take its time
        alone, and who waits for an answer or a notice shares Python's lock with neither."""
        return replace(self, events={}, work={}, deliveries={}, chores=(), files=None)

    def of_the_rest(self) -> "Worker":
        """All the rest."""
        return replace(self, messages={}, arrivals=lambda: 0, bulk=None)

    def wake(self) -> None:
        """There may be something to do: look now, do not wait for the next look round."""
        self._lanes.ring()

    def heard(self, kind: str | None) -> None:
        """Another process called (hub.store.calls): the lanes of that kind of work look now; None: all that may."""
        self._lanes.ring(*CALLED.get(kind, FOLLOWING))

    def stop(self, seconds: float = WORK_SECONDS) -> None:
        """Finish what is in hand, claim no more. What takes longer is left: its lease ends, it is done again."""
        if self._hearing:
            self._hearing.stop()
        self._lanes.stop(seconds)

    def _messages_lane(self) -> bool:
        walk = self._walks.setdefault(threading.get_ident(), inbox.Walk())
        self.arrivals()
        with self.database.read() as connection:  # a look costs no lock
            if not inbox.is_due(connection, self._micros()):
                return False
        claimed = self.database.writing(
            lambda connection: inbox.claim(connection, self._micros(), LEASE.seconds, BATCH, self.tries, walk)
        )
        with self._lanes.over(MESSAGES, claimed) as hold:
            for source, several in groupby(claimed, lambda message: message.source):
                self._messages(source, list(several), hold)
        return bool(claimed)

    def _messages(self, source: str, several: Sequence[Message], hold: Hold) -> None:
        handler = self.messages[source]
        if len(several) > 1 and isinstance(handler, Together):
            for message, outcome in zip(several, handler.together(several), strict=True):
                self._ends.ended(message, outcome)
                hold.ended()
            return
        for message in several:
            self._ends.ended(message, _outcome_of(handler, message))
            hold.ended()

    def _events_lane(self) -> bool:
        return self._local(EVENTS, self.events)

    def _work_lane(self) -> bool:
        return self._local(WORK, self.work)

    def _local(self, lane: str, handlers: Mapping[str, WorkHandler]) -> bool:
        """What the handlers did not settle themselves is settled at once for all: a worker that dies before that
        leaves rows that are done again."""
        claimed = self._claim(handlers, BATCH)
        outcomes: list[tuple[outbox.Work, outbox.Outcome]] = []
        with self._lanes.over(lane, claimed) as hold:
            for kind, several in groupby(claimed, lambda one: one.kind):
                outcomes += self._worked(handlers[kind], list(several))
                hold.looks = 0
        self._settle(outcomes)
        return bool(claimed)

    def _worked(
        self, handler: WorkHandler, several: Sequence[outbox.Work]
    ) -> list[tuple[outbox.Work, outbox.Outcome]]:
        if len(several) > 1 and isinstance(handler, WorkTogether):
            try:
                return list(zip(several, handler.together(several), strict=True))
            except Exception as error:  # whose fault it is, each alone will tell
                log.info("%s %s together: %s", len(several), several[0].kind, named(error))
        return [(one, self._outcome(handler, one)) for one in several]

    def _deliveries_lane(self) -> bool:
        """One of several: a slow receiver holds one lane, not the others. What is delivered is settled in the
        commit that takes the next of its line."""
        claimed = self._claim(self.deliveries, 1)
        if claimed:
            self._lanes.ring(DELIVERIES)  # there may be more, of other lines
        until = time.monotonic() + LINE_SECONDS
        one = claimed[0] if claimed else None
        while one is not None:
            with self._lanes.over(DELIVERIES, [one]):
                outcome = self._outcome(self.deliveries[one.kind], one)
            is_done = isinstance(outcome, outbox.Done) and not outcome.reason
            if not is_done or time.monotonic() > until or self._lanes.stopped.is_set():
                self._settle([(one, outcome)])
                break
            one = self._next(one, outcome)
        return bool(claimed)

    def _next(self, one: outbox.Work, ended: outbox.Outcome) -> outbox.Work | None:
        def settled(connection: Connection, each: Sequence[outbox.Outcome]) -> outbox.Work | None:
            return outbox.done_and_next(connection, one, each[0], self._micros(), LEASE.seconds)

        return settle(self.database, settled, [ended])

    def _chores_lane(self) -> bool:
        due = {id(chore): 0.0 for chore in self.chores}  # not by the clock: that may be set back
        while not self._lanes.stopped.wait(1):
            for chore in self.chores:
                if time.monotonic() >= due[id(chore)]:
                    due[id(chore)] = time.monotonic() + chore.every.total_seconds()
                    if self._done(chore, self._micros()):
                        self.wake()
        return False

    def _done(self, chore: Chore, now: int) -> bool:
        """Whether the chore did something. One that fails keeps no other from its turn."""
        try:
            return bool(chore.do(now))
        except Exception as error:
            log.error("chore: %s; goes on", named(error))
            return False

    def _claim(self, handlers: Mapping[str, WorkHandler], limit: int) -> list[outbox.Work]:
        with self.database.read() as connection:
            if not outbox.is_due(connection, tuple(handlers), self._micros()):
                return []
        return self.database.writing(
            lambda connection: outbox.claim(connection, tuple(handlers), self._micros(), LEASE.seconds, limit)
        )

    def _outcome(self, handler: WorkHandler, one: outbox.Work) -> outbox.Outcome:
        try:
            return handler(one)
        except Exception as error:
            log.error("%s %s: %s", one.kind, one.seq, named(error))
            return self._failed(one, error)

    def _failed(self, one: outbox.Work, error: Exception) -> outbox.Outcome:
        """A fault of ours: tried for three days, then put where a person sees it; it holds up its line no more."""
        wait, reason = outbox.retry_after(one.attempts), type(error).__name__
        if wait is None and isinstance(error, Problem) and error.kind in PASSING:
            wait = outbox.LONGEST_WAIT
        return (
            outbox.Dead(reason)
            if wait is None
            else outbox.Later(self._micros() + wait // clock.MICROSECOND, reason)
        )

    def _settle(self, outcomes: Sequence[tuple[outbox.Work, outbox.Outcome]]) -> None:
        left = [(one, outcome) for one, outcome in outcomes if not isinstance(outcome, outbox.Ended)]

        def settled(connection: Connection, each: Sequence[outbox.Outcome]) -> None:
            outbox.settle_all(connection, [(one, outcome) for (one, _), outcome in zip(left, each, strict=True)])

        if left:
            settle(self.database, settled, [outcome for _, outcome in left])

    def _micros(self) -> int:
        return clock.micros(self.now())


def _outcome_of(handler: MessageHandler, message: Message) -> Exception | None:
    try:
        handler(message)
    except Exception as error:
        return error
    return None


def release_leases(database: Database, now: clock.Clock = clock.now) -> None:
    """What a killed process of this node held is free again. Only where no other process can hold any: SQLite."""
    if database.is_sqlite:
        until = clock.micros(now() + LEASE)
        with database.write() as connection:
            inbox.release(connection)
            outbox.release(connection, until)
