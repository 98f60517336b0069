"""The MLLP listener: an acknowledgment leaves after the commit that made its message durable, never before.

Rules: HL7 "Transport Specification: MLLP, Release 1"; HL7 v2.5.1 chapter 2.9 (acknowledgments)
It runs in a thread and an event loop of its own, so that slow work elsewhere in the hub does not hold up senders.
It may have several doors (adapters.adt.mllp_door); all share the loop and the commits.
A fault of ours (database down, disk full) is answered with silence and a closed connection, never with a NACK:
senders drop what is NACKed and send again what is not answered.
Refuses: messages of a facility by a connection that may not send for it; that is told to `alarm` first, and where
it cannot be recorded nobody is answered.
"""

import asyncio
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from adapters.adt.acknowledgment import codes
from adapters.adt.batches import BatchIntake, batch_answer, batch_intake, is_batch
from adapters.adt.group_commit import Accept, GroupCommit
from adapters.adt.intake import Intake, answer, intake, is_work
from adapters.adt.mllp_connection import Connection
from adapters.adt.mllp_door import Door, OpenDoor
from hub.clock import Clock, micros
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.problems import Problem

BACKLOG = 512
HANDSHAKE_SECONDS = 10

log = logging.getLogger(__name__)
Alarm = Callable[[Sequence["Stranger"]], None]
Answered = Callable[[str, str], None]  # the door's name, the code of an acknowledgment
NONE, SILENCE = "none", "silence"


@dataclass(frozen=True, slots=True)
class Stranger:
    """A message for a facility that its connection may not send for."""

    door: str
    address: str
    facility: str


def no_alarm(_strangers: Sequence[Stranger]) -> None:
    """Where nothing is recorded."""


@dataclass(frozen=True, slots=True)
class _Slip:
    """A frame on its way to the inbox, and where its answer goes."""

    door: str
    connection: Connection
    frame: bytes
    taken: Intake | BatchIntake
    strangers: Sequence[Stranger] = ()

    @property
    def arrivals(self) -> Sequence[Arrival]:
        if isinstance(self.taken, BatchIntake):
            return self.taken.arrivals
        return (self.taken.arrival,) if self.taken.kept else ()

    def is_work(self, receipts: Sequence[Receipt]) -> bool:
        if isinstance(self.taken, BatchIntake):
            kept = [part for part in self.taken.parts if part.kept and self.taken.whole is None]
            return any(map(is_work, kept, receipts))
        return bool(receipts) and is_work(self.taken, receipts[0])


