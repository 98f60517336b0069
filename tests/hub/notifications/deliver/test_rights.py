"""Asked anew before each send (SEC-31)."""

from dataclasses import replace
from typing import Any

import pytest

from hub import outbox
from hub.notifications import deliver, webhooks
from hub.notifications.connections import Route
from hub.notifications.topics import ADMISSION, DISCHARGE
from hub.outbox import Dead, Done, Later
from tests.hub.notifications.conftest import SmallHub, wanted
from tests.hub.notifications.deliver.conftest import first_notice, notices, status_of


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


@pytest.mark.parametrize("part", ["look", "secret_of"])
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


PANEL = ("Encounter?class=IMP,EMER&panel=Group/panel-1",)


@pytest.mark.parametrize("refuses", ["Encounter", "Group"])
def test_a_notice_by_panel_needs_the_right_to_see_the_group(
    hub: SmallHub, refuses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says who is a member."""
    member = {"entity": {"reference": "Patient/pat-1"}}
    hub.put({"resourceType": "Group", "id": "panel-1", "type": "person", "actual": True, "member": [member]})
    hub.subscribe(filters=PANEL)
    hub.subscribe("sub-2")
    assert status_of(hub) == "active"
    seeing = replace(hub.deliveries, look=lambda owner, event: {} if event.type != refuses else None)
    monkeypatch.setitem(hub.handlers, "notice", seeing.notice)
    hub.admit()
    hub.drive()
    assert len(notices(hub)) == (1 if refuses == "Group" else 0)  # that of the Subscription without a panel
    assert "The owner may not see this (any more)" in [row.reason for row in hub.rows("done")]


def test_a_subscription_by_panel_of_who_may_not_see_groups_becomes_an_error(
    hub: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake counts events: how often members were admitted."""
    refusing = replace(hub.deliveries, look=lambda owner, event: {} if event.type != "Group" else None)
    monkeypatch.setitem(hub.handlers, "handshake", refusing.handshake)
    hub.subscribe(filters=PANEL)
    assert hub.receiver.received == []
    assert status_of(hub) == "error"
    assert "Group" in hub.get("Subscription", "sub-1")["error"]


def test_a_subscription_moved_to_another_topic_is_not_told_of_the_first(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.drive("event")
    hub.put(wanted(hub.receiver.url, topic=DISCHARGE))
    hub.wait(seconds=1)
    hub.drive("handshake")
    hub.drive("notice")
    assert status_of(hub) == "active"
    assert notices(hub) == []
    assert [row.reason for row in hub.rows("done")] == ["The Subscription's filters do not hold (any more)"]


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
        patch.setattr(webhooks, "post", post)
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
