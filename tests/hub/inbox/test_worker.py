"""The worker and the inbox: what a handler raises, a lost lease, tries, chores. Each test runs on SQLite and on
PostgreSQL."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from hub import clock
from hub.inbox import work
from hub.inbox.messages import Message
from hub.problems import Problem
from hub.store.engine import Database
from hub.worker import Chore, Park, Worker
from tests.hub.inbox_steps import accepted, claim, lined, process, shown
from tests.hub.store.test_time_limit import endless

Handler = Callable[[Message], None]


def worker(database: Database, handler: Handler, **more: int) -> Worker:
    return Worker(database, {"adt": handler}, {}, {}, **more)


def raising(error: Exception) -> Handler:
    def handle(_: Message) -> None:
        raise error

    return handle


def once(made: Worker) -> None:
    """One turn of the lane that works messages."""
    made._messages_lane()


def test_a_parked_message_keeps_what_it_waits_for(database: Database) -> None:
    (seq,) = accepted(database)
    once(worker(database, raising(Park("unmapped", "no row", "PV1-36", ("code", "0112|99")))))
    found = shown(database, seq)
    assert (found.state, found.location, found.awaits_kind, found.awaits_key) == (
        *("unmapped", "PV1-36"),
        *("code", "0112|99"),
    )


@pytest.mark.parametrize("error", [ValueError("CANARY"), Problem("exception", "CANARY")])
def test_a_fault_is_tried_again_as_often_as_the_setting_says_and_the_next_member_goes_on(
    database: Database, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(work, "BACK_OFF", (0,))
    poison, after, other = lined(database, 1, 1, 2)
    done: list[int] = []

    def handle(message: Message) -> None:
        if message.seq == poison:
            raise error
        done.append(message.seq)
        process(database, message.seq)

    made = worker(database, handle, tries=3)
    for _ in range(3):
        assert after not in done
        once(made)
    assert shown(database, poison).state == "dead"
    once(made)
    assert done == [other, after]
    assert "CANARY" not in caplog.text + str(shown(database, poison).reason)


@pytest.mark.parametrize("kind", ["busy", "no-space"])
def test_what_passes_costs_no_try_and_the_member_keeps_its_order(
    database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock, a full disk: as long as it lasts nobody is dead, and nobody overtakes."""
    monkeypatch.setattr(work, "BACK_OFF", (0,))
    first, after = lined(database, 1, 1)
    asked: list[int] = []

    def handle(message: Message) -> None:
        asked.append(message.seq)
        if len(asked) <= 4:
            raise Problem(kind, "not now")
        process(database, message.seq)

    made = worker(database, handle, tries=2)
    for _ in range(6):
        once(made)
    assert asked == [first] * 5 + [after]
    assert (shown(database, first).state, shown(database, first).attempts) == ("processed", 1)


def test_a_message_that_was_let_go_outlives_what_passes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "BACK_OFF", (0,))
    (seq,) = accepted(database)
    taken = claim(database, clock.micros(clock.now()))
    database.writing(lambda c: work.let_go(c, taken, 0))
    made = worker(database, raising(Problem("busy", "not now")))
    for _ in range(4):
        once(made)
    assert (shown(database, seq).state, shown(database, seq).attempts) == ("received", work.LET_GO)


def test_who_read_for_too_long_is_tried_again(database: Database, database_url: str) -> None:
    """The database was slow: no reason to refuse. The message may be the cause, so it counts as a try."""
    (seq,) = accepted(database)
    limited = Database(database_url)
    limited.limit_reads(0.2)
    once(worker(database, lambda _: limited.reading(endless)))
    limited.close()
    found = shown(database, seq)
    assert (found.state, found.reason, found.attempts) == ("received", "too-costly", 1)


def test_content_that_asks_for_too_much_is_refused(database: Database) -> None:
    (seq,) = accepted(database)
    once(worker(database, raising(Problem("too-costly", "At most 200 rules"))))
    assert shown(database, seq).state == "refused"


def test_a_worker_whose_lease_ended_goes_on_with_its_batch(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = accepted(database, 2)
    far = clock.micros(clock.now()) + 3600 * 1_000_000

    def handle(message: Message) -> None:
        if message.seq == first:
            claim(database, far, limit=1)  # another worker, when the lease is over
            raise Park("unmapped", "late")
        process(database, message.seq)

    with caplog.at_level(logging.WARNING):
        once(worker(database, handle))
    assert "its lease ended" in caplog.text
    assert shown(database, first).state == "received"
    assert shown(database, second).state == "processed"


class Several:
    """A handler that does several messages in one go, as adapters.adt.process does."""

    def __init__(self, database: Database, outcomes: list[Exception | None]):
        self.database, self.outcomes = database, outcomes
        self.batches: list[int] = []

    def __call__(self, message: Message) -> None:
        raise AssertionError("one by one")

    def together(self, messages: Sequence[Message]) -> list[Exception | None]:
        self.batches.append(len(messages))
        for message, outcome in zip(messages, self.outcomes, strict=True):
            if outcome is None:
                process(self.database, message.seq)
        return self.outcomes


def test_what_is_claimed_together_is_handed_on_together_and_each_message_gets_its_own_end(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    seqs = accepted(database, 5)
    outcomes = [None, Park("unmapped", "no row"), Problem("busy", "later"), Problem("invalid", "no"), work.Lost()]
    several = Several(database, outcomes)
    with caplog.at_level(logging.WARNING):
        once(worker(database, several))
    assert several.batches == [5]
    states = ["processed", "unmapped", "received", "refused", "received"]
    assert [shown(database, seq).state for seq in seqs] == states
    assert "its lease ended" in caplog.text


def test_a_chore_that_fails_keeps_no_other_from_its_turn(database: Database) -> None:
    done: list[int] = []

    def fails(_: int) -> None:
        raise ZeroDivisionError

    made = worker(database, raising(ValueError()))
    made.chores = [Chore(timedelta(0), fails), Chore(timedelta(0), done.append)]
    made.start()
    while not done:
        clock.now()
    made.stop()
    assert done
