"""A member's messages are worked one after the other, whoever works them, and a worker that lost its lease ends
nothing. Each test runs on SQLite and on PostgreSQL."""

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from hub.clock import micros, now
from hub.inbox import work
from hub.inbox.messages import Message
from hub.inbox.replaying import taken
from hub.store.engine import Database
from hub.store.tables import inbox as table
from hub.worker import Park, Worker
from tests.hub.inbox_steps import (
    NOW,
    SECOND,
    claim,
    every,
    lined,
    park,
    process,
    retry_later,
    shown,
)

ANN, BEN = 11, 22
MINUTE = 60 * SECOND


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages]


def test_of_each_member_the_first_is_given_out_and_what_has_no_order_as_it_comes(database: Database) -> None:
    ann, ben, ann_again, free, freer = lined(database, ANN, BEN, ANN, None, None)
    assert seqs(claim(database)) == [ann, ben, free, freer]
    assert claim(database) == []
    process(database, ann)
    assert seqs(claim(database)) == [ann_again]


def test_the_next_waits_for_the_retry_of_the_one_before_and_others_do_not(database: Database) -> None:
    first, second, other = lined(database, ANN, ANN, BEN)
    claim(database, limit=1)
    retry_later(database, first, NOW + 5 * SECOND)
    assert seqs(claim(database)) == [other]
    assert seqs(claim(database, NOW + 5 * SECOND)) == [first]
    process(database, first)
    assert seqs(claim(database, NOW + 5 * SECOND)) == [second]


def test_what_waits_for_a_person_or_is_dead_holds_up_nobody(database: Database) -> None:
    parked, dead, last = lined(database, ANN, ANN, ANN)
    park(database, parked, "unmapped")
    park(database, dead, "dead")
    assert seqs(claim(database)) == [last]


def test_a_poison_message_holds_its_own_member_until_it_is_dead(database: Database) -> None:
    poison, after = lined(database, ANN, ANN)
    for attempt in range(work.MAX_ATTEMPTS):
        assert seqs(claim(database, NOW + attempt * MINUTE)) == [poison]
    assert claim(database, NOW + work.MAX_ATTEMPTS * MINUTE) == []
    assert shown(database, poison).state == "dead"
    assert seqs(claim(database, NOW + work.MAX_ATTEMPTS * MINUTE)) == [after]


def test_how_often_a_message_is_tried_is_the_callers_choice(database: Database) -> None:
    (seq,) = lined(database, ANN)
    for attempt in range(2):
        database.writing(lambda c, at=NOW + attempt * MINUTE: work.claim(c, at, 60, 9, tries=2))
    assert database.writing(lambda c: work.claim(c, NOW + 9 * MINUTE, 60, 9, tries=2)) == []
    assert (shown(database, seq).state, shown(database, seq).reason) == ("dead", "tried 2 times without an end")


