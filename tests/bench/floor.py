"""The floor: what this machine does with nothing of the hub in the way, in the same run."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.footprint import resident
from tests.bench.grounds import Ground, Size
from tests.bench.http_load import HOST, Load, Request
from tests.bench.measures import Figure, quantile
from tests.flows.hub_process import ROOT, free_port

BODY = b"x" * 1500  # about what a message weighs
TABLE = "create table floor (id integer primary key, body {})"


def files_and_sockets(folder: Path, size: Size) -> Iterator[Figure]:
    """What no database can be faster than, and what every answer costs."""
    yield from _quantiles("floor.fdatasync", 1e6, _timed(_fdatasync(folder / "floor.bin"), size.floor))
    yield from _quantiles("floor.loopback", 1e6, _loopback(size.floor * 4))
    yield from _sqlite(folder / "floor.db", size.floor)
    yield from _flask(size.rest)
    yield Figure("floor.python.start", round(min(_timed(_python, 3)), 3))


def postgresql(ground: Ground) -> Iterator[Figure]:
    """A bare psycopg connection, autocommit: insert, and read back."""
    assert ground.cluster is not None
    ground.cluster.create_database("floor")
    address = f"host={HOST} port={ground.cluster.port} user=hub dbname=floor"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLE.format("bytea"))
        numbers = iter(range(1, 10**9))

        def insert() -> None:
            number = next(numbers)
            connection.execute("insert into floor values (%s, %s)", (number, BODY))
            connection.execute("select body from floor where id = %s", (number,)).fetchone()

        yield from _commits("floor.postgresql", _timed(insert, ground.size.floor))


def _sqlite(path: Path, times: int) -> Iterator[Figure]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute(TABLE.format("blob"))
        insert = "insert into floor (body) values (?)"
        yield from _commits("floor.sqlite", _timed(lambda: connection.execute(insert, (BODY,)), times))


def _fdatasync(path: Path) -> Callable[[], None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    places = iter(range(0, 1 << 40, 4096))

    def write() -> None:
        os.pwrite(file, bytes(4096), next(places))
        os.fdatasync(file)

    return write


def _timed(work: Callable[[], Any], times: int) -> list[float]:
    latencies = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        latencies.append(time.perf_counter() - began)
    return latencies


def _quantiles(key: str, scale: float, latencies: list[float]) -> Iterator[Figure]:
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        yield Figure(f"{key}.{name}", round(quantile(latencies, share) * scale, 3))


def _commits(key: str, latencies: list[float]) -> Iterator[Figure]:
    yield from _quantiles(key, 1e3, latencies)
    yield Figure(f"{key}.rate", round(len(latencies) / sum(latencies), 1))


def _loopback(times: int) -> list[float]:
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        with socket.create_connection(server.getsockname()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def there_and_back() -> None:
                client.sendall(b"ping")
                client.recv(4)

            return _timed(there_and_back, times)


def _echo(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := client.recv(64):
            client.sendall(data)


def _python() -> None:
    subprocess.run([sys.executable, "-c", "import flask, sqlalchemy"], check=True)


def _flask(seconds: float) -> Iterator[Figure]:
    with _empty_application() as (port, process):
        found = Load(port, lambda: Request("GET", "/"), seconds=seconds).run()
        yield Figure("floor.flask.rate", round(found.rate, 1))
        yield Figure("floor.flask.p99", round(quantile(found.latencies, 0.99) * 1e3, 2))
        yield Figure("floor.flask.memory", resident([process.pid, *_children(process.pid)]).rss)


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


@contextmanager
def _empty_application() -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.empty", str(port)], cwd=ROOT)
    try:
        asyncio.run(_answers(port))
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


async def _answers(port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise TimeoutError("the empty application does not answer")
