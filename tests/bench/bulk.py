"""How fast a county leaves, and comes in, as NDJSON:

    python -m tests.bench.bulk 1000000 [--database postgresql] [--imported 50000]

An export counts from its kick-off to the last byte of its last file, fetched over HTTP by two connections that do
nothing with what they get; an import from its kick-off to its report. Memory is the largest that the hub's
processes had, together, during each; the hub had answered before. `make bench` has it as `bulk`, smaller.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.bench import transactions
from tests.bench.filled import _resources, fill
from tests.bench.grounds import Ground, Running, Size, ground
from tests.bench.measures import POSTGRESQL, SQLITE, Figure

CONNECTIONS = 2
BLOCK = 1 << 18
ASYNC = {"Prefer": "respond-async"}


class Client:
    """A bulk client that waits as it is told, and has a new token when it needs one."""

    def __init__(self, running: Running):
        self._running = running
        self._since = 0.0
        self._lock = threading.Lock()

    def headers(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() - self._since > 200:
                self._token, self._since = self._running.token(), time.monotonic()
            return {"Authorization": f"Bearer {self._token}"}

    def begin(self, method: str, path: str, **parts: Any) -> str:
        headers = {**self.headers(), **ASYNC, **parts.pop("headers", {})}
        answer = requests.request(method, f"{self._running.hub.fhir}{path}", headers=headers, timeout=60, **parts)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["Content-Location"])

    def done(self, job: str) -> dict[str, Any]:
        while True:
            answer = requests.get(job, headers=self.headers(), timeout=60)
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code == 202, answer.text
            time.sleep(int(answer.headers["Retry-After"]))

    def fetch(self, url: str) -> tuple[int, int]:
        """Lines and bytes of a file."""
        lines = size = 0
        headers = {**self.headers(), "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
            assert answer.status_code == 200, answer.text
            for block in answer.iter_content(BLOCK):
                lines += block.count(b"\n")
                size += len(block)
        return lines, size


class Memory:
    """The most that the hub's processes had together, in MB, as long as it watches."""

    def __init__(self, running: Running):
        self._running = running
        self.most = 0.0
        self._over = threading.Event()

    def __enter__(self) -> "Memory":
        self.most = self.now()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self.most = max(self.most, self.now())

    def now(self) -> float:
        total = 0
        for pid in self._running.hub.pids():
            status = Path(f"/proc/{pid}/status")
            lines = status.read_text().splitlines() if status.exists() else []
            total += sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:",)))
        return total / 1024


def exported(mine: Ground, resources: int) -> dict[str, Any]:
    with mine.hub(mine.size.demo) as running:
        fill(running, resources // transactions.ENTRIES)
        running.hub.start()
        try:
            client = Client(running)
            list(client.done(client.begin("GET", "/$export?_type=Group")))
            with Memory(running) as memory:
                before, began = memory.now(), time.monotonic()
                told = client.done(client.begin("GET", "/$export"))
                chosen = time.monotonic() - began
                with ThreadPoolExecutor(CONNECTIONS) as pool:
                    found = list(pool.map(client.fetch, [file["url"] for file in told["output"]]))
                seconds = time.monotonic() - began
            lines, size = (sum(each) for each in zip(*found, strict=True))
            assert lines == sum(file["count"] for file in told["output"]), "lines are missing"
            return {
                "resources": lines,
                "seconds": round(seconds, 1),
                "of them choosing": round(chosen, 1),
                "resources/s": round(lines / seconds),
                "MB/s": round(size / seconds / 2**20, 1),
                "memory before, MB": round(before),
                "memory at most, MB": round(memory.most),
            }
        finally:
            running.hub.stop()


def imported(mine: Ground, resources: int) -> dict[str, Any]:
    lines = [json.dumps(each) for n in range(resources // transactions.ENTRIES) for each in _resources(n, False)]
    body = "\n".join(lines).encode()
    with _served(body) as host, mine.hub(mine.size.demo, HUB_IMPORT_HOSTS=host) as running:
        running.hub.start()
        try:
            client = Client(running)
            part = [{"name": "url", "valueUrl": f"http://{host}/county.ndjson"}]
            asked = {"resourceType": "Parameters", "parameter": [{"name": "input", "part": part}]}
            with Memory(running) as memory:
                before, began = memory.now(), time.monotonic()
                headers = {"Content-Type": "application/fhir+json"}
                job = client.begin("POST", "/$import", data=json.dumps(asked), headers=headers)
                told = client.done(job)
                seconds = time.monotonic() - began
            assert not told["error"], told
            count = sum(each["count"] for each in told["output"])
            return {
                "resources": count,
                "seconds": round(seconds, 1),
                "resources/s": round(count / seconds),
                "memory before, MB": round(before),
                "memory at most, MB": round(memory.most),
            }
        finally:
            running.hub.stop()


@contextmanager
def _served(body: bytes) -> Iterator[str]:
    """A file on a port of this machine; `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def bulk(mine: Ground) -> Iterator[Figure]:
    """For `make bench`: the same, smaller. The goals are for 1,000,000 resources (`python -m tests.bench.bulk`)."""
    for name, found in (
        ("export", exported(mine, mine.size.exported)),
        ("import", imported(mine, mine.size.imported)),
    ):
        more = {"resources": found["resources"]}
        yield Figure(f"bulk.{name}.rate", found["resources/s"], mine.name, more=more)
        yield Figure(f"bulk.{name}.memory", found["memory at most, MB"], mine.name, more=more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("resources", type=int)
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), default=SQLITE)
    parser.add_argument("--imported", type=int, default=50_000)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="hub-bench-") as folder,
        ground(asked.database, Path(folder), Size()) as mine,
    ):
        for name, measured in (
            ("export", lambda: exported(mine, asked.resources)),
            ("import", lambda: imported(mine, asked.imported)),
        ):
            print(f"{asked.database} {name}: {json.dumps(measured())}")


if __name__ == "__main__":
    main()
