"""Handshakes and notices, sent to a real receiver.

On SQLite alone, for time's sake: the statements behind them run on both databases in test_fan_out.py (whose
subscriptions are made by real handshakes) and test_outbox.py; one notice is sent on both here.
"""

import json as plain_json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from standardwebhooks import Webhook, WebhookVerificationError

from hub import outbox
from hub.access import Access
from hub.notifications import deliver
from hub.notifications.connections import Route
from hub.notifications.subscriptions import BACKPORT
from hub.notifications.topics import ADMISSION, DISCHARGE
from hub.outbox import Dead, Done, Later
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.notifications.conftest import BASE, CLIENT, SECRET, Received, Receiver, SmallHub, encounter, wanted

PARAMETERS = BACKPORT + "backport-subscription-status-r4"


@pytest.fixture
def hub(receiver: Receiver, migrated_sqlite: Path, tmp_path: Path) -> Iterator[SmallHub]:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}")
    yield SmallHub(database, receiver)
    database.close()


def test_a_notice_is_told_once_on_either_database(database: Database, receiver: Receiver) -> None:
    hub = SmallHub(database, receiver)
    hub.subscribe(content="full-resource")
    hub.admit()
    hub.drive()
    hub.wait(hours=1)
    hub.drive()
    assert [got.parameters["type"] for got in receiver.received] == ["handshake", "event-notification"]
    assert [row.key for row in hub.rows("done")] == ["sub-1|1"]


def verified(got: Received, secret: str = SECRET) -> Any:
    """What a receiver with the reference library reads; raises where the signature does not fit."""
    return Webhook(secret).verify(got.body, got.headers)


def notices(hub: SmallHub) -> list[Received]:
    return [got for got in hub.receiver.received if got.parameters["type"] == "event-notification"]


def status_of(hub: SmallHub, identity: str = "sub-1") -> str:
    return str(hub.get("Subscription", identity)["status"])


def first_notice(hub: SmallHub) -> outbox.Work:
    hub.drive("event")
    (work,) = hub.claim("notice")
    return work


# handshake


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


def test_a_change_between_the_hubs_read_and_write_wins_over_the_hub(hub: SmallHub) -> None:
    hub.put(wanted(hub.receiver.url))
    (work,) = hub.claim("handshake")

    class Overtaken:
        def commit(self, *_: Any) -> None:
            raise Problem("precondition", "another was first")

    parts = {name: getattr(hub.deliveries, name) for name in hub.deliveries.__slots__}
    deliveries = deliver.Deliveries(**(parts | {"transactions": Overtaken()}))
    assert deliveries.handshake(work) == Done(deliver.CHANGED)


def test_a_client_cannot_make_its_own_subscription_active(hub: SmallHub) -> None:
    with pytest.raises(Problem, match="requested"):
        hub.put(wanted(hub.receiver.url, status="active"))


# what a notice says


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_a_notice_says_what_its_subscription_asked_for(hub: SmallHub, content: str) -> None:
    hub.subscribe(content=content)
    hub.admit()
    hub.drive()
    (got,) = notices(hub)
    bundle = got.bundle
    assert Bundle.model_validate(plain_json.loads(got.body)).type == "history"
    status, *rest = bundle["entry"]
    assert status["resource"]["meta"]["profile"] == [PARAMETERS]
    assert status["fullUrl"] == f"urn:uuid:{status['resource']['id']}"
    event = {part["name"]: part for part in status["resource"]["parameter"][-1]["part"]}
    assert event["event-number"]["valueString"] == "1"
    assert event["timestamp"]["valueInstant"] == hub.get("Encounter", "enc-1")["meta"]["lastUpdated"]
    assert ("focus" in event) == (content != "empty")
    if content == "empty":
        assert rest == []
        assert b"enc-1" not in got.body
        return
    assert event["focus"]["valueReference"] == {"reference": f"{BASE}/Encounter/enc-1"}
    (focus,) = rest
    assert focus["fullUrl"] == f"{BASE}/Encounter/enc-1"
    assert focus["request"] == {"method": "POST", "url": "Encounter"}
    assert focus["response"] == {"status": "201"}
    assert ("resource" in focus) == (content == "full-resource")
    assert (b"pat-1" in got.body) == (content == "full-resource")


def test_a_full_notice_holds_the_version_of_the_event_not_a_later_one(hub: SmallHub) -> None:
    hub.put(encounter(status="planned"))
    hub.subscribe(content="full-resource")
    hub.wait(seconds=1)
    hub.admit()
    hub.put(encounter(status="finished"))
    hub.delete("Encounter", "enc-1")
    hub.wait(seconds=1)
    hub.drive()
    (got,) = notices(hub)
    focus = got.bundle["entry"][1]
    assert (focus["resource"]["status"], focus["resource"]["meta"]["versionId"]) == ("in-progress", "2")
    assert focus["request"] == {"method": "PUT", "url": "Encounter/enc-1"}
    assert focus["response"] == {"status": "200"}


def test_every_notice_is_signed_with_its_owners_secret(hub: SmallHub) -> None:
    hub.secrets["client-harbor"] = "whsec_" + "b" * 32
    hub.put(wanted(hub.receiver.url), Access("client-harbor", CLIENT.grants))
    hub.admit()
    hub.drive()
    hub.admit("enc-2")
    hub.drive()
    for got in hub.receiver.received:
        verified(got, hub.secrets["client-harbor"])
        with pytest.raises(WebhookVerificationError):
            verified(got, SECRET)
        with pytest.raises(WebhookVerificationError):
            verified(Received(got.path, got.headers, got.body + b" "), hub.secrets["client-harbor"])
    assert len({got.headers["webhook-id"] for got in hub.receiver.received}) == 3


