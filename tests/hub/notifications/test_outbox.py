"""The outbox: leases, fences, lines, dead rows and the schedule of retries."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from hub import outbox
from hub.outbox import Dead, Done, Later, Work, retry_after, spread
from hub.store.engine import Database

SECOND = outbox.SECOND


def add(database: Database, key: str, line: str | None = None, now: int = 0, kind: str = "notice") -> None:
    rows = [outbox.row(kind, key, {"key": key}, now, line)]
    database.writing(lambda c: outbox.add(c, rows))


def claim(database: Database, now: int, limit: int = 10, lease: float = 60) -> list[Work]:
    return database.writing(lambda c: outbox.claim(c, ("notice",), now, lease, limit))


def settle(database: Database, work: Work, settled: outbox.Settled) -> bool:
    return database.writing(lambda c: outbox.settle(c, work, settled))


def states(database: Database) -> dict[str, str]:
    with database.read() as connection:
        found = [entry for state in ("waiting", "done", "dead") for entry in outbox.listed(connection, state)]
    return {entry.key: entry.state for entry in found}


def keys(works: list[Work]) -> list[str]:
    return [work.key for work in works]


def test_claimed_work_comes_back_when_its_lease_ends_with_the_same_key_and_payload(database: Database) -> None:
    add(database, "a")
    (first,) = claim(database, 1)
    assert (first.payload, first.attempts) == ({"key": "a"}, 1)
    assert claim(database, 60 * SECOND) == []
    (second,) = claim(database, 60 * SECOND + 1)
    assert (second.key, second.payload, second.attempts) == ("a", {"key": "a"}, 2)


def test_a_worker_that_lost_its_lease_settles_nothing(database: Database) -> None:
    add(database, "a")
    (slow,) = claim(database, 0)
    (quick,) = claim(database, 61 * SECOND)
    for settled in (Done(), Dead("x"), Later(0, "x")):
        assert not settle(database, slow, settled)
    assert states(database) == {"a": "waiting"}
    assert settle(database, quick, Done())
    assert not settle(database, quick, Dead("x"))
    assert states(database) == {"a": "done"}


def test_only_due_work_of_the_kinds_asked_for_is_claimed_oldest_first(database: Database) -> None:
    add(database, "late", now=9)
    add(database, "soon", now=2)
    add(database, "other", now=1, kind="event")
    assert keys(claim(database, 5)) == ["soon"]
    assert keys(claim(database, 9)) == ["late"]


def test_a_claim_takes_at_most_its_limit(database: Database) -> None:
    for number in range(5):
        add(database, str(number))
    assert keys(claim(database, 0, limit=2)) == ["0", "1"]
    assert keys(claim(database, 0, limit=9)) == ["2", "3", "4"]


def test_a_line_is_worked_one_at_a_time_in_order_and_holds_up_no_other(database: Database) -> None:
    for key, line in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("free1", None), ("free2", None)):
        add(database, key, line)
    first = claim(database, 0)
    assert keys(first) == ["a1", "b1", "free1", "free2"]
    assert claim(database, 0) == []
    settle(database, first[0], Later(5, "not yet"))
    settle(database, first[1], Done())
    assert keys(claim(database, 4)) == []
    (again,) = claim(database, 5)
    assert again.key == "a1"
    settle(database, again, Done())
    assert keys(claim(database, 5)) == ["a2"]


def test_a_dead_row_holds_up_nobody_and_waits_again_when_replayed(database: Database) -> None:
    add(database, "a1", "a")
    add(database, "a2", "a")
    (work,) = claim(database, 0)
    settle(database, work, Dead("given up"))
    (following,) = claim(database, 0)
    assert following.key == "a2"
    with database.read() as connection:
        (entry,) = outbox.listed(connection)
        assert (entry.key, entry.reason, entry.attempts) == ("a1", "given up", 1)
    assert database.writing(lambda c: outbox.replay(c, 7, [entry.seq + 100])) == 0
    assert database.writing(lambda c: outbox.replay(c, 7, [entry.seq])) == 1
    (again,) = claim(database, 7)
    assert (again.key, again.attempts) == ("a1", 1)


def test_replay_without_a_choice_replays_the_dead_only(database: Database) -> None:
    for key in ("dead1", "dead2", "done"):
        add(database, key)
    for work in claim(database, 0):
        settle(database, work, Done() if work.key == "done" else Dead("x"))
    assert database.writing(lambda c: outbox.replay(c, 0)) == 2
    assert states(database) == {"dead1": "waiting", "dead2": "waiting", "done": "done"}


def test_release_makes_leased_work_due_at_once_and_leaves_what_waits_longer(database: Database) -> None:
    add(database, "a")
    add(database, "b")
    for work in claim(database, 5):
        if work.key == "b":
            settle(database, work, Later(3_600_000_000, "down"))
    assert claim(database, 5) == []
    database.writing(lambda connection: outbox.release(connection, 60_000_005))
    assert keys(claim(database, 5)) == ["a"]


def test_counts_and_purge_know_what_is_done(database: Database) -> None:
    add(database, "old", now=1)
    add(database, "new", now=5)
    add(database, "open", now=1, kind="event")
    for work in claim(database, 5):
        settle(database, work, Done())
    with database.read() as connection:
        assert outbox.counts(connection) == {("notice", "done"): 2, ("event", "waiting"): 1}
    assert database.writing(lambda c: outbox.purge(c, 5)) == 1
    assert set(states(database)) == {"new", "open"}


def test_a_long_reason_is_cut(database: Database) -> None:
    add(database, "a")
    (work,) = claim(database, 0)
    settle(database, work, Dead("x" * 9999))
    with database.read() as connection:
        (entry,) = outbox.listed(connection)
    assert entry.reason == "x" * 500


def test_two_workers_never_claim_the_same_row_nor_two_of_one_line(database: Database) -> None:
    for number in range(60):
        add(database, str(number), line=str(number % 6))
    taken: list[Work] = []
    in_flight: set[str] = set()
    lock = threading.Lock()
    clashes: list[Any] = []

    def work() -> None:
        while True:
            claimed = claim(database, 0, limit=3)
            if not claimed and len(taken) >= 60:
                return
            for one in claimed:
                line = str(int(one.key) % 6)
                with lock:
                    if line in in_flight:
                        clashes.append(one.key)
                    in_flight.add(line)
                    taken.append(one)
                with lock:
                    in_flight.discard(line)
                settle(database, one, Done())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(int(one.key) for one in taken) == list(range(60))
    assert clashes == []
    by_line = [[int(one.key) for one in taken if int(one.key) % 6 == line] for line in range(6)]
    assert all(line == sorted(line) for line in by_line)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (11, 1024), (12, 2048), (13, 3600), (82, 3600)]
)
def test_waits_double_from_a_second_to_an_hour(attempt: int, seconds: int) -> None:
    assert retry_after(attempt) == timedelta(seconds=seconds)


def test_retries_end_within_72_hours() -> None:
    waits = [wait for attempt in range(1, 200) if (wait := retry_after(attempt))]
    assert timedelta(hours=71) <= sum(waits, timedelta()) <= timedelta(hours=72)
    assert retry_after(len(waits)) is not None
    assert retry_after(len(waits) + 1) is None


@pytest.mark.parametrize(("chance", "seconds"), [(0, 75), (0.5, 100), (0.99999, 125)])
def test_jitter_is_a_quarter_at_most(chance: float, seconds: int) -> None:
    assert abs(spread(timedelta(seconds=100), chance) - timedelta(seconds=seconds)) < timedelta(seconds=0.01)
