"""A Subscription becomes active, or not."""

from typing import Any

import pytest

from hub.notifications import deliver
from hub.notifications.connections import Route
from hub.notifications.topics import ADMISSION
from hub.outbox import Done
from hub.problems import Problem
from tests.hub.notifications.conftest import BASE, SmallHub, wanted
from tests.hub.notifications.deliver.conftest import status_of, verified


def test_a_subscription_becomes_active_when_its_endpoint_says_2xx(hub: SmallHub) -> None:
    hub.receiver.status = 204
    hub.subscribe(header=("Authorization: Bearer invented",))
    assert status_of(hub) == "active"
    (got,) = hub.receiver.received
    assert verified(got)["type"] == "history"
    assert got.headers["authorization"] == "Bearer invented"
    assert got.headers["content-type"] == "application/fhir+json"
    assert got.parameters == {
        "subscription": {"reference": f"{BASE}/Subscription/sub-1"},
        "topic": ADMISSION,
        "status": "requested",
        "type": "handshake",
        "events-since-subscription-start": "0",
    }
    (entry,) = got.bundle["entry"]
    assert entry["request"] == {"method": "GET", "url": f"{BASE}/Subscription/sub-1/$status"}
    assert entry["response"] == {"status": "200"}


@pytest.mark.parametrize("status", [302, 400, 410, 500])
def test_a_subscription_whose_endpoint_says_anything_else_three_times_is_in_error(
    hub: SmallHub, status: int
) -> None:
    hub.receiver.status = status
    hub.subscribe()
    assert status_of(hub) == "requested"
    for _ in range(5):
        hub.wait(seconds=60)
        hub.drive()
    assert len(hub.receiver.received) == 3
    assert len({got.headers["webhook-id"] for got in hub.receiver.received}) == 1
    assert status_of(hub) == "error"
    assert hub.get("Subscription", "sub-1")["error"] == f"Handshake failed: The receiver answered {status}"


def test_a_handshake_that_succeeds_at_its_second_try_makes_active(hub: SmallHub) -> None:
    hub.receiver.answers = [503]
    hub.subscribe()
    hub.wait(seconds=2)
    hub.drive()
    assert status_of(hub) == "active"


def test_a_mended_subscription_starts_again_without_its_error_and_counts_on(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.drive()
    hub.receiver.status = 410
    hub.admit("enc-2")
    hub.drive()
    assert status_of(hub) == "off"
    hub.receiver.status = 200
    hub.subscribe()
    mended = hub.get("Subscription", "sub-1")
    assert mended["status"] == "active"
    assert "error" not in mended
    assert hub.receiver.received[-1].parameters["events-since-subscription-start"] == "2"


def test_an_endpoint_that_leads_inside_is_in_error_at_once_and_never_called(hub: SmallHub) -> None:
    deliveries = deliver.Deliveries(
        **{name: getattr(hub.deliveries, name) for name in hub.deliveries.__slots__ if name != "route"},
        route=Route((), lambda *_: ["127.0.0.1"]),
    )
    hub.put(wanted(f"https://receiver.example.org:{hub.receiver.server_port}/"))
    (work,) = hub.claim("handshake")
    assert deliveries.handshake(work) == Done(
        "Handshake failed: The endpoint's name leads to an address that is not public"
    )
    assert status_of(hub) == "error"
    assert hub.receiver.received == []


def test_a_handshake_for_an_earlier_version_is_not_made(hub: SmallHub) -> None:
    hub.put(wanted(hub.receiver.url))
    hub.put(wanted(hub.receiver.url, content="empty"))
    hub.wait(seconds=1)
    hub.drive()
    assert len(hub.receiver.received) == 1
    assert status_of(hub) == "active"
    assert [row.reason for row in hub.rows("done", "handshake")] == [deliver.CHANGED, None]


@pytest.mark.parametrize("change", ["off", "deleted", "again"])
def test_a_subscription_that_changes_during_its_handshake_is_left_as_its_client_wants_it(
    hub: SmallHub, change: str
) -> None:
    def meanwhile(handler: Any) -> None:
        if change == "deleted":
            hub.delete("Subscription", "sub-1")
        else:
            hub.put(wanted(hub.receiver.url, content="empty", status="off" if change == "off" else "requested"))
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    hub.put(wanted(hub.receiver.url))
    (work,) = hub.claim("handshake")
    hub.receiver.answer = meanwhile
    assert hub.handlers["handshake"](work) == Done(deliver.CHANGED)
    if change != "deleted":
        assert status_of(hub) == {"off": "off", "again": "requested"}[change]


def test_a_client_cannot_make_its_own_subscription_active(hub: SmallHub) -> None:
    with pytest.raises(Problem, match="requested"):
        hub.put(wanted(hub.receiver.url, status="active"))