def test_who_changes_a_subscription_owns_it_and_is_asked_for(hub: SmallHub) -> None:
    hub.secrets["client-harbor"] = "whsec_" + "b" * 32
    hub.subscribe()
    hub.put(wanted(hub.receiver.url, content="empty"), Access("client-harbor", CLIENT.grants))
    hub.wait(seconds=1)
    hub.drive()
    hub.admit()
    hub.drive()
    assert [owner for owner, _ in hub.asked] == ["client-harbor"]
    verified(notices(hub)[0], hub.secrets["client-harbor"])


# retries


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
    hub.receiver.status = 200
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


# asked anew before each send


def test_what_the_owner_may_not_see_any_more_is_not_sent_at_a_retry_either(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.receiver.answers = [500]
    hub.drive()
    assert len(notices(hub)) == 1
    hub.denied.add("client-lantern")
    hub.wait(seconds=1)
    hub.drive()
    assert len(notices(hub)) == 1
    assert [row.reason for row in hub.rows("done")] == ["The owner may not see this (any more)"]
    assert {(event.type, event.id, event.topic) for _, event in hub.asked} == {("Encounter", "enc-1", ADMISSION)}


@pytest.mark.parametrize("part", ["allowed", "secret_of"])
def test_where_the_owners_right_or_secret_cannot_be_had_nothing_is_sent(hub: SmallHub, part: str) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("out of order")

    hub.subscribe()
    hub.admit()
    work = first_notice(hub)
    parts = {name: getattr(hub.deliveries, name) for name in hub.deliveries.__slots__}
    with pytest.raises(RuntimeError):
        deliver.Deliveries(**(parts | {part: broken})).notice(work)
    assert notices(hub) == []


def test_a_client_without_a_secret_gets_nothing_until_it_has_one(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    secret = hub.secrets.pop("client-lantern")
    hub.drive()
    assert notices(hub) == []
    (row,) = hub.rows("waiting")
    assert row.reason == "The owner has no webhook secret: no such client, or disabled"
    hub.secrets["client-lantern"] = secret
    hub.wait(seconds=1)
    hub.drive()
    assert len(notices(hub)) == 1


def test_who_left_the_panel_while_a_notice_waited_is_not_told_of(hub: SmallHub) -> None:
    panel = {
        "resourceType": "Group",
        "id": "panel-1",
        "type": "person",
        "actual": True,
        "member": [{"entity": {"reference": "Patient/pat-1"}}],
    }
    hub.put(panel)
    hub.subscribe(filters=("Encounter?panel=Group/panel-1",))
    hub.admit()
    hub.receiver.answers = [500]
    hub.drive()
    hub.put(panel | {"member": [{"entity": {"reference": "Patient/pat-1"}, "inactive": True}]})
    hub.wait(seconds=1)
    hub.drive()
    assert len(notices(hub)) == 1
    assert [row.reason for row in hub.rows("done")] == ["The Subscription's filters do not hold (any more)"]


def test_a_subscription_moved_to_another_topic_is_not_told_of_the_first(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.drive("event")
    hub.put(wanted(hub.receiver.url, topic=DISCHARGE))
    hub.drive("handshake")
    hub.drive()
    assert notices(hub) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("deleted", Done("The Subscription is gone or has ended")),
        ("ended", Done("The Subscription is gone or has ended")),
        ("off", Done("The Subscription is in status off")),
        ("error", Dead("The Subscription is in status error")),
    ],
)
def test_a_notice_of_a_subscription_that_is_gone_or_stopped_is_not_sent(
    hub: SmallHub, change: str, expected: outbox.Settled
) -> None:
    hub.subscribe(end="2100-01-01T00:00:00Z")
    hub.admit()
    work = first_notice(hub)
    if change == "deleted":
        hub.delete("Subscription", "sub-1")
    elif change == "ended":
        hub.wait(days=365 * 80)
    elif change == "off":
        hub.put(wanted(hub.receiver.url, status="off"))
    else:
        hub.receiver.status = 500
        hub.put(wanted(hub.receiver.url))
        for _ in range(4):
            hub.drive("handshake")
            hub.wait(seconds=9)
        hub.receiver.status = 200
    assert hub.handlers["notice"](work) == expected
    assert notices(hub) == []


def test_a_notice_waits_while_its_subscription_is_changed(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    work = first_notice(hub)
    hub.put(wanted(hub.receiver.url, content="empty"))
    settled = hub.handlers["notice"](work)
    assert settled == Later(hub.deliveries._micros() + 30_000_000, "The Subscription waits for its handshake")
    hub.settle(work, settled)
    hub.wait(seconds=31)
    hub.drive("handshake")
    hub.drive("notice")
    assert [len(got.bundle["entry"]) for got in notices(hub)] == [1]


def test_a_subscriptions_own_shorter_timeout_counts(hub: SmallHub) -> None:
    seen: list[float] = []

    def post(url: str, body: bytes, headers: Any, seconds: float, route: Route) -> int:
        seen.append(seconds)
        return 200

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "post", post)
        hub.subscribe("sub-1", timeout=1)
        hub.subscribe("sub-2", timeout=600)
        hub.subscribe("sub-3")
    assert seen == [1, 2, 2]


def test_no_reason_in_the_outbox_names_a_person(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit("enc-1", "canary-person")
    hub.receiver.answers = [500]
    hub.drive()
    with hub.database.read() as connection:
        entries = [e for state in ("waiting", "done", "dead") for e in outbox.listed(connection, state)]
    assert entries
    assert "canary" not in repr(entries)
