"""A closed-loop HTTP client: so many connections, each asks anew when it has its answer. Loopback only.

Only what is needed to ask a server that is known: HTTP/1.1, keep-alive, answers with Content-Length.
Refuses: another answer than the one expected ends the run with its status, never counts as a result.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

HOST = "127.0.0.1"


class Unexpected(Exception):
    """An answer that is not the one that the measurement is about."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    expected: int = 200

    def bytes(self, headers: str) -> bytes:
        length = f"Content-Length: {len(self.body)}\r\n" if self.body else ""
        return f"{self.method} {self.path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}{length}\r\n".encode() + self.body


@dataclass
class Answers:
    """Latencies in seconds of the answers that arrived in the counted time, and that time."""

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0


@dataclass
class Load:
    """`next_request` makes the next request; `headers` are those of all. Ends after `seconds` or `most` answers."""

    port: int
    next_request: Callable[[], Request]
    headers: str = ""
    connections: int = 8
    warm_up: float = 0.5
    seconds: float = 5
    most: int = 10**9

    def run(self) -> Answers:
        return asyncio.run(self._run())

    async def _run(self) -> Answers:
        answers = Answers()
        began = time.perf_counter()
        await asyncio.gather(*(self._connection(answers, began + self.warm_up) for _ in range(self.connections)))
        answers.seconds = time.perf_counter() - began - self.warm_up
        return answers

    async def _connection(self, answers: Answers, counted: float) -> None:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            while (at := time.perf_counter()) < counted + self.seconds and len(answers.latencies) < self.most:
                await self._ask(reader, writer, self.next_request())
                if at >= counted:
                    answers.latencies.append(time.perf_counter() - at)
        finally:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bytes:
        writer.write(request.bytes(self.headers))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        body = await reader.readexactly(_length(head))
        if status != request.expected:
            raise Unexpected(f"{request.method} {request.path.partition('?')[0]}: {status} {body[:500]!r}")
        return body


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if not found:
        raise Unexpected("an answer without Content-Length")
    return int(rest.partition(b"\r\n")[0])


async def ask(port: int, request: Request, headers: str) -> bytes:
    """One request on a connection of its own: what a measurement looks at before it counts."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        return await Load(port, lambda: request, headers)._ask(reader, writer, request)
    finally:
        writer.close()
