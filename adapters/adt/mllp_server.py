"""The MLLP listener: an acknowledgment leaves after the commit that made its message durable, never before.

Rules: HL7 "Transport Specification: MLLP, Release 1"; HL7 v2.5.1 chapter 2.9 (acknowledgments)
It runs in a thread and an event loop of its own, so that slow work elsewhere in the hub does not hold up senders.
A fault of ours (database down, disk full) is answered with silence and a closed connection, never with a NACK:
senders drop what is NACKed and send again what is not answered.
With `tls` it speaks TLS alone; with `senders` a facility is believed from its own connections only.
Refuses: more than MAX_CONNECTIONS. Then the oldest connection that never finished a frame makes room; where all
have, the new one is closed.
"""

import asyncio
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from adapters.adt.group_commit import Accept, GroupCommit
from adapters.adt.intake import Intake, answer, intake, is_work
from adapters.adt.mllp_connection import Connection
from adapters.adt.senders import Senders
from adapters.adt.tls import ServerTls
from hub.clock import Clock, micros
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.problems import Problem

MAX_CONNECTIONS = 512
BACKLOG = 512
HANDSHAKE_SECONDS = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Slip:
    """A frame on its way to the inbox, and where its answer goes."""

    connection: Connection
    taken: Intake

    @property
    def arrival(self) -> Arrival | None:
        return self.taken.arrival if self.taken.kept else None


class MllpListener:
    """`accept` makes arrivals durable (group_commit.into); `on_accepted` is called in the listener's thread
    after the acknowledgments of new work have left. `counted` counts what happened, for whoever watches."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        accept: Accept,
        clock: Clock,
        max_bytes: int,
        idle_seconds: float,
        production: bool,
        on_accepted: Callable[[], None],
        max_connections: int = MAX_CONNECTIONS,
        tls: ServerTls | None = None,
        senders: Senders | None = None,
    ):
        self.max_bytes = max_bytes
        self.idle_seconds = idle_seconds
        self.counted: Counter[str] = Counter()
        self._address = (host, port)
        self._clock = clock
        self._production = production
        self._on_accepted = on_accepted
        self._max_connections = max_connections
        self._tls = tls
        self._senders = senders
        self._connections: set[Connection] = set()
        self._unproven: dict[Connection, None] = {}  # never finished a frame; oldest first
        self._commits = GroupCommit[_Slip](accept, lambda slip: slip.arrival, self._settled)
        self._grace = 0.0

    def start(self) -> int:
        """Listen; the port. Raises OSError where the address cannot be had."""
        started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(started)), name="mllp", daemon=True)
        self._thread.start()
        return started.result()

    def stop(self, timeout: float = 10) -> None:
        """Take no more, acknowledge what was received in whole, close. After `timeout` seconds, just close."""
        self._grace = timeout
        with suppress(RuntimeError):  # stopped before
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _live(self, started: "Future[int]") -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await self._loop.create_server(
                lambda: Connection(self),
                *self._address,
                backlog=BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._tls else None,
                ssl_shutdown_timeout=HANDSHAKE_SECONDS if self._tls else None,
            )
        except OSError as error:
            started.set_exception(error)
            return
        self._commits.start()
        started.set_result(server.sockets[0].getsockname()[1])
        await self._end.wait()
        server.close()
        await self._drain(self._loop.time() + self._grace)

    async def _drain(self, deadline: float) -> None:
        for connection in list(self._connections):
            connection.finish()
        while self._connections and self._loop.time() < deadline:
            await asyncio.sleep(0.005)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.to_thread(self._commits.stop, max(0.1, deadline - self._loop.time()))

    # What connections tell the listener (in its loop).

    def joined(self, connection: Connection) -> None:
        self.counted["connections"] += 1
        if len(self._connections) >= self._max_connections:
            self.counted["connections closed for room"] += 1
            self._room_maker(connection).abort()
        self._connections.add(connection)
        self._unproven[connection] = None

    def _room_maker(self, newest: Connection) -> Connection:
        oldest = next(iter(self._unproven), newest)
        self._unproven.pop(oldest, None)
        return oldest

    def left(self, connection: Connection, dropped: int) -> None:
        self.counted["bytes outside of frames"] += dropped
        self._connections.discard(connection)
        self._unproven.pop(connection, None)

    def took(self, connection: Connection, frame: bytes) -> None:
        taken = intake(frame, micros(self._clock()), self._production)
        if self._is_strange(connection, taken):
            self.counted["refused senders"] += 1
            log.warning("MLLP: a message for a facility that its connection may not send for was refused")
            taken = taken.from_a_stranger()
        else:
            self._unproven.pop(connection, None)
        self._commits.submit(_Slip(connection, taken))

    def _is_strange(self, connection: Connection, taken: Intake) -> bool:
        if self._senders is None:
            return False
        return taken.header is None or not self._senders.may(connection.peer, taken.header.facility_code)

    # What the committing thread tells.

    def _settled(self, slips: list[_Slip], outcome: list[Receipt] | Exception) -> None:
        with suppress(RuntimeError):  # the loop is gone: stop() gave up waiting, there is nobody to tell
            self._loop.call_soon_threadsafe(self._tell, slips, outcome)

    def _tell(self, slips: list[_Slip], outcome: list[Receipt] | Exception) -> None:
        try:
            if isinstance(outcome, Exception):
                raise outcome
            self._acknowledge(slips, outcome)
        except Exception as error:  # ours, whatever it is: nobody of this batch gets an answer
            self._give_up(slips, error)
        else:
            if any(map(is_work, (slip.taken for slip in slips), outcome)):
                self._on_accepted()

    def _acknowledge(self, slips: list[_Slip], receipts: list[Receipt]) -> None:
        at = self._clock()
        answers: dict[Connection, tuple[list[bytes], list[bytes]]] = {}
        for slip, receipt in zip(slips, receipts, strict=True):
            frames, replies = answers.setdefault(slip.connection, ([], []))
            frames.append(slip.taken.arrival.raw)
            replies.append(answer(slip.taken, receipt, at, secrets.token_hex(10)))
        for connection, (frames, replies) in answers.items():
            connection.settled(frames, replies)
        self.counted.update(receipts)

    def _give_up(self, slips: list[_Slip], error: Exception) -> None:
        why = error.kind if isinstance(error, Problem) else type(error).__name__
        self.counted["not stored"] += len(slips)
        log.error("MLLP: %d messages were not stored and get no ACK: %s", len(slips), why)
        for connection in {slip.connection for slip in slips}:
            connection.failed("a fault of the hub")
