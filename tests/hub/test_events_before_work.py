"""Who is told of an event does not wait for other work, however much of it there is."""

import time

from hub import clock, outbox
from hub.outbox import Done, Work, row
from hub.store import outbox_rows
from hub.store.engine import Database
from hub.worker import BATCH, Worker
from tests.waiting import until

BACKLOG = 10 * BATCH


def test_an_event_does_not_stand_in_line_behind_a_file_of_referrals(database: Database) -> None:
    done: list[str] = []

    def slow(work: Work) -> Done:
        time.sleep(0.05)
        done.append("referral")
        return Done()

    def tell(work: Work) -> Done:
        done.append("event")
        return Done()

    now = clock.micros(clock.now())
    with database.write() as connection:
        outbox.add(connection, [row("referral", str(number), {}, now - 1000) for number in range(BACKLOG)])
        outbox.add(connection, [row("event", "one", {}, now)])
    worker = Worker(database, {}, {"referral": slow}, {}, events={"event": tell})
    worker.start()
    try:
        until(lambda: "event" in done)
    finally:
        worker.stop()
    assert done.index("event") < BATCH


def test_the_first_of_several_kinds_are_taken_by_when_they_were_due(database: Database) -> None:
    now = clock.micros(clock.now())
    with database.write() as connection:
        for kind, first in (("one", 4), ("other", 3), ("strange", 0)):
            outbox.add(connection, [row(kind, str(ago), {}, now - ago) for ago in (first, first + 4, first - 9)])
    with database.write() as connection:
        taken = outbox.claim(connection, ("one", "other"), now, 60, 3)
    assert [(one.kind, one.key) for one in taken] == [("one", "8"), ("other", "7"), ("one", "4")]
    with database.write() as connection:
        taken = outbox.claim(connection, ("one", "other"), now, 60, 3)
    assert [(one.kind, one.key) for one in taken] == [("other", "3")]


def test_who_does_no_kind_of_work_is_given_none(database: Database) -> None:
    with database.write() as connection:
        outbox.add(connection, [row("one", "1", {}, 0)])
        assert outbox.claim(connection, (), 10, 60, 3) == []
    with database.read() as connection:
        assert not outbox_rows.is_due(connection, (), 10)
