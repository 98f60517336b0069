"""Sent again until it is taken, in order; 410 and 72 hours end it (R11, R12, SEC-51)."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from hub import outbox
from hub.notifications import attempts
from hub.outbox import Done, Later
from hub.worker import Worker
from tests.hub.notifications.conftest import SmallHub, wanted
from tests.hub.notifications.deliver.conftest import first_notice, notices, status_of


def test_a_failed_notice_is_sent_again_with_the_same_id_until_it_is_taken(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.receiver.answers = [500, 404, 302]
    sent_at = []
    for _ in range(20):
        before = len(notices(hub))
        hub.drive()
        sent_at += [hub.now()] * (len(notices(hub)) - before)
        hub.wait(seconds=1)
    assert len(notices(hub)) == 4
    assert len({got.headers["webhook-id"] for got in notices(hub)}) == 1
    gaps = [later - earlier for earlier, later in pairwise(sent_at)]
    assert gaps == [timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4)]
    assert [row.state for row in hub.rows("done")] == ["done"]


def test_a_worker_killed_between_send_and_done_sends_again_with_the_same_id(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    work = first_notice(hub)
    assert hub.handlers["notice"](work) == Done()
    hub.wait(seconds=61)  # killed here: nothing settled; the lease ends
    hub.drive()
    one, two = notices(hub)
    assert one.headers["webhook-id"] == two.headers["webhook-id"] == one.bundle["id"]
    assert one.headers["webhook-timestamp"] != two.headers["webhook-timestamp"]
    assert len(hub.rows("done")) == 1


def test_a_receiver_that_is_gone_for_72_hours_makes_a_dead_row_that_can_be_replayed(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.drive("event")
    hub.receiver.status = 503
    started, tries = hub.now(), 0
    while not hub.rows("dead"):
        (work,) = hub.claim("notice")
        settled = hub.handlers["notice"](work)
        hub.settle(work, settled)
        tries += 1
        if isinstance(settled, Later):
            hub.time += timedelta(microseconds=settled.due - hub.deliveries._micros())
    assert timedelta(hours=70) < hub.now() - started <= timedelta(hours=72)
    assert tries == 83
    (row,) = hub.rows("dead")
    assert row.reason == "Given up after 83 tries: The receiver answered 503"
    assert status_of(hub) == "error"
    assert hub.get("Subscription", "sub-1")["error"] == row.reason
    hub.receiver.status = 200
    hub.subscribe()
    hub.database.writing(lambda c: outbox.replay(c, 0, [row.seq]))
    hub.drive()
    assert hub.rows("dead") == []
    assert len({got.headers["webhook-id"] for got in notices(hub)}) == 1


def test_a_later_notice_waits_for_the_one_before_it(hub: SmallHub) -> None:
    hub.subscribe()
    for number in range(3):
        hub.admit(f"enc-{number}")
    hub.receiver.answers = [500]
    hub.drive()
    assert hub.receiver.numbers == ["1"]
    hub.wait(seconds=1)
    hub.drive()
    assert hub.receiver.numbers == ["1", "1", "2", "3"]


def test_a_failing_subscription_holds_up_no_other(hub: SmallHub) -> None:
    hub.subscribe("sub-down", header=("X-Down: yes",))
    hub.subscribe("sub-up")
    hub.admit()

    def answer(handler: Any) -> None:
        handler.send_response(500 if handler.headers["X-Down"] else 200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    hub.receiver.answer = answer
    hub.drive()
    assert [row.key for row in hub.rows("done")] == ["sub-up|1"]
    assert [row.key for row in hub.rows("waiting")] == ["sub-down|1"]


def test_410_switches_the_subscription_off(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit("enc-1")
    hub.admit("enc-2")
    hub.receiver.status = 410
    hub.drive()
    off = hub.get("Subscription", "sub-1")
    assert (off["status"], off["error"]) == ("off", "The receiver answered 410")
    assert hub.receiver.numbers == ["1"]
    assert [row.reason for row in hub.rows("done")] == [
        "The receiver answered 410",
        "The Subscription is in status off",
    ]


def test_410_from_an_endpoint_that_was_changed_meanwhile_switches_nothing_off(hub: SmallHub) -> None:
    def moved(handler: Any) -> None:
        hub.put(wanted(hub.receiver.url + "/new"))
        handler.send_response(410)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    hub.subscribe()
    hub.admit()
    work = first_notice(hub)
    hub.receiver.answer = moved
    settled = hub.handlers["notice"](work)
    assert isinstance(settled, Later)
    assert status_of(hub) == "requested"


def worked(hub: SmallHub) -> Worker:
    return Worker(hub.database, {}, {}, hub.deliveries.handlers(), now=hub.now)


def logged(hub: SmallHub) -> list[tuple[str, int, str]]:
    """(kind, first number, outcome) of the tries, the oldest first."""
    with hub.database.read() as connection:
        return [(one.kind, one.first, one.outcome) for one in reversed(attempts.listed(connection, "sub-1", 99))]


@pytest.mark.parametrize("most", [1, 5])
def test_a_log_that_cannot_be_written_doubles_no_notice(
    hub: SmallHub, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    hub.subscribe(most=most)
    for number in range(1, 4):
        hub.admit(f"enc-{number}")
    hub.drive("event")

    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(attempts, "write", full)
    for _ in range(5):
        worked(hub)._deliveries_lane()
        hub.wait(minutes=5)
    assert len(notices(hub)) == (1 if most == 5 else 3)
    assert len(hub.rows("done")) == 3
    monkeypatch.undo()
    assert logged(hub) == [("handshake", 0, "sent")]


def test_a_try_is_logged_in_the_commit_that_settles_its_notice(hub: SmallHub) -> None:
    """Else a kill between them leaves one without the other."""
    hub.subscribe()
    for number in range(1, 4):
        hub.admit(f"enc-{number}")
    hub.drive("event")
    (work,) = hub.claim("notice")
    settled = hub.handlers["notice"](work)
    assert logged(hub) == [("handshake", 0, "sent")]
    with pytest.raises(ZeroDivisionError):
        hub.database.writing(lambda c: outbox.settle(c, work, settled) and 1 // 0)
    assert logged(hub) == [("handshake", 0, "sent")]
    hub.settle(work, settled)
    worked(hub)._deliveries_lane()
    assert logged(hub) == [("handshake", 0, "sent"), *(("notice", number, "sent") for number in (1, 2, 3))]
