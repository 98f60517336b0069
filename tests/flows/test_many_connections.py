"""More clients keep their connections open and busy than the web process has threads: each is answered, soon."""

import asyncio
import time
from pathlib import Path

from tests.flows.hub_process import running

CONNECTIONS = 12  # the web process has four threads
SECONDS = 2.0
REQUEST = b"GET /fhir/Patient/nobody HTTP/1.1\r\nHost: hub.example\r\n\r\n"


async def _answers(port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    try:
        while time.monotonic() < until:
            writer.write(REQUEST)
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).lower()
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            count += time.monotonic() < until
    finally:
        writer.close()
    return count


async def _all(port: int) -> list[int]:
    until = time.monotonic() + SECONDS
    return await asyncio.gather(*(_answers(port, until) for _ in range(CONNECTIONS)))


def test_no_connection_waits_until_the_others_are_closed(tmp_path: Path) -> None:
    with running(tmp_path) as hub:
        counts = asyncio.run(_all(hub.http_port))
    assert min(counts) > 0, counts
    assert max(counts) < 10 * min(counts), counts
