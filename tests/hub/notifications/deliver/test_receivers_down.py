"""R11, R12: receivers that are down for a day lose nothing and get it in order; the log tells what was tried."""

from datetime import timedelta
from typing import Any

from typer.testing import CliRunner

from hub.notifications import attempts
from hub.notifications.commands import notices_commands
from tests.hub.notifications.conftest import SmallHub
from tests.hub.notifications.deliver.conftest import notices, status_of


def test_a_day_of_silence_loses_nothing_and_keeps_the_order(hub: SmallHub) -> None:
    """The receiver of two Subscriptions is down for 24 hours, and an event comes every 20 minutes."""
    hub.subscribe("sub-1")
    hub.subscribe("sub-2", most=10)
    hub.receiver.received.clear()
    hub.receiver.status = 503
    ends = hub.now() + timedelta(hours=24)
    number = 0
    while hub.now() < ends:
        number += 1
        hub.admit(f"enc-{number}")
        for _ in range(4):
            hub.wait(minutes=5)
            hub.drive()
    assert number == 72
    hub.receiver.received.clear()
    hub.receiver.status = 200
    for _ in range(20):
        hub.wait(minutes=5)
        hub.drive()
    for name in ("sub-1", "sub-2"):
        told = [n for got in notices(hub) if name in str(got.parameters["subscription"]) for n in told_numbers(got)]
        assert told == list(range(1, 73))
        assert status_of(hub, name) == "active"
    assert hub.rows("waiting") == hub.rows("dead") == []


def told_numbers(got: Any) -> list[int]:
    events = [p for p in got.bundle["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
    return [int(part["valueString"]) for one in events for part in one["part"] if part["name"] == "event-number"]


def test_the_log_tells_each_try(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.receiver.answers = [503]
    hub.drive()
    hub.wait(seconds=2)
    hub.drive()
    with hub.database.read() as connection:
        told = [(one.kind, one.first, one.outcome, one.status) for one in attempts.listed(connection, "sub-1", 9)]
        (standing,) = attempts.standings(connection, "notice")
    assert told == [("notice", 1, "sent", 0), ("notice", 1, "failed", 503), ("handshake", 0, "sent", 0)]
    assert (standing.events, standing.waiting, standing.dead, standing.failures) == (1, 0, 0, 0)
    assert standing.owner == "client-lantern"


def test_failures_in_a_row_are_counted_until_something_is_taken(hub: SmallHub) -> None:
    hub.subscribe()
    hub.receiver.status = 503
    hub.admit()
    for expected in (1, 2, 3):
        hub.drive()
        hub.wait(minutes=1)
        assert _failures(hub) == expected
    hub.receiver.status = 200
    hub.drive()
    assert _failures(hub) == 0


def _failures(hub: SmallHub) -> int:
    with hub.database.read() as connection:
        return attempts.standings(connection, "notice")[0].failures


def test_the_log_names_no_resource_and_no_endpoint(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit("enc-zqcanary", "pat-zqcanary")
    hub.drive()
    app = notices_commands(lambda: hub.database)
    for words in (["list"], ["log"], ["log", "sub-1"]):
        told = CliRunner().invoke(app, words)
        assert told.exit_code == 0
        assert "sub-1" in told.output
        assert "zqcanary" not in told.output
        assert hub.receiver.host not in told.output


def test_dead_notices_are_replayed_once_the_owner_asked_anew(hub: SmallHub) -> None:
    hub.subscribe()
    hub.receiver.status = 503
    for number in (1, 2):
        hub.admit(f"enc-{number}")
    for _ in range(90):
        hub.drive()
        hub.wait(hours=1)
    assert status_of(hub) == "error"
    assert len(hub.rows("dead")) == 2
    hub.receiver.status = 200
    hub.receiver.received.clear()
    hub.subscribe()
    told = CliRunner().invoke(notices_commands(lambda: hub.database), ["replay", "sub-1"])
    assert told.output == "2 notices will be tried again.\n"
    hub.drive()
    assert [n for got in notices(hub) for n in told_numbers(got)] == [1, 2]
