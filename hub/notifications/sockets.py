"""Websockets: a client binds one with a token and is told the events of its Subscriptions while it stays.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets: the client sends
`bind-with-token <token>`, the server a handshake for each Subscription, then its notices. What happened while no
websocket was bound is not sent: the handshake's count tells that there was something, `$events` what.
Each notice asks anew what the client may see. The kept events are in order; they are looked at every LOOK_SECONDS,
once for all websockets of the process. Whether one is to be told yet, and wants a heartbeat, every CHECK_SECONDS.
Refuses: anything but one good token within BIND_SECONDS, messages over MOST_BYTES, more than MOST_SOCKETS.
One thread with an event loop of its own; what asks the database runs beside it, so that no websocket waits for
another one's. A client that does not read is closed by the library's own limits.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hub import clock
from hub.notifications import binding, telling
from hub.notifications.binding import Bound
from hub.notifications.telling import Place

log = logging.getLogger("hub.sockets")
BIND = "bind-with-token "
BIND_SECONDS = 10
LOOK_SECONDS = 0.2
CHECK_SECONDS = 5
MOST_BYTES = 8192
MOST_SOCKETS = 1000
THREADS = 2
POLICY, FULL = 1008, 1013  # RFC 6455 section 7.4.1, IANA's registry
T = TypeVar("T")


@dataclass(eq=False)
class _Follower:
    """A bound websocket, and how far it was told."""

    places: Mapping[str, Place]
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, newest: Mapping[str, int]) -> None:
        """Of the last number of each Subscription."""
        if any(newest.get(name, 0) > place.number for name, place in self.places.items()):
            self.woken.set()

    async def wait(self) -> None:
        """Until there is something, or it is time to look after it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), CHECK_SECONDS)
        self.woken.clear()


@dataclass
class Sockets:
    """A role of `hub serve`, beside the worker. `teller` asks the database what to send."""

    host: str
    port: int
    key: bytes
    teller: telling.Teller
    now: clock.Clock = clock.now
    _open: int = 0
    _followers: set[_Follower] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _ends: asyncio.Event | None = None
    _thread: threading.Thread | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "sockets"))

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        failed: list[OSError] = []
        self._thread = threading.Thread(target=self._run, args=(failed,), name="sockets", daemon=True)
        self._thread.start()
        self._ready.wait(10)
        if failed:
            raise failed[0]

    def stop(self, seconds: float = 4) -> None:
        """Say good-bye to all."""
        if self._loop is not None and self._ends is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._ends.set)
            self._thread.join(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, failed: list[OSError]) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            failed.append(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        server: Server
        serving = serve(
            self._met,
            self.host,
            self.port,
            max_size=MOST_BYTES,
            server_header=None,
            reuse_port=True,  # each web process of a node has a worker
        )
        async with serving as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            watching = asyncio.create_task(self._watch())
            self._ready.set()
            await self._ends.wait()
            watching.cancel()

    async def _watch(self) -> None:
        """Wakes those for whom there is something."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            names = sorted({name for one in self._followers for name in one.places})
            if not names:
                continue
            try:
                newest = await self._beside(partial(self.teller.newest, names))
            except Exception as error:  # the next look may go well
                log.error("websockets: %s", type(error).__name__)
                continue
            for one in self._followers:
                one.hear(newest)

    async def _met(self, socket: ServerConnection) -> None:
        """One websocket, from its first message to its end."""
        if self._open >= MOST_SOCKETS:
            await socket.close(FULL, "Too many websockets")
            return
        self._open += 1
        try:
            bound = await self._bound(socket)
            if bound is None:
                await socket.close(POLICY, "Send bind-with-token and a good token")
                return
            await self._tell(socket, bound)
        except ConnectionClosed:
            pass
        except Exception as error:  # one websocket's fault is not the others'
            log.error("websocket: %s", type(error).__name__)
        finally:
            self._open -= 1

    async def _bound(self, socket: ServerConnection) -> Bound | None:
        try:
            said = await asyncio.wait_for(socket.recv(), BIND_SECONDS)
        except TimeoutError:
            return None
        if not isinstance(said, str) or not said.startswith(BIND):
            return None
        return await self._beside(partial(self._used, said.removeprefix(BIND).strip()))

    def _used(self, token: str) -> Bound | None:
        at = clock.micros(self.now())
        return self.teller.database.writing(lambda connection: binding.use(connection, self.key, token, at))

    async def _tell(self, socket: ServerConnection, bound: Bound) -> None:
        begun = await self._beside(partial(self.teller.begin, bound))
        follower = _Follower(begun.places)
        await _send(socket, begun.bodies)
        reading = asyncio.create_task(_read(socket))
        reading.add_done_callback(lambda _: follower.woken.set())
        self._followers.add(follower)
        try:
            while follower.places and not reading.done():
                await follower.wait()
                if reading.done():  # it left
                    break
                following = await self._beside(partial(self.teller.follow, bound, follower.places))
                follower.places = following.places
                await _send(socket, following.bodies)
        finally:
            self._followers.discard(follower)
            reading.cancel()

    async def _beside(self, asked: Callable[[], T]) -> T:
        running: Awaitable[T] = asyncio.get_running_loop().run_in_executor(self._pool, asked)
        return await running


async def _read(socket: ServerConnection) -> None:
    """What a client says after it is bound does nothing; that it leaves, ends."""
    async for _ in socket:
        pass


async def _send(socket: ServerConnection, bodies: Sequence[str]) -> None:
    for body in bodies:
        await socket.send(body)
