"""R19: a message that hangs, or kills its worker. It is dead after five tries, others go on within seconds, and
those of its own member wait for their turn."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from hub import clock
from hub.inbox import work
from hub.inbox.messages import Message
from hub.lanes import Lane
from hub.store.engine import Database
from hub.worker import Worker
from tests.hub.inbox_steps import every, lined, process, shown

PATIENCE = 40.0  # seconds of a busy machine; less than the lease of what is taken alone
ANN, BEN = 11, 22


class Poisoned:
    """Does several at once, as the handler of hospital messages does; with the poison among them `does` happens."""

    def __init__(self, database: Database, poison: int, does: Callable[[], None]):
        self.database, self.poison, self.does = database, poison, does
        self.done: list[int] = []

    def __call__(self, message: Message) -> None:
        self.together([message])

    def together(self, messages: Sequence[Message]) -> list[Exception | None]:
        if any(message.seq == self.poison for message in messages):
            self.does()
        for message in messages:
            self.database.writing(lambda c, one=message: work.processed(c, one, 0))  # type: ignore[misc]
            self.done.append(message.seq)
        return [None] * len(messages)


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def states(database: Database) -> dict[int, str]:
    return {entry.seq: entry.state for entry in every(database)}


def started(worker: Worker, patience: float) -> Lane:
    """A worker whose lane of messages is held after less time than in earnest, to spare the test's."""
    worker.start()
    lane = worker._lanes.named("_messages_lane")
    assert lane
    lane.patience = patience
    return lane


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hangs in a test ends with it."""
    event = threading.Event()
    yield event
    event.set()


def _late() -> None:
    raise RuntimeError("it ends, long after its lease")


def test_a_message_that_hangs_holds_up_no_other_and_is_dead_after_five_tries(
    database: Database, release: threading.Event
) -> None:
    """The clock goes on by a minute where the test says so: a lease of what hangs alone lasts so long."""
    poison, after, *others = lined(database, ANN, ANN, BEN, None, None)
    hung: list[float] = []

    def hang() -> None:
        hung.append(time.monotonic())
        release.wait()
        _late()

    ahead = [timedelta()]
    handler = Poisoned(database, poison, hang)
    worker = Worker(database, {"adt": handler}, {}, {}, now=lambda: clock.now() + ahead[0])
    began = time.monotonic()
    started(worker, 0.5)
    try:
        until(lambda: set(others) <= set(handler.done))
        waited = time.monotonic() - began
        (newcomer,) = lined(database, 33)
        until(lambda: newcomer in handler.done)
        while shown(database, poison).state != "dead":
            assert after not in handler.done
            ahead[0] += timedelta(minutes=2)
            time.sleep(0.1)
            assert time.monotonic() - began < 2 * PATIENCE
        until(lambda: after in handler.done)
    finally:
        worker.stop(0)
    assert waited < 20, "two turns of 1.5 s, on a machine that does nothing else"
    assert work.MAX_ATTEMPTS == 5
    assert len(hung) == 3, "with the others, which counts for three takes, and twice alone"
    assert sorted(handler.done) == sorted({after, newcomer, *others})
    release.set()
    time.sleep(0.2)
    assert shown(database, poison).state == "dead", "who comes back late ends nothing"


def test_a_slow_batch_that_nobody_took_over_ends_as_it_began(database: Database) -> None:
    """Let go is not taken away: who was only slow settles what it has."""
    first, second = lined(database, ANN, BEN)
    claimed = database.writing(lambda c: work.claim(c, 1_000_000_000, 60, 20))
    database.writing(lambda c: work.let_go(c, claimed, 1_000_000_001))
    assert [shown(database, seq).attempts for seq in (first, second)] == [work.LET_GO, work.LET_GO]
    (alone,) = database.writing(lambda c: work.claim(c, 1_000_000_001, 60, 20))
    assert alone.seq == first
    process(database, second)
    with pytest.raises(work.Lost):
        database.writing(lambda c: work.processed(c, claimed[0], 0))
    assert states(database) == {first: "received", second: "processed"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_where_all_hang_the_process_ends(database: Database, release: threading.Event) -> None:
    lined(database, *[None] * 8)
    ended = threading.Event()

    def hang(_: Message) -> None:
        release.wait()

    worker = Worker(database, {"adt": hang}, {}, {}, give_up=ended.set)
    lane = started(worker, 0.25)
    try:
        until(lambda: lane.there == lane.most == len(lane.held) == 5)
        assert not ended.is_set()
        for hold in lane.holds:  # a minute passes
            hold.looks = 240
        until(ended.is_set)
    finally:
        worker.stop(0)


def _works(url: str, poison: int, minutes: int) -> None:
    """A worker's process, so many minutes later, until nothing is due."""
    database = Database(url)
    handler = Poisoned(database, poison, lambda: os.kill(os.getpid(), signal.SIGKILL))
    made = Worker(database, {"adt": handler}, {}, {}, now=lambda: clock.now() + timedelta(minutes=minutes))
    for _ in range(20):
        made._messages_lane()
    os._exit(0)


@pytest.mark.long
def test_a_message_that_kills_its_worker_kills_five_and_costs_no_other_its_life(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    (tmp_path / "hub.db").write_bytes(migrated_sqlite.read_bytes())
    database = Database(url)
    poison, after, *others = lined(database, ANN, ANN, BEN, None)
    database.close()
    ends = []
    for minutes in range(0, 20, 2):
        child = multiprocessing.get_context("spawn").Process(target=_works, args=(url, poison, minutes))
        child.start()
        child.join(60)
        ends.append(child.exitcode)
        if child.exitcode == 0:
            break
    database = Database(url)
    assert ends == [-signal.SIGKILL] * work.MAX_ATTEMPTS + [0]
    assert states(database) == {poison: "dead", **dict.fromkeys((after, *others), "processed")}
    database.close()


def test_what_was_taken_with_one_that_killed_its_worker_waits_five_seconds(database: Database) -> None:
    lined(database, ANN, BEN, None)
    now = 1_000_000_000
    assert len(database.writing(lambda c: work.claim(c, now, 60, 20))) == 3
    assert database.writing(lambda c: work.claim(c, now + 4_900_000, 60, 20)) == []
    alone = [database.writing(lambda c: work.claim(c, now + 5_000_000, 60, 20)) for _ in range(4)]
    assert list(map(len, alone)) == [1, 1, 1, 0]


def test_what_is_taken_alone_has_its_whole_lease(database: Database) -> None:
    lined(database, ANN)
    now = 1_000_000_000
    assert len(database.writing(lambda c: work.claim(c, now, 60, 20))) == 1
    assert database.writing(lambda c: work.claim(c, now + 59_000_000, 60, 20)) == []
    with database.read() as connection:
        assert connection.execute(text("SELECT due FROM inbox")).scalar_one() == now + 60_000_000
