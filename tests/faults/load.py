"""A mixed load in an open loop: requests and hospital messages leave on time, whether or not earlier ones were
answered. Each write has a name of its own, so that afterwards what was acknowledged can be looked for.

An answer counts with the phase in which its request left. What was not answered is unknown: it may be there.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from adapters.adt.frames import Splitter, framed
from adapters.adt.mllp_client import acknowledged
from auth.development_token import new_key
from hub.spool import Spool
from hub.store.engine import Database
from hub.store.tables import inbox, resource, token
from tests.bench.measures import quantile
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.hub.asking import register, token_of

HOST = "127.0.0.1"
READS = 3  # for each write
ANSWER_SECONDS = 30.0
DOORS = 8  # connections of hospitals
DAY = 86_400_000_000  # microseconds


@dataclass
class Phase:
    """What became of what left in it. Latencies in seconds, of what was accepted."""

    name: str
    sent: int = 0
    accepted: list[float] = field(default_factory=list)
    refused: int = 0
    refused_without_retry_after: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    messages: int = 0
    acks: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def row(self) -> dict[str, Any]:
        took, acked = sorted(self.accepted), sorted(self.acks)
        return {
            "phase": self.name,
            "seconds": round(self.seconds, 1),
            "sent": self.sent,
            "accepted": len(took),
            "refused_429": self.refused,
            "without_retry_after": self.refused_without_retry_after,
            "errors": self.errors,
            "unanswered": self.unanswered,
            **{f"p{round(100 * share)}_ms": _ms(took, share) for share in (0.5, 0.95, 0.99)},
            "messages": self.messages,
            "acknowledged": len(acked),
            **{f"ack_p{round(100 * share)}_ms": _ms(acked, share) for share in (0.5, 0.95, 0.99)},
        }

    @property
    def errors(self) -> int:
        """Answers that are neither success nor 429."""
        return sum(count for status, count in self.statuses.items() if status >= 400 and status != 429)


def _ms(found: list[float], share: float) -> float:
    return round(quantile(found, share) * 1000, 1) if found else 0.0


@dataclass
class Load:
    """`per_second`: requests (one of four writes) and messages."""

    hub: HubProcess
    most: int = 256  # connections of clients
    written: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    _number: int = 0
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    _doors: list["_Door"] = field(default_factory=list)

    async def phase(self, name: str, requests: float, messages: float, seconds: float) -> Phase:
        """Send so many a second for so long, and wait for the answers."""
        found = Phase(name)
        room = asyncio.Semaphore(self.most)
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hospitals(found, messages, began + seconds))
            for number in range(int(requests * seconds)):
                await asyncio.sleep(max(0.0, began + number / requests - time.perf_counter()))
                self._number += 1
                tasks.create_task(self._asks(found, self._number, room))
        found.seconds = time.perf_counter() - began
        return found

    async def _asks(self, found: Phase, number: int, room: asyncio.Semaphore) -> None:
        found.sent += 1
        began = time.perf_counter()
        name = f"n{number}"
        async with room:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    status, head = await self._asked(name, number % (READS + 1) == 0)
            except (OSError, EOFError, TimeoutError):
                found.unanswered += 1
                return
        found.statuses[status] += 1
        if status == 429:
            found.refused += 1
            found.refused_without_retry_after += b"\r\nretry-after: " not in head
        elif status < 400:
            found.accepted.append(time.perf_counter() - began)
            if status == 201:
                self.written.add(name)

    async def _asked(self, name: str, writes: bool) -> tuple[int, bytes]:
        reader, writer = await self._connection()
        try:
            writer.write(_request(name, writes))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return int(head[9:12]), head

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One that is open still, as clients take it (urllib3): the hub closes what was idle for half a minute."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(HOST, self.hub.http_port)

    async def _hospitals(self, found: Phase, rate: float, until: float) -> None:
        if not rate:
            return
        while len(self._doors) < DOORS:
            self._doors.append(await _Door.opened(self.hub.mllp_port, self.acknowledged))
        began = time.perf_counter()
        for number in range(int(rate * (until - began))):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            self._number += 1
            self._doors[number % DOORS].sends(found, f"m{self._number}", self._number)
        patience = time.perf_counter() + ANSWER_SECONDS
        while any(door.waiting for door in self._doors) and time.perf_counter() < patience:
            await asyncio.sleep(0.05)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        for door in self._doors:
            door.transport.close()


class _Door(asyncio.Protocol):
    """A hospital's connection."""

    def __init__(self, acknowledged_: set[str]):
        self._told = acknowledged_
        self._splitter = Splitter(1 << 20)
        self.waiting: dict[str, tuple[float, Phase]] = {}
        self.transport: asyncio.Transport

    @classmethod
    async def opened(cls, port: int, told: set[str]) -> "_Door":
        loop = asyncio.get_running_loop()
        transport, door = await loop.create_connection(lambda: cls(told), HOST, port)
        door.transport = transport
        return door

    def sends(self, found: Phase, name: str, number: int) -> None:
        raw = stories.adt("A01", name, visit=f"VL{number}", cin=f"9{number % 5000:07d}C").encode()
        found.messages += 1
        self.waiting[name] = time.perf_counter(), found
        self.transport.write(framed(raw))

    def data_received(self, data: bytes) -> None:
        self._splitter.feed(data)
        while (answer := self._splitter.next()) is not None:
            code, name = acknowledged(answer)
            began, found = self.waiting.pop(name)
            if code in ("AA", "CA"):
                found.acks.append(time.perf_counter() - began)
                self._told.add(name)


_TOKEN = token_of("all")
_HEAD = f"Host: {HOST}\r\nAuthorization: Bearer {_TOKEN}\r\n"


def _request(name: str, writes: bool) -> bytes:
    if not writes:
        return f"GET /fhir/Basic?_count=5 HTTP/1.1\r\n{_HEAD}\r\n".encode()
    body = f'{{"resourceType":"Basic","id":"{name}","code":{{"text":"load"}}}}'
    head = f"{_HEAD}Content-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n"
    return f"PUT /fhir/Basic/{name} HTTP/1.1\r\n{head}\r\n{body}".encode()


@contextmanager
def loaded(folder: Path, url: str, **settings: str) -> Iterator[tuple[HubProcess, Database, Load]]:
    """A running hub, its database, and a load for it."""
    (folder / "facilities.csv").write_text(stories.FACILITIES)
    hub = HubProcess(folder, url, **settings)
    hub.command("migrate")
    database = Database(url)
    register(database, new_key("ES384"))
    with database.write() as connection:  # a day of load
        connection.execute(update(token).values(expires=token.c.issued + DAY))
    hub.start()
    load = Load(hub)
    try:
        yield hub, database, load
    finally:
        with suppress(RuntimeError):  # its loop is gone
            load.close()
        hub.stop()
        database.close()


def lost(database: Database, load: Load) -> int:
    """Of what was acknowledged, how much is not there. The hub has stopped, or does nothing more."""
    if database.is_sqlite:
        spool = Spool(database)
        while spool.move():
            pass
        spool.close()
    with database.read() as connection:
        there = set(connection.execute(select(resource.c.id).where(resource.c.type == "Basic")).scalars())
        came = set(connection.execute(select(inbox.c.control_id)).scalars())
    return len(load.written - there) + len(load.acknowledged - came)
