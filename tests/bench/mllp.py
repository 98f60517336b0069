"""How fast, and how durable, the MLLP listener is.

    python -m tests.bench.mllp --url sqlite:////tmp/bench/hub.db --seconds 10 [--json result.json]
    python -m tests.bench.mllp --url postgresql        (starts a PostgreSQL of its own, fsync on)

The listener runs in a process of its own, the load here. `100/s` is an open loop: messages leave on time, whether
or not earlier ones were answered; the latency runs from the last byte sent to the acknowledgment read.
Afterwards the rows of the inbox are counted: they must be the acknowledgments. A first second is not counted.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from adapters.adt.frames import Splitter, framed
from adapters.adt.group_commit import into
from adapters.adt.mllp_door import Door
from adapters.adt.mllp_server import MllpListener
from hub import clock
from hub.store.engine import Database
from hub.store.migrate import migrate
from hub.store.tables import inbox
from tests.postgresql import Cluster

HOST = "127.0.0.1"
WARM_UP_SECONDS = 1
GOAL_P99_MS, GOAL_A_SECOND = 7.0, 2000.0
_NOTE = "OBX|{n}|TX|NOTE^Observation note^L||Invented text of an invented encounter, long enough to weigh||||||F\r"


def message(control_id: str, size: int) -> bytes:
    """An ADT^A01 of about `size` bytes about an invented person."""
    head = (
        f"MSH|^~\\&|BENCH|INVENTED_HOSPITAL|HUB|CALAIM|20261122081530-0800||ADT^A01^ADT_A01|{control_id}|P|2.5.1\r"
        "EVN|A01|20261122081500-0800\r"
        f"PID|1||{control_id}^^^INVENTED_HOSPITAL^MR||Testperson^Quillon||19700101|F|||1 Invented Way^^Nowhere\r"
        f"PV1|1|I|WEST^101^A||||1234567893^Examplephysician^Ada|||MED|||||||||{control_id}^^^INVENTED_HOSPITAL^VN\r"
        "DG1|1||I10^Essential hypertension^I10|||A\r"
    )
    notes = max(0, (size - len(head)) // len(_NOTE))
    return (head + "".join(_NOTE.format(n=n + 1) for n in range(notes))).encode()


class Sender(asyncio.Protocol):
    """One connection of a hospital: sends, and meets each acknowledgment with the moment of its message."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.latencies: list[float] = []
        self.refused = 0
        self.on_answer: Callable[[], None] = lambda: None
        self._splitter = Splitter(1 << 20)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def send(self, frame: bytes) -> None:
        self.transport.write(frame)
        self.sent.append(time.perf_counter())

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self._splitter.feed(data)
        while (answer := self._splitter.next()) is not None:
            self.latencies.append(at - self.sent[len(self.latencies)])
            self.refused += b"\rMSA|AA|" not in answer
            self.on_answer()

    @property
    def waiting(self) -> int:
        return len(self.sent) - len(self.latencies)


@dataclass
class Figures:
    name: str
    seconds: float
    latencies: list[float] = field(repr=False)
    refused: int
    unanswered: int

    def row(self) -> dict[str, float | str | int]:
        ordered = sorted(self.latencies) or [0.0]
        quantiles = {f"p{q * 100:g}_ms": round(ordered[int(len(ordered) * q)] * 1e3, 2) for q in (0.5, 0.95, 0.99)}
        return {
            "name": self.name,
            "acks": len(self.latencies),
            "per_second": round(len(self.latencies) / self.seconds, 1),
            **quantiles,
            "max_ms": round(ordered[-1] * 1e3, 2),
            "refused": self.refused,
            "unanswered": self.unanswered,
        }


class Frames:
    """Frames with control ids that occur once, 1 to 3 KB, made beforehand so that making them costs nothing."""

    def __init__(self) -> None:
        self._run = f"{int(time.time()):x}"
        self._sizes = [framed(message("@" * 16, size)) for size in range(1000, 3001, 100)]
        self._n = 0

    def next(self) -> bytes:
        self._n += 1
        control_id = f"{self._run}{self._n:08d}".rjust(16, "0")[-16:]
        return random.choice(self._sizes).replace(b"@" * 16, control_id.encode())


