"""Where a message waits after its handler: what that raised decides. Nothing is dropped.

Rules: docs/inbox.md. What is no fault of the message (PASSING) makes it wait without an end, a fault of ours until
it was tried so many times, what somebody has to decide until they have.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from hub.inbox import work as inbox
from hub.inbox.messages import REFUSED, Message
from hub.inbox.parking import Park
from hub.problems import Problem
from hub.settling import named
from hub.store.engine import Database
from hub.store.faults import is_too_long

log = logging.getLogger("hub.worker")
PASSING = ("busy", "no-space")  # of the database, the disk

ParkedHandler = Callable[[Connection, Message, Park], None]


@dataclass(frozen=True, slots=True)
class Ends:
    """`parked`, by source, is called in the transaction that parks a message; it is dead after `tries`. `micros` is
    the time now, in microseconds since 1970."""

    database: Database
    parked: Mapping[str, ParkedHandler]
    tries: int
    micros: Callable[[], int]

    def ended(self, message: Message, outcome: Exception | None) -> None:
        """The handler is done with it, or raised this."""
        try:
            self._put(message, outcome)
        except inbox.Lost:
            log.warning("message %s of %s: its lease ended, another worker has it", message.seq, message.source)

    def let_go(self, several: Sequence[Message]) -> None:
        """What was taken together and does not end: one of them is to blame, the others must not wait for it."""
        log.error("%d messages from %s on are held: they are taken one by one", len(several), several[0].seq)
        if len(several) > 1:
            now = self.micros()
            self.database.writing(lambda connection: inbox.let_go(connection, several, now, self.tries))

    def _put(self, message: Message, outcome: Exception | None) -> None:
        match outcome:
            case None:
                return
            case inbox.Lost():
                raise outcome
            case Park():
                self._parked(message, outcome)
            case Problem() if outcome.kind in PASSING:
                self._waits(message, outcome.kind)
            case Problem() if outcome.kind == "exception" or is_too_long(outcome.__cause__):
                self._again(message, outcome.kind)
            case Problem():
                self._parked(message, Park(REFUSED, str(outcome), outcome.issues[0].where))
            case _:  # a fault of ours: the message waits, then is put where a person sees it
                log.error("message %s of %s: %s", message.seq, message.source, named(outcome))
                self._again(message, type(outcome).__name__)

    def _parked(self, message: Message, park: Park) -> None:
        why = park.state, park.reason, park.where

        def end(connection: Connection) -> None:
            inbox.parked(connection, message, *why, self.micros(), park.awaits)
            if told := self.parked.get(message.source):
                told(connection, message, park)

        self.database.writing(end)
        log.warning("message %s of %s waits: %s (%s)", message.seq, message.source, park.state, park.where)

    def _waits(self, message: Message, reason: str) -> None:
        self.database.writing(lambda connection: inbox.wait_for_it(connection, message, self.micros(), reason))

    def _again(self, message: Message, reason: str) -> None:
        due = self.micros() + inbox.wait_after(message.attempts + 1)
        self.database.writing(lambda connection: inbox.retry_later(connection, message, due, reason, self.tries))
