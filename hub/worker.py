"""The worker: claims messages from the inbox and work from the outbox, until told to stop.

A claim is a lease: what a killed worker held is claimed again when the lease ends. A handler's own commit settles
a message; what it raises decides where the message waits. Nothing is dropped here.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from hub import clock, outbox
from hub.inbox import work as inbox
from hub.inbox.messages import REFUSED, Awaited, Message
from hub.problems import Problem
from hub.store.engine import Database

log = logging.getLogger("hub.worker")
LEASE = timedelta(seconds=60)
IDLE_SECONDS = 0.2
BROKEN_SECONDS = 1.0
BATCH = 20
NICENESS = 10
TRANSIENT = ("busy", "no-space", "exception")


class Park(Exception):
    """Raised by a handler: the message waits in `state` for a person, because of `reason` at `where`; with `awaits`
    until what it names is there (hub.inbox.waits). `code` is what its sender calls such a fault, if it has a
    name."""

    def __init__(self, state: str, reason: str, where: str = "", awaits: Awaited | None = None, code: str = ""):
        super().__init__(state, reason, where)
        self.state, self.reason, self.where, self.awaits, self.code = state, reason, where, awaits, code


MessageHandler = Callable[[Message], None]
ParkedHandler = Callable[[Connection, Message, Park], None]
WorkHandler = outbox.Handler


@dataclass(frozen=True, slots=True)
class Chore:
    """Housekeeping that runs every `every`; `do` gets the current microseconds."""

    every: timedelta
    do: Callable[[int], object]


@dataclass
class Worker:
    """`arrivals` moves messages to the inbox that wait elsewhere (hub.spool). `messages` by source; `work` by kind
    (quick, local); `deliveries` by kind (they wait for other machines). A message is dead after `tries`. `parked`,
    by source, is called in the transaction that parks a message."""

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
    _walks: dict[int, inbox.Walk] = field(default_factory=dict)
    _signals: list[threading.Event] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start the lanes: inbox, local work, deliveries, chores."""
        messages = [self._messages_lane] * self.message_lanes
        deliveries = [self._deliveries_lane] * self.delivery_lanes
        lanes = (*messages, self._work_lane, self._chores_lane, *deliveries)
        for number, lane in enumerate(lanes):
            signal = threading.Event()
            name = f"worker-{number}{lane.__name__}"
            thread = threading.Thread(target=self._run, args=(lane, signal), name=name, daemon=True)
            self._signals.append(signal)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """There may be something to do: look now, do not wait for the next look round."""
        for signal in self._signals:
            signal.set()

    def stop(self, seconds: float = 4) -> None:
        """Finish what is in hand, claim no more. What takes longer is left: its lease ends, it is done again."""
        self._stop.set()
        self.wake()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, lane: Callable[[], bool], signal: threading.Event) -> None:
        _step_back()
        while not self._stop.is_set():
            try:
                if lane():
                    self.wake()  # what one lane did may be work for another
                else:
                    signal.wait(IDLE_SECONDS)
                    signal.clear()
            except Exception as error:
                log.error("%s: %s; goes on", threading.current_thread().name, _named(error))
                self._stop.wait(BROKEN_SECONDS)

    def _messages_lane(self) -> bool:
        walk = self._walks.setdefault(threading.get_ident(), inbox.Walk())
        self.arrivals()
        with self.database.read() as connection:  # a look costs no lock
            if not inbox.is_due(connection, self._micros()):
                return False
        claimed = self.database.writing(
            lambda connection: inbox.claim(connection, self._micros(), LEASE.seconds, BATCH, self.tries, walk)
        )
        for message in claimed:
            try:
                self._message(message)
            except inbox.Lost:
                log.warning("message %s of %s: its lease ended, another worker has it", message.seq, message.source)
        return bool(claimed)

    def _message(self, message: Message) -> None:
        try:
            self.messages[message.source](message)
        except inbox.Lost:
            raise
        except Park as park:
            self._parked(message, park)
        except Problem as problem:
            if problem.kind in TRANSIENT:
                self._again(message, problem.kind)
            else:
                self._parked(message, Park(REFUSED, str(problem), problem.issues[0].where))
        except Exception as error:  # a fault of ours: the message waits, then is put where a person sees it
            log.error("message %s of %s: %s", message.seq, message.source, _named(error))
            self._again(message, type(error).__name__)

    def _parked(self, message: Message, park: Park) -> None:
        why = park.state, park.reason, park.where

        def end(connection: Connection) -> None:
            inbox.parked(connection, message, *why, self._micros(), park.awaits)
            if told := self.parked.get(message.source):
                told(connection, message, park)

        self.database.writing(end)
        log.warning("message %s of %s waits: %s (%s)", message.seq, message.source, park.state, park.where)

    def _again(self, message: Message, reason: str) -> None:
        due = self._micros() + inbox.wait_after(message.attempts + 1)
        self.database.writing(lambda connection: inbox.retry_later(connection, message, due, reason, self.tries))

    def _work_lane(self) -> bool:
        """What the handlers did not settle themselves is settled at once for all: a worker that dies before that
        leaves rows that are done again."""
        claimed = self._claim(self.work, BATCH)
        outcomes = [(one, self._outcome(self.work, one)) for one in claimed]
        self._settle(outcomes)
        return bool(claimed)

    def _deliveries_lane(self) -> bool:
        """One of several: a slow receiver holds one lane, not the others."""
        claimed = self._claim(self.deliveries, 1)
        for one in claimed:
            self._settle([(one, self._outcome(self.deliveries, one))])
        return bool(claimed)

    def _chores_lane(self) -> bool:
        last = {id(chore): 0 for chore in self.chores}
        while not self._stop.wait(1):
            for chore in self.chores:
                if self._micros() - last[id(chore)] >= chore.every / clock.MICROSECOND:
                    last[id(chore)] = self._micros()
                    if self._done(chore, last[id(chore)]):
                        self.wake()
        return False

    def _done(self, chore: Chore, now: int) -> bool:
        """Whether the chore did something. One that fails keeps no other from its turn."""
        try:
            return bool(chore.do(now))
        except Exception as error:
            log.error("chore: %s; goes on", _named(error))
            return False

    def _claim(self, handlers: Mapping[str, WorkHandler], limit: int) -> list[outbox.Work]:
        with self.database.read() as connection:
            if not outbox.is_due(connection, tuple(handlers), self._micros()):
                return []
        return self.database.writing(
            lambda connection: outbox.claim(connection, tuple(handlers), self._micros(), LEASE.seconds, limit)
        )

    def _outcome(self, handlers: Mapping[str, WorkHandler], one: outbox.Work) -> outbox.Outcome:
        try:
            return handlers[one.kind](one)
        except Exception as error:
            log.error("%s %s: %s", one.kind, one.seq, _named(error))
            return outbox.Later(self._micros() + 1_000_000 * 2 ** min(one.attempts, 10), type(error).__name__)

    def _settle(self, outcomes: Sequence[tuple[outbox.Work, outbox.Outcome]]) -> None:
        left = [(one, outcome) for one, outcome in outcomes if not isinstance(outcome, outbox.Ended)]
        if left:
            self.database.writing(lambda connection: [outbox.settle(connection, *each) for each in left])

    def _micros(self) -> int:
        return clock.micros(self.now())


def _step_back() -> None:
    """Let who waits for an answer go first: Linux knows a niceness for each thread."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _named(error: Exception) -> str:
    """An error without its text, which may hold what a person must not see."""
    if isinstance(error, Problem):
        return error.kind
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{type(error).__name__} at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"


def release_leases(database: Database) -> None:
    """What a killed process of this node held is free again. Only where no other process can hold any: SQLite."""
    if database.is_sqlite:
        with database.write() as connection:
            inbox.release(connection)
            outbox.release(connection)