async def _senders(port: int, count: int) -> list[Sender]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Sender, HOST, port))[1] for _ in range(count)]


async def _settle(name: str, senders: list[Sender], began: float) -> Figures:
    deadline = time.perf_counter() + 10
    while any(sender.waiting for sender in senders) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    for sender in senders:
        sender.transport.close()
    return Figures(
        name,
        seconds,
        [latency for sender in senders for latency in sender.latencies],
        sum(sender.refused for sender in senders),
        sum(sender.waiting for sender in senders),
    )


async def open_loop(port: int, frames: Frames, rate: int, connections: int, seconds: float) -> Figures:
    senders = await _senders(port, connections)
    began = time.perf_counter()
    for n in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        senders[n % connections].send(frames.next())
    return await _settle(f"open loop, {rate}/s, {connections} connections", senders, began)


async def closed_loop(port: int, frames: Frames, connections: int, pipelined: int, seconds: float) -> Figures:
    senders = await _senders(port, connections)
    began = time.perf_counter()
    for sender in senders:
        sender.on_answer = _next_until(began + seconds, sender, frames)
        for _ in range(pipelined):
            sender.send(frames.next())
    await asyncio.sleep(seconds)
    return await _settle(f"closed loop, {connections} connections x {pipelined}", senders, began)


def _next_until(end: float, sender: Sender, frames: Frames) -> Callable[[], None]:
    def again() -> None:
        if time.perf_counter() < end:
            sender.send(frames.next())

    return again


def serve(url: str) -> None:
    """The listener's process: prints its port, ends at SIGTERM."""
    database = Database(url)
    migrate(database)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    listener = MllpListener(
        [Door(HOST, 0, max_bytes=10 << 20, idle_seconds=60, production=True)],
        accept=into(database),
        clock=clock.now,
        on_accepted=lambda: None,
    )
    print(*listener.start(), flush=True)
    ended.wait()
    listener.stop()
    database.close()


@contextlib.contextmanager
def _served(url: str) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.mllp", "--serve", "--url", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)


def rows(url: str) -> int:
    database = Database(url)
    migrate(database)
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(inbox)).scalar_one()
    database.close()
    return int(count)


def measure(url: str, seconds: float) -> dict[str, object]:
    frames, load = Frames(), os.getloadavg()[0]
    with _served(url) as port:
        asyncio.run(open_loop(port, frames, 100, 8, WARM_UP_SECONDS))  # statements compiled, files grown
        before = rows(url)
        figures = [
            asyncio.run(open_loop(port, frames, 100, 8, seconds)),
            asyncio.run(closed_loop(port, frames, 16, 1, seconds)),
            asyncio.run(closed_loop(port, frames, 16, 16, seconds)),
        ]
    stored = rows(url) - before
    acked = sum(len(one.latencies) for one in figures)
    met = figures[0].row()["p99_ms"] <= GOAL_P99_MS and figures[1].row()["per_second"] >= GOAL_A_SECOND  # type: ignore[operator]
    return {
        "database": url.partition(":")[0],
        "runs": [one.row() for one in figures],
        "acks": acked,
        "rows": stored,
        "lost": acked - stored,
        "goals_met": met and acked == stored,
        "cpus": os.cpu_count(),
        "load_before": round(load, 2),
    }


def _table(result: dict[str, object]) -> str:
    runs: list[dict[str, object]] = result["runs"]  # type: ignore[assignment]
    title = "MLLP into {database}: {acks} ACKs, {rows} rows; load before: {load_before}".format(**result)
    return "\n".join([title, " | ".join(runs[0]), *(" | ".join(map(str, run.values())) for run in runs)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--url", default="", help="SQLAlchemy URL, or `postgresql`; SQLite in a new folder if empty"
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.url)
        return 0
    with contextlib.ExitStack() as stack:
        url = options.url
        if url == "postgresql":
            url = stack.enter_context(Cluster()).create_database("bench")
        if not url:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/hub.db"
        result = measure(url, options.seconds)
    print(_table(result))
    print(json.dumps(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if result["goals_met"] else 1


if __name__ == "__main__":
    sys.exit(main())
