"""R13: a storm of connections to the MLLP listener, each with half a frame, while a hospital goes on sending.

    python -m tests.faults.storm [--rate 2000] [--seconds 60] [--database sqlite|postgresql]

Connections come from a process of their own. One in four stays open as long as the listener lets it. Prints a line
of JSON: how many came, the answers of the hospital (p50 and p95, before the storm and in it), and the listener's
open files before, at most, and after. Exit code 1 where the p95 in the storm is 500 ms or more, ten files more are
open afterwards, or a message was not answered.
"""

import argparse
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from adapters.adt.frames import framed
from tests.adapters.adt.mllp_peer import Peer
from tests.bench.measures import quantile
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.flows.kill_campaign import ground
from tests.waiting import until

HALF = framed(stories.adt("A01", "half").encode())[:200]
KEPT, PAUSE, CALM = 256, 0.02, 2.0
MOST_P95, MOST_FILES = 500.0, 10


@dataclass(frozen=True, slots=True)
class Found:
    """Times in milliseconds."""

    connections: int
    a_second: float
    messages: int
    calm_p50: float
    calm_p95: float
    storm_p50: float
    storm_p95: float
    files_before: int
    files_most: int
    files_after: int

    def faults(self) -> list[str]:
        wrong = {
            "p95 is 500 ms or more": self.storm_p95 >= MOST_P95,
            "files stay open": self.files_after > self.files_before + MOST_FILES,
        }
        return [name for name, is_so in wrong.items() if is_so]


def _rages(port: int, rate: float, seconds: float, count: "Synchronized[int]") -> None:
    """The storm's process."""
    kept: list[socket.socket] = []
    began = time.perf_counter()
    number = 0
    while (now := time.perf_counter() - began) < seconds:
        if number > rate * now:
            time.sleep(0.001)
            continue
        number += 1
        with suppress(OSError):
            rude = socket.create_connection(("127.0.0.1", port), 2)
            rude.sendall(HALF)
            count.value += 1
            if number % 4:
                rude.close()
                continue
            kept.append(rude)
            if len(kept) > KEPT:
                kept.pop(0).close()


def run(hub: HubProcess, rate: float, seconds: float) -> Found:
    """The hub listens. Raises AssertionError where a message is not answered."""
    spawned = multiprocessing.get_context("spawn")
    count: Any = spawned.Value("i", 0)
    storm = spawned.Process(target=_rages, args=(hub.mllp_port, rate, seconds, count))
    calm = _asked(hub, "calm", CALM)
    before, most, over = _files(hub), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            most[0] = max(most[0], _files(hub))

    watching = threading.Thread(target=watch)
    storm.start()
    watching.start()
    try:
        until(lambda: count.value)
        stormy = _asked(hub, "storm", seconds)
    finally:
        storm.join(30 + seconds)
        over.set()
        watching.join()
    deadline = time.monotonic() + 10
    while (after := _files(hub)) > before + MOST_FILES and time.monotonic() < deadline:
        time.sleep(0.1)
    spans = [round(quantile(sorted(times), share) * 1000, 1) for times in (calm, stormy) for share in (0.5, 0.95)]
    messages = len(calm) + len(stormy)
    return Found(count.value, round(count.value / seconds, 1), messages, *spans, before, most[0], after)


def _asked(hub: HubProcess, name: str, seconds: float) -> list[float]:
    """A hospital on its own connection, message by message."""
    peer, took = Peer(hub.mllp_port), []
    peer.socket.settimeout(30)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        control_id = f"{name}-{len(took)}"
        peer.send(stories.adt("A01", control_id).encode())
        assert peer.codes(1) == [("AA", control_id)]
        took.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    peer.close()
    return took


def _files(hub: HubProcess) -> int:
    return len(os.listdir(f"/proc/{hub.pid}/fd"))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options.add_argument("--rate", type=float, default=2000)
    options.add_argument("--seconds", type=float, default=60)
    chosen = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-")))
        url, _ = stack.enter_context(ground(chosen.database, folder))
        hub = HubProcess(folder, url)
        hub.command("migrate")
        hub.start("--mllp")
        stack.callback(hub.stop)
        found = run(hub, chosen.rate, chosen.seconds)
    print(json.dumps(asdict(found) | {"faults": found.faults()}))
    return 1 if found.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
