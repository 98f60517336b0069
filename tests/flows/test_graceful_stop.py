"""R27: SIGTERM under load breaks nothing off. `/readyz` says so first, nobody is turned away in the middle, what
was begun is answered, what a hospital was told is stored and nothing else, and all has ended within 30 seconds."""

import http.client
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from adapters.adt.frames import Splitter, framed
from adapters.adt.mllp_client import acknowledged
from hub.spool import Spool
from hub.store.engine import Database
from tests.flows import stories
from tests.flows.hub_process import HubProcess

PATIENCE_SECONDS = 60
FORM = b"grant_type=client_credentials&scope=system/*.rs"
HALF = (
    b"POST /auth/token HTTP/1.1\r\nHost: hub.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(FORM), FORM[:10])
)


class Caller(threading.Thread):
    """Asks again and again, each time on a connection of its own, until nobody is there."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self._port = port
        self.counted: Counter[str] = Counter()

    def run(self) -> None:
        while not self.counted["nobody there"]:
            self.counted[self._asked()] += 1

    def _asked(self) -> str:
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            wire.connect()
        except ConnectionRefusedError:
            return "nobody there"
        try:
            wire.request("GET", "/livez")
            answer = wire.getresponse()
            return "answered" if answer.status == 200 and answer.read() else f"answered {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            return f"broken off: {type(error).__name__}"
        finally:
            wire.close()


class Sender(threading.Thread):
    """A hospital that sends one message after the other until the hub closes its connection."""

    def __init__(self, number: int, port: int):
        super().__init__(daemon=True)
        self._number, self._port = number, port
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        splitter, count = Splitter(1 << 20), 0
        with socket.create_connection(("127.0.0.1", self._port), 10) as wire:
            wire.settimeout(PATIENCE_SECONDS)
            try:
                while True:
                    count += 1
                    told = stories.adt("A08", f"S{self._number}-{count}", visit=f"V{self._number}")
                    wire.sendall(framed(told.encode()))
                    while (answer := splitter.next()) is None:
                        data = wire.recv(65536)
                        if not data:
                            return
                        splitter.feed(data)
                    code, name = acknowledged(answer)
                    assert code == "AA"
                    self.acknowledged.add(name)
            except OSError:
                return


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def status(hub: HubProcess, path: str) -> int:
    return requests.get(hub.base + path, timeout=10).status_code


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> HubProcess:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    return HubProcess(tmp_path, database_url, HUB_DRAIN_SECONDS="8")


@pytest.mark.parametrize(
    "database_url",
    [
        pytest.param("sqlite", marks=pytest.mark.long),
        pytest.param("postgresql", marks=pytest.mark.postgresql),
    ],
    indirect=True,
)
def test_what_was_begun_ends_well(hub: HubProcess, database_url: str) -> None:
    hub.start()
    try:
        callers, senders = [Caller(hub.http_port) for _ in range(3)], [Sender(n, hub.mllp_port) for n in range(3)]
        for thread in (*callers, *senders):
            thread.start()
        slow = socket.create_connection(("127.0.0.1", hub.http_port), 10)
        slow.settimeout(PATIENCE_SECONDS)
        slow.sendall(HALF)
        until(lambda: all(caller.counted["answered"] > 2 for caller in callers))
        until(lambda: all(len(sender.acknowledged) > 2 for sender in senders))

        os.kill(hub.pid, signal.SIGTERM)
        until(lambda: status(hub, "/readyz") == 503)
        told = requests.get(f"{hub.base}/livez", timeout=10)
        assert (told.status_code, told.headers["Connection"]) == (200, "close")  # balancers leave; all is answered
        began = time.monotonic()
        os.kill(hub.pid, signal.SIGTERM)  # as if HUB_DRAIN_SECONDS were over
        until(lambda: is_refused(hub.http_port))
        slow.sendall(FORM[10:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 400")
        slow.close()
        hub.wait_for_end(30)
        assert time.monotonic() - began < 28
    finally:
        hub.stop()
    for thread in (*callers, *senders):
        thread.join(PATIENCE_SECONDS)
    assert [set(caller.counted) for caller in callers] == [{"answered", "nobody there"}] * len(callers)
    assert stored(database_url) == {name for sender in senders for name in sender.acknowledged}


def stored(database_url: str) -> set[str]:
    database = Database(database_url, pool_size=2)
    if database.is_sqlite:
        spool = Spool(database)
        while spool.move():
            pass
        spool.close()
    with database.read() as connection:
        found = set(connection.execute(text("SELECT control_id FROM inbox")).scalars())
    database.close()
    return found
