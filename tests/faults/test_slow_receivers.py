"""R11: receivers that trickle, stall or never end hold up no other's notices. R34: hubs that start again at once do
not ask all receivers that fail at once."""

import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from random import Random

import pytest

from hub import clock
from hub.notifications.connections import Route
from hub.notifications.deliver import Deliveries
from hub.store.engine import Database
from hub.worker import MOST_DELIVERIES, Worker, release_leases
from tests.hub.notifications.conftest import BASE, KEY, Receiver, SmallHub, wanted
from tests.waiting import until

RUDE = 12
EVENTS = 40
TIMEOUT = 10.0  # seconds, as deployed


class Live(SmallHub):
    """With the clock of this machine, and a worker."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def works(self) -> Worker:
        made = Deliveries(
            *(self.database, self.deliveries.transactions, self.secrets.get, self.look, BASE, TIMEOUT),
            *(Route((self.receiver.host,)), self.now),
            header_key=KEY,
        )
        return Worker(self.database, {}, {"event": self.handlers["event"]}, made.handlers())


def trickles(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + 1000 * b"X: y\r\n":
        handler.wfile.write(bytes([byte]))
        if over.wait(1):
            return


def stalls(_: BaseHTTPRequestHandler, over: threading.Event) -> None:
    over.wait(30)


def never_ends(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.wait(1):
        handler.wfile.write(b"1\r\nx\r\n")


RUDENESS: tuple[Callable[[BaseHTTPRequestHandler, threading.Event], None], ...] = (trickles, stalls, never_ends)


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def live(receiver: Receiver, migrated_sqlite: Path, tmp_path: Path) -> Iterator[Live]:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}")
    yield Live(database, receiver)
    database.close()


def test_receivers_that_are_slow_hold_up_no_other(live: Live, over: threading.Event) -> None:
    """Three times as many as there are lanes, each with the whole timeout: the one that answers hears of each event
    long before any of them is given up."""
    heard: dict[int, float] = {}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/rude"):
            RUDENESS[int(handler.path.rpartition("-")[2]) % len(RUDENESS)](handler, over)
            return
        heard[len(heard)] = time.monotonic()
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    for number in range(RUDE):
        live.put(wanted(f"http://{live.receiver.host}/rude-{number}", f"rude-{number}"))
    live.put(wanted(live.receiver.url, "good"))
    asked = ["good", *(f"rude-{number}" for number in range(RUDE))]
    worker = live.works()
    worker.start()
    try:
        until(lambda: {live.get("Subscription", name)["status"] for name in asked} == {"active"})
        live.receiver.answer = answer
        told = []
        for number in range(EVENTS):
            told.append(time.monotonic())
            live.admit(f"enc-{number}", f"pat-{number}")
            time.sleep(0.05)
        until(lambda: len(heard) == EVENTS)
        waits = sorted(heard[number] - told[number] for number in range(EVENTS))
        lane = worker._lanes.named("_deliveries_lane")
        assert lane
        assert lane.there <= MOST_DELIVERIES
    finally:
        over.set()
        worker.stop()
    assert waits[-1] < TIMEOUT, "nobody waited until a rude one was given up"
    print(f"p50 {statistics.median(waits):.2f} s, worst {waits[-1]:.2f} s, with {RUDE} of {RUDE + 1} rude")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_hubs_that_start_again_at_once_do_not_ask_all_that_fail_at_once(hub: SmallHub) -> None:
    """Receivers are down for hours; how many tries there are in a quarter of an hour, before and after three nodes
    were started again."""
    receivers, spell = 16, timedelta(minutes=15)
    hub.deliveries = Deliveries(
        *(hub.database, hub.deliveries.transactions, hub.secrets.get, hub.look, BASE, 2),
        *(hub.deliveries.route, hub.now),
        chance=Random(7).random,
        header_key=KEY,
    )
    hub.handlers = {"event": hub.handlers["event"], **hub.deliveries.handlers()}
    for number in range(receivers):
        hub.subscribe(f"sub-{number}")
    hub.receiver.status = 503
    hub.admit()
    tries: list[int] = []
    for _ in range(24):  # six hours
        before = len(hub.receiver.received)
        hub.time += spell
        hub.drive()
        tries.append(len(hub.receiver.received) - before)
    steady = statistics.mean(tries[-12:])
    before = len(hub.receiver.received)
    for _ in range(3):
        release_leases(hub.database, hub.now)
        hub.drive()
    assert 0 < steady < receivers / 2
    assert len(hub.receiver.received) - before < 2 * steady, (tries, steady)
    assert len({row.due for row in hub.rows("waiting")}) > receivers / 2, "they do not march in step"
    assert clock.micros(hub.now()) < max(row.due for row in hub.rows("waiting"))
