"""`hub load` beside the worker, two workers beside each other: of one feed one file is read at a time."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hub import clock
from hub.feeds import files, holding, taking
from hub.feeds.holding import held
from hub.feeds.lane import FileLane
from hub.feeds.loading import Busy, Loading
from hub.feeds.records import Feed, Given
from hub.store.engine import Database
from tests.hub.feeds.toy import TOY, file_of, read_toy, stored, toy_feed, toy_loading

A_LEASE = timedelta(microseconds=taking.LEASE)
ANN = "P,ann,91234567A,Invented,1980-05-01"


@dataclass(slots=True)
class Watched:
    """Reads slowly, and knows how many read at once."""

    inside: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, path: Path, feed: Feed) -> Iterator[Given]:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.2)
        yield from read_toy(path, feed)
        with self.lock:
            self.inside -= 1


def until_done(loading: Loading, seq: int) -> None:
    while True:
        try:
            loading.run(seq)
        except Busy:
            time.sleep(0.01)
        else:
            return


@pytest.mark.parametrize("feeds", [("toy", "toy"), ("toy", "other")])
def test_two_files_of_one_feed_are_never_read_at_once_and_of_two_feeds_they_are(
    database: Database, database_url: str, tmp_path: Path, feeds: tuple[str, str]
) -> None:
    watched = Watched()
    loading = toy_loading(database, tmp_path)
    known = {name: replace(toy_feed(), name=name) for name in feeds}
    loading = replace(loading, feeds=known, kinds={"toy": replace(TOY, read=watched.read)})
    seqs = [
        loading.arriving(file_of(tmp_path, f"{number}.csv", ANN), f"{number}.csv", known[name])[1]
        for number, name in enumerate(feeds)
    ]
    other = Database(database_url)  # another process has connections of its own
    beside = replace(loading, database=other, own=toy_loading(other, tmp_path).own)
    threads = [
        threading.Thread(target=until_done, args=(one, seq))
        for one, seq in zip((loading, beside), seqs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert watched.most == len(set(feeds))
    assert len(stored(database, "Patient")) == 1


def test_the_lane_leaves_a_feed_alone_whose_file_somebody_loads_by_hand(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    for name in ("a.csv", "b.csv"):
        loading.arriving(file_of(tmp_path, name, ANN), name, loading.feeds["toy"])
    with database.read() as connection:
        newer = files.named(connection, "toy", "b.csv")
    assert newer is not None
    with held(database, newer.seq, clock.now) as is_mine:
        assert is_mine
        assert not FileLane(loading).turn()
    database.writing(lambda connection: taking.free(connection, newer.seq))
    assert FileLane(loading).turn()


def test_a_file_that_rests_after_a_fault_does_not_hold_its_feed(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    feed = loading.feeds["toy"]
    first, second = (
        loading.arriving(file_of(tmp_path, name, ANN, f"L,1,{name}"), name, feed)[1] for name in ("a.csv", "b.csv")
    )
    with pytest.raises(RuntimeError), held(database, first, clock.now, rests=True):
        raise RuntimeError("a fault of the hub")
    assert loading.run(second).state == files.DONE
    with pytest.raises(Busy):
        loading.run(first)


def test_a_lease_lasts_as_long_as_the_work_and_no_longer(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the work may take longer than a lease: an 834 is judged for a minute before its first row."""
    monkeypatch.setattr(holding, "SECONDS", 0.05)
    at = [clock.now()]
    loading = replace(toy_loading(database, tmp_path), now=lambda: at[0])
    _, seq = loading.arriving(file_of(tmp_path, "a.csv", ANN), "a.csv", loading.feeds["toy"])
    with held(database, seq, loading.now) as is_mine:
        assert is_mine
        at[0] += 2 * A_LEASE
        until_prolonged(database, seq, clock.micros(at[0]))
        with pytest.raises(Busy):
            loading.run(seq)
    at[0] += 2 * A_LEASE  # the process is gone
    assert loading.run(seq).state == files.DONE


def until_prolonged(database: Database, seq: int, now: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with database.read() as connection:
            file = files.find(connection, seq)
        if file is not None and file.lease > now:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_fault_beside_the_work_ends_no_beat(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loading = toy_loading(database, tmp_path)
    _, seq = loading.arriving(file_of(tmp_path, "a.csv", ANN), "a.csv", loading.feeds["toy"])
    beats: list[int] = []

    def prolong(connection: Connection, mine: taking.Taking, now: int) -> None:
        beats.append(now)
        if len(beats) == 1:
            raise RuntimeError("whose file it is")

    monkeypatch.setattr(holding, "SECONDS", 0.01)
    monkeypatch.setattr(taking, "prolong", prolong)
    with held(database, seq, clock.now):
        deadline = time.monotonic() + 30
        while len(beats) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert "RuntimeError at " in caplog.text
    assert "whose" not in caplog.text
