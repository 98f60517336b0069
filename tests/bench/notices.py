"""From a hospital to a care manager: admissions of panel members, a Subscription, a receiver in this process.

The hub's panels have a million rows (tests.bench.roster). The time runs from the moment before a frame's first byte
leaves until its notice has arrived in whole.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import requests

from adapters.adt.frames import framed
from hub.demo.members import member
from hub.demo.organizations import ECM_PROVIDERS
from hub.demo.panels import panel_id
from hub.demo.scenario import Scenario
from tests.bench import mllp
from tests.bench.grounds import Ground, Running
from tests.bench.measures import Figure, quantile
from tests.bench.visits import adt, known
from tests.flows import stories
from tests.flows.hub_process import free_port

RATES = {20: "notice", 50: "notice50"}  # messages a second, and how their figures are called
CONNECTIONS = 8
PATIENCE_SECONDS = 60
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
VISIT = re.compile(rb'"value":"(NV\d+)"')
PANEL = ECM_PROVIDERS[0]


class Receiver(asyncio.Protocol):
    """Answers 200 and notes when each notice's visit had arrived."""

    arrived: dict[bytes, float]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, end, body = self.got.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]):
            return
        at, self.got = time.perf_counter(), b""
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        if visit := VISIT.search(body):
            self.arrived.setdefault(visit[1], at)


class Admissions(mllp.Frames):
    """Admissions of the panel's members; notes when each frame was asked for, which is when it is sent."""

    def __init__(self, members: int):
        numbers = range(1, members + 1)
        panel = [n for n in numbers if member(Scenario(), n).lead.employer == PANEL]
        self._people = [known(number) for number in panel]
        self.left: dict[bytes, float] = {}

    def next(self) -> bytes:
        n = len(self.left) + 1
        visit = f"NV{n:07d}"
        frame = framed(adt("A01", f"NOTICE{n:07d}", visit, self._people[n % len(self._people)]))
        self.left[visit.encode()] = time.perf_counter()
        return frame


@contextmanager
def _receiving(arrived: dict[bytes, float]) -> Iterator[int]:
    """The receiver's port. It has a thread and an event loop of its own."""
    port, ready, ended = free_port(), Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    protocol = type("Noting", (Receiver,), {"arrived": arrived})

    async def live() -> None:
        async with await loop.create_server(protocol, "127.0.0.1", port):
            ready.set()
            await ended.wait()

    thread = Thread(target=lambda: loop.run_until_complete(live()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


def notices(ground: Ground) -> Iterator[Figure]:
    """Frames at fixed rates, each into a hub of its own."""
    for rate, name in RATES.items():
        yield from _at(ground, rate, name)


def _at(ground: Ground, rate: int, key: str) -> Iterator[Figure]:
    """The notices are met with their frames by the visit's number."""
    size = ground.size
    arrived: dict[bytes, float] = {}
    admissions = Admissions(size.members)
    with _receiving(arrived) as port:
        host = f"127.0.0.1:{port}"
        with ground.serving(size.members, size.roster, HUB_WEBHOOK_HOSTS=host) as running:
            _subscribe(running, f"http://{host}/notices")
            seconds = size.notices / rate
            asyncio.run(mllp.open_loop(running.hub.mllp_port, admissions, rate, CONNECTIONS, seconds))
            _wait(lambda: len(arrived) >= len(admissions.left), running)
    waits = [arrived[visit] - left for visit, left in admissions.left.items()]
    more = {"notices": len(waits), "max_ms": round(max(waits) * 1e3, 1)}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        yield Figure(f"{key}.{name}", round(quantile(waits, share) * 1e3, 1), ground.name, more=more)


def _subscribe(running: Running, endpoint: str) -> None:
    headers = {"Authorization": f"Bearer {running.token()}", "Content-Type": "application/fhir+json"}
    asked = stories.subscription(stories.ADMISSION, endpoint, f"panel=Group/{panel_id(PANEL)}")
    answer = requests.post(f"{running.hub.fhir}/Subscription", json=asked, headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
    url = f"{running.hub.fhir}/Subscription/{answer.json()['id']}"
    _wait(lambda: requests.get(url, headers=headers, timeout=10).json()["status"] == "active", running)


def _wait(holds: Callable[[], bool], running: Running) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all notices came: {running.states()}")
        time.sleep(0.05)