class MllpListener:
    """`accept` makes arrivals durable (group_commit.into); `on_accepted` is called in the listener's thread
    after the acknowledgments of new work have left; `returns` says for which facilities application acknowledgments
    leave later. `counted` counts what happened, for whoever watches; `answered` is told of each answer."""

    def __init__(
        self,
        doors: Sequence[Door],
        *,
        accept: Accept,
        clock: Clock,
        on_accepted: Callable[[], None],
        alarm: Alarm = no_alarm,
        returns: Callable[[str], bool] = lambda facility: False,
        answered: Answered = lambda door, code: None,
    ):
        self.counted: Counter[str] = Counter()
        self._doors = [OpenDoor(door, self._took, self.counted) for door in doors]
        self._clock = clock
        self._on_accepted = on_accepted
        self._alarm = alarm
        self._returns = returns
        self._answered = answered
        self._commits = GroupCommit[_Slip](accept, lambda slip: slip.arrivals, self._settled, self._warn)
        self._grace = 0.0

    @property
    def addresses(self) -> list[str]:
        """Where it listens, for people."""
        return [str(door.door) for door in self._doors]

    def start(self) -> list[int]:
        """Listen; the port of each door. Raises OSError where an address cannot be had: then none listens."""
        started: Future[list[int]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(started)), name="mllp", daemon=True)
        self._thread.start()
        return started.result()

    def stop(self, timeout: float = 10) -> None:
        """Take no more, acknowledge what was received in whole, close. After `timeout` seconds, just close."""
        self._grace = timeout
        with suppress(RuntimeError):  # stopped before
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _live(self, started: "Future[list[int]]") -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        servers: list[asyncio.Server] = []
        try:
            for door in self._doors:
                servers.append(await self._opened(door))
        except OSError as error:
            for server in servers:
                server.close()
            started.set_exception(error)
            return
        self._commits.start()
        started.set_result([server.sockets[0].getsockname()[1] for server in servers])
        await self._end.wait()
        for server in servers:
            server.close()
        await self._drain(self._loop.time() + self._grace)

    async def _opened(self, door: OpenDoor) -> asyncio.Server:
        tls = door.door.tls
        return await self._loop.create_server(
            lambda: Connection(door),
            door.door.host,
            door.door.port,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
            ssl_shutdown_timeout=HANDSHAKE_SECONDS if tls else None,
        )

    async def _drain(self, deadline: float) -> None:
        for connection in self._connections():
            connection.finish()
        while self._connections() and self._loop.time() < deadline:
            await asyncio.sleep(0.005)
        for connection in self._connections():
            connection.abort()
        await asyncio.to_thread(self._commits.stop, max(0.1, deadline - self._loop.time()))

    def _connections(self) -> list[Connection]:
        return [connection for door in self._doors for connection in door.connections]

    # What connections tell the listener (in its loop).

    def _took(self, door: OpenDoor, connection: Connection, frame: bytes) -> None:
        received, strangers = micros(self._clock()), list[Stranger]()

        def judged(message: bytes) -> Intake:
            taken = intake(message, received, door.door.production)
            facility = taken.header.facility_code if taken.header else None
            if door.may(connection, facility):
                return taken
            strangers.append(Stranger(door.door.name, connection.peer.address, facility or ""))
            return taken.from_a_stranger()

        taken: Intake | BatchIntake = (
            judged(frame) if not is_batch(frame) else batch_intake(frame, received, judged)
        )
        if (
            isinstance(taken, BatchIntake)
            and taken.refused
            and door.door.senders
            and (strangers or not taken.parts)
        ):
            taken = taken.unkept()
        slip = _Slip(door.door.name, connection, frame, taken, strangers)
        if strangers:
            self.counted["refused senders"] += len(strangers)
            log.warning("MLLP: a message for a facility that its connection may not send for was refused")
        elif slip.arrivals:
            door.proved(connection)
        self._commits.submit(slip)

    # What the committing thread does and tells.

    def _warn(self, slips: list[_Slip]) -> None:
        strangers = [stranger for slip in slips for stranger in slip.strangers]
        if strangers:
            self._alarm(strangers)

    def _settled(self, slips: list[_Slip], outcome: list[list[Receipt]] | Exception) -> None:
        with suppress(RuntimeError):  # the loop is gone: stop() gave up waiting, there is nobody to tell
            self._loop.call_soon_threadsafe(self._tell, slips, outcome)

    def _tell(self, slips: list[_Slip], outcome: list[list[Receipt]] | Exception) -> None:
        try:
            if isinstance(outcome, Exception):
                raise outcome
            self._acknowledge(slips, outcome)
        except Exception as error:  # ours, whatever it is: nobody of this batch gets an answer
            self._give_up(slips, error)
        else:
            if any(slip.is_work(receipts) for slip, receipts in zip(slips, outcome, strict=True)):
                self._on_accepted()

    def _acknowledge(self, slips: list[_Slip], outcome: list[list[Receipt]]) -> None:
        at = self._clock()
        answers: dict[Connection, tuple[list[bytes], list[bytes]]] = {}
        for slip, receipts in zip(slips, outcome, strict=True):
            frames, replies = answers.setdefault(slip.connection, ([], []))
            frames.append(slip.frame)
            replies.append(self._answer(slip.taken, receipts, at))
            for code in codes(replies[-1]) or (NONE,):
                self._answered(slip.door, code)
            self.counted.update(receipts)
        for connection, (frames, replies) in answers.items():
            connection.settled(frames, replies)

    def _answer(self, taken: Intake | BatchIntake, receipts: Sequence[Receipt], at: datetime) -> bytes:
        if isinstance(taken, BatchIntake):
            return batch_answer(taken, receipts, at, _control_id, self._returns)
        later = taken.header is not None and self._returns(taken.header.facility_code)
        return answer(taken, receipts[0] if receipts else "new", at, _control_id(), later)

    def _give_up(self, slips: list[_Slip], error: Exception) -> None:
        why = error.kind if isinstance(error, Problem) else type(error).__name__
        self.counted["not stored"] += len(slips)
        for slip in slips:
            self._answered(slip.door, SILENCE)
        log.error("MLLP: %d messages were not stored and get no ACK: %s", len(slips), why)
        for connection in {slip.connection for slip in slips}:
            connection.failed("a fault of the hub")


def _control_id() -> str:
    return secrets.token_hex(10)