def test_the_wait_grows_with_each_try_and_stays_at_its_longest() -> None:
    waits = [work.wait_after(attempt) for attempt in range(1, 12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[3], waits[-1]) == (SECOND, 64 * SECOND, 64 * SECOND)


def test_what_passes_is_waited_for_longer_each_time_and_never_long(database: Database) -> None:
    """However often: what hindered all is worked off soon after it has passed."""
    lined(database, ANN)
    at, waits = NOW, []
    for _ in range(7):
        (message,) = claim(database, at)
        database.writing(lambda c, message=message, at=at: work.wait_for_it(c, message, at, "busy"))
        waits.append(shown(database, message.seq).due - at)
        at += waits[-1]
    assert [wait // SECOND for wait in waits] == [1, 4, 16, 16, 16, 16, 16]


# the fence


def test_a_worker_whose_lease_ended_ends_nothing_that_another_has(database: Database) -> None:
    (seq,) = lined(database, ANN)
    (slept,) = claim(database)
    (owner,) = claim(database, NOW + MINUTE)
    for end in (
        lambda c: work.processed(c, slept, NOW),
        lambda c: work.parked(c, slept, "unmapped", "late", None, NOW),
    ):
        with pytest.raises(work.Lost):
            database.writing(end)
    database.writing(lambda c: work.retry_later(c, slept, 0, "late"))
    database.writing(lambda c: work.wait_for_it(c, slept, 0, "late"))
    assert (shown(database, seq).state, shown(database, seq).due) == ("received", NOW + 2 * MINUTE)
    database.writing(lambda c: work.processed(c, owner, NOW))
    assert shown(database, seq).state == "processed"


def test_a_replay_does_not_give_an_old_claim_its_number_back(database: Database) -> None:
    (seq,) = lined(database, ANN)
    (slept,) = claim(database)
    claim(database, NOW + MINUTE)
    park(database, seq, "unmapped")
    database.writing(lambda c: taken(c, [seq]))
    claim(database, NOW + 2 * MINUTE)
    with pytest.raises(work.Lost):
        database.writing(lambda c: work.processed(c, slept, NOW))


# many workers


class Recorder:
    """A handler that keeps in which order members' messages began and ended, and fails now and then."""

    def __init__(self, database: Database):
        self.database = database
        self.done: dict[int, list[int]] = {}
        self.open: set[int] = set()
        self.overlaps = 0
        self.members: dict[int, int] = {}
        self._lock = threading.Lock()

    def __call__(self, message: Message) -> None:
        member = self.members[message.seq]
        with self._lock:
            self.overlaps += member in self.open
            self.open.add(member)
        time.sleep(0.002)
        fails = message.seq % 17 == 0 and message.attempts == 0
        with self._lock:  # before the commit: after it the next may begin
            self.open.discard(member)
            if not fails:
                self.done.setdefault(member, []).append(message.seq)
        if fails:
            raise RuntimeError("the first try fails")
        if message.seq % 23 == 0:
            raise Park("unmapped", "no row")
        self.database.writing(lambda connection: work.processed(connection, message, micros(now())))


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "BACK_OFF", (0,))


@pytest.mark.usefixtures("quick_retries")
def test_several_workers_with_several_lanes_keep_each_members_order(database: Database, database_url: str) -> None:
    members = [n * n % 7 for n in range(240)]
    given = lined(database, *members)
    recorder = Recorder(database)
    recorder.members = dict(zip(given, members, strict=True))
    opened = [Database(database_url, pool_size=8) for _ in range(3)]
    workers = [Worker(each, {"adt": recorder}, {}, {}, message_lanes=3) for each in opened]
    for worker in workers:
        worker.start()
    try:
        _wait_until_worked_off(database)
    finally:
        for worker in workers:
            worker.stop()
        for each in opened:
            each.close()
    assert recorder.overlaps == 0
    wanted = {m: [seq for seq in given if recorder.members[seq] == m] for m in set(members)}
    assert recorder.done == wanted


def _wait_until_worked_off(database: Database) -> None:
    deadline = time.monotonic() + 60
    while every(database, "received"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# a long backlog

BACKLOG = 100_000


@pytest.fixture
def backlog(database: Database) -> Database:
    """Five messages of each of 20,000 members; the first hundred members' first ones are leased."""
    row = {"source": "adt", "feed": "f", "digest": b"", "received": 1, "raw": b"x", "state": "received"}
    rows = [row | {"control_id": str(n), "member": n % (BACKLOG // 5)} for n in range(BACKLOG)]
    with database.write() as connection:
        for start in range(0, BACKLOG, 10_000):
            connection.execute(insert(table), rows[start : start + 10_000])
        connection.execute(update(table).where(table.c.seq <= 100).values(due=NOW + MINUTE))
    return database


def test_a_claim_looks_at_no_more_of_a_long_backlog_than_it_takes(backlog: Database) -> None:
    for counted in (False, True):  # with the planner's statistics and without
        if counted and not backlog.is_sqlite:
            with backlog._writes.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE inbox"))
        with backlog.write() as connection:
            work.walks(connection)
            statement = str(
                work.DUE[connection.dialect.name]
                .params(now=NOW, limit=20, after=-1, upto=2**63 - 1)
                .compile(connection, compile_kwargs={"literal_binds": True})
            )
            if backlog.is_sqlite:
                plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
                assert not [line for line in plan if "SCAN" in line or "TEMP B-TREE" in line], plan
                assert any("inbox_state (state=? AND seq>? AND seq<?)" in line for line in plan), plan
                assert any("inbox_line (member=? AND seq<?)" in line for line in plan), plan
            else:
                explained = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")).scalar_one()
                assert _looked_at(explained[0]["Plan"]) <= 200, json.dumps(explained)
    assert len(claim(backlog, limit=20)) == 20


def test_a_long_line_behind_a_held_message_keeps_no_other_from_being_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the line, a claim looks at two windows; the next one walks on."""
    monkeypatch.setattr(work, "WINDOW", 10)
    held, *_, last, free, freer = lined(database, *[ANN] * 45, BEN, None)
    assert (last, seqs(claim(database, limit=1))) == (free - 1, [held])
    walk, found = work.Walk(), []
    for _ in range(8):
        found.append(seqs(database.writing(lambda c: work.claim(c, NOW, 60, 5, walk=walk))))
    assert [one for one in found if one] == [[free, freer]]
    process(database, held)
    assert seqs(claim(database)) == [held + 1]


def test_the_next_of_a_long_line_is_found_while_the_walk_is_elsewhere(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "WINDOW", 3)
    given = lined(database, *[ANN] * 12)
    walk, found = work.Walk(), []
    for _ in given:
        (message,) = database.writing(lambda c: work.claim(c, NOW, 60, 5, walk=walk))
        database.writing(lambda c, message=message: work.processed(c, message, NOW))
        found.append(message.seq)
    assert found == given


def _looked_at(plan: dict[str, Any]) -> int:
    """Rows that the nodes of a plan read, those that a filter threw away included."""
    rows = plan["Actual Rows"] * plan["Actual Loops"] + plan.get("Rows Removed by Filter", 0)
    assert plan["Node Type"] not in ("Sort", "Seq Scan"), plan
    return max([int(rows), *(_looked_at(each) for each in plan.get("Plans", ()))])
