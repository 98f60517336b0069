"""Who has done a row of a line goes on with the next of it, in the commit that ends the first."""

import threading
import time

import pytest

from hub import outbox
from hub.bell import Bell
from hub.outbox import Done, Later, Outcome, Work
from hub.store.engine import Database
from hub.worker import Worker
from tests.hub.notifications.test_outbox import SECOND, add, claim, keys, settle, states


def go_on(database: Database, work: Work, now: int = 1) -> Work | None:
    return database.writing(lambda connection: outbox.done_and_next(connection, work, outbox.Done(), now, 60))


def test_the_next_of_the_line_is_claimed_as_the_first_is_done(database: Database) -> None:
    for key, line in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a")):
        add(database, key, line)
    (first,) = claim(database, 0, limit=1)
    second = go_on(database, first)
    assert second is not None
    assert (second.key, second.payload, second.attempts, second.line) == ("a2", {"key": "a2"}, 1, "a")
    assert states(database) == {"a1": "done", "a2": "waiting", "a3": "waiting", "b1": "waiting"}
    assert keys(claim(database, 59 * SECOND)) == ["b1"]
    assert keys(claim(database, 60 * SECOND + 1)) == ["a2"]


def test_the_last_of_a_line_and_what_stands_in_none_have_no_next(database: Database) -> None:
    add(database, "a1", "a")
    add(database, "alone")
    add(database, "alone too")
    found = claim(database, 0, limit=2)
    assert [go_on(database, one) for one in found] == [None, None]
    assert states(database) == {"a1": "done", "alone": "done", "alone too": "waiting"}


def test_one_that_is_not_due_holds_up_its_line(database: Database) -> None:
    for key in ("a1", "a2", "a3"):
        add(database, key, "a", now=9 * SECOND if key == "a2" else 0)
    (first,) = claim(database, 0)
    assert go_on(database, first) is None
    assert keys(claim(database, 8 * SECOND)) == []
    assert keys(claim(database, 9 * SECOND)) == ["a2"]


def test_an_older_one_that_was_replayed_goes_before_the_next(database: Database) -> None:
    for key in ("a1", "a2", "a3"):
        add(database, key, "a")
    (first,) = claim(database, 0)
    settle(database, first, outbox.Dead("x"))
    (second,) = claim(database, 0)
    database.writing(lambda connection: outbox.replay(connection, 0))
    following = go_on(database, second)
    assert following is not None
    assert following.key == "a1"


def test_who_lost_the_lease_ends_nothing_and_takes_nothing(database: Database) -> None:
    add(database, "a1", "a")
    add(database, "a2", "a")
    (slow,) = claim(database, 0)
    (quick,) = claim(database, 61 * SECOND)
    assert go_on(database, slow) is None
    assert states(database) == {"a1": "waiting", "a2": "waiting"}
    following = go_on(database, quick, 61 * SECOND)
    assert following is not None
    assert following.key == "a2"


def test_all_are_done_together_or_none(database: Database) -> None:
    for key in ("a", "b"):
        add(database, key)
    slow = claim(database, 0)
    quick = claim(database, 61 * SECOND, limit=1)

    class Undone(Exception):
        pass

    def end(works: list[Work]) -> None:
        with database.write() as connection:
            if not outbox.done_together(connection, [(work, "why") for work in works]):
                raise Undone

    with pytest.raises(Undone):
        end(slow)
    assert states(database) == {"a": "waiting", "b": "waiting"}
    end([*quick, *(work for work in slow if work.key != quick[0].key)])
    assert states(database) == {"a": "done", "b": "done"}


class Receiver:
    """A handler for deliveries that notes them; `later` is not taken the first time."""

    def __init__(self, later: str = ""):
        self.keys: list[str] = []
        self._later = later

    def __call__(self, work: Work) -> Outcome:
        self.keys.append(work.key)
        if work.key == self._later and work.attempts == 1:
            return Later(2**62, "not now")
        return Done()


def test_a_lane_delivers_a_line_in_order_with_one_claim(database: Database) -> None:
    for key, line in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a")):
        add(database, key, line)
    handler = Receiver()
    worker = Worker(database, {}, {}, {"notice": handler})
    assert worker._deliveries_lane()
    assert handler.keys == ["a1", "a2", "a3"]
    assert states(database) == {"a1": "done", "a2": "done", "a3": "done", "b1": "waiting"}


def test_a_lane_stops_at_what_is_not_taken(database: Database) -> None:
    for key in ("a1", "a2", "a3"):
        add(database, key, "a")
    handler = Receiver(later="a2")
    worker = Worker(database, {}, {}, {"notice": handler})
    assert worker._deliveries_lane()
    assert not worker._deliveries_lane()
    assert handler.keys == ["a1", "a2"]
    assert states(database) == {"a1": "done", "a2": "waiting", "a3": "waiting"}


def test_a_lane_leaves_a_long_line_when_its_time_is_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a1", "a2"):
        add(database, key, "a")
    monkeypatch.setattr("hub.worker.LINE_SECONDS", -1.0)
    handler = Receiver()
    worker = Worker(database, {}, {}, {"notice": handler})
    assert worker._deliveries_lane()
    assert handler.keys == ["a1"]
    assert worker._deliveries_lane()
    assert states(database) == {"a1": "done", "a2": "done"}


class Together(Receiver):
    """Does several in one go, if it can."""

    def __init__(self, fails: bool):
        super().__init__()
        self.groups: list[list[str]] = []
        self._fails = fails

    def together(self, works: list[Work]) -> list[Outcome]:
        self.groups.append(keys(works))
        if self._fails:
            raise RuntimeError
        return [Done() for _ in works]


@pytest.mark.parametrize(("fails", "alone"), [(False, []), (True, ["a", "b", "c"])])
def test_work_is_done_together_and_each_alone_where_that_fails(
    database: Database, fails: bool, alone: list[str]
) -> None:
    for key in ("a", "b", "c"):
        add(database, key)
    handler = Together(fails)
    assert Worker(database, {}, {"notice": handler}, {})._work_lane()
    assert (handler.groups, handler.keys) == ([["a", "b", "c"]], alone)
    assert set(states(database).values()) == {"done"}


def test_a_bell_wakes_one_of_those_who_wait_and_the_end_wakes_all() -> None:
    bell, woken = Bell(), list[int]()
    bell.wait(0)

    def sleep(number: int) -> None:
        bell.wait(30)
        woken.append(number)

    threads = [threading.Thread(target=sleep, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    bell.ring()
    while not woken:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(woken) == 1
    bell.end()
    for thread in threads:
        thread.join(10)
    assert len(woken) == 3


def test_a_bell_that_rang_while_nobody_waited_is_heard_by_who_comes_next() -> None:
    bell = Bell()
    bell.wait(0)
    bell.ring()
    heard = threading.Thread(target=bell.wait, args=(30,))
    heard.start()
    heard.join(10)
    assert not heard.is_alive()
