"""The steps of an end: a farewell where SIGTERM asks for one, all at the same time; the worker ends its piece."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from hub import outbox, stopping
from hub.outbox import Done, Outcome, Work
from hub.stopping import Farewell, Together, Told
from hub.store.engine import Database
from hub.worker import Worker


@pytest.mark.parametrize(
    ("signals", "waits"),
    [((), False), ((signal.SIGINT,), False), ((signal.SIGTERM,), True), ((signal.SIGTERM, signal.SIGINT), False)],
    ids=["a crash", "Ctrl-C", "SIGTERM", "impatience"],
)
def test_who_is_told_to_end_says_farewell(signals: tuple[int, ...], waits: bool) -> None:
    told: list[str] = []
    farewell = Farewell(0.3 if waits else 60, lambda: told.append("balancers leave"))
    for number in signals:
        farewell.told(number)
    began = time.monotonic()
    farewell.wait()
    assert (told == ["balancers leave"]) == waits
    assert (time.monotonic() - began >= 0.3) == waits


HAIL = """
import signal, sys, threading
from hub.stopping import Told
made = {"told": Told, "event": threading.Event}[sys.argv[1]]
one = [made()]
signal.signal(signal.SIGALRM, lambda *_: one[0].set())
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
for _ in range(3000):
    one[0] = made()
    one[0].wait(5)
    one[0].set()
signal.setitimer(signal.ITIMER_REAL, 0)
print("through")
"""


def test_a_signal_may_come_while_its_own_event_is_waited_for_or_set() -> None:
    """Where threading.Event stands in Told's place, this hangs within a second."""
    done = subprocess.run([sys.executable, "-c", HAIL, "told"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "through\n"


def test_what_is_told_is_told_also_to_who_asks_later() -> None:
    told = Told()
    assert not told.wait(0.01)
    told.set()
    told.set()
    assert [told.wait(0), told.wait(), told.is_set()] == [True, True, True]


class Slow:
    """Ends when all of its kind are told."""

    def __init__(self, all_told: threading.Barrier):
        self._all_told = all_told
        self.times = 0

    def stop(self) -> None:
        self.times += 1
        self._all_told.wait(20)


def test_all_are_stopped_at_the_same_time_and_once() -> None:
    barrier = threading.Barrier(3)
    them = [Slow(barrier) for _ in range(3)]
    together = Together(them)
    together.begin()
    together.begin()
    together.end()
    assert [one.times for one in them] == [1, 1, 1]
    assert not barrier.broken


def test_a_worker_ends_what_it_is_with_and_begins_nothing(database: Database) -> None:
    rows = [outbox.row("piece", key, {}, 0, None) for key in ("a", "b")]
    database.writing(lambda c: outbox.add(c, rows))
    holds, goes_on = threading.Event(), threading.Event()
    done: list[str] = []

    def slow(work: Work) -> Outcome:
        holds.set()
        assert goes_on.wait(60)
        done.append(work.key)
        return Done()

    worker = Worker(database, {}, {}, {"piece": slow}, delivery_lanes=1)
    worker.start()
    assert holds.wait(60)
    ending = Together([worker])
    ending.begin()
    time.sleep(0.2)
    goes_on.set()
    ending.end()
    with database.read() as connection:
        states = {entry.key: entry.state for s in ("waiting", "done") for entry in outbox.listed(connection, s)}
    assert len(done) == 1
    assert states == {one: "done" if one in done else "waiting" for one in ("a", "b")}
    assert stopping.WORK_SECONDS < stopping.FINISH_SECONDS
