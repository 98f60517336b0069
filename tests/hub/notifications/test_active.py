"""The active Subscriptions of a topic are read anew when one changed, and only then."""

from typing import Any

import pytest

from hub.notifications import active
from hub.notifications.topics import ADMISSION, DISCHARGE
from tests.hub.notifications.conftest import BASE, SmallHub, wanted


def names(hub: SmallHub, topic: str = ADMISSION) -> list[str]:
    with hub.database.read() as connection:
        return [each.id for each in active.of_topic(connection, topic, BASE)]


def test_each_change_counts_at_once(hub: SmallHub) -> None:
    assert names(hub) == []
    hub.subscribe()
    assert names(hub) == ["sub-1"]
    hub.subscribe("sub-2", topic=DISCHARGE)
    assert (names(hub), names(hub, DISCHARGE)) == (["sub-1"], ["sub-2"])
    hub.put(wanted(hub.receiver.url, "sub-1", status="off"))
    assert names(hub) == []


def test_what_did_not_change_is_not_read_again(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.subscribe()
    read: list[Any] = []
    understood = active.understood
    monkeypatch.setattr(active, "understood", lambda *given: read.append(given) or understood(*given))
    assert (names(hub), names(hub)) == (["sub-1"], ["sub-1"])
    assert len(read) <= 1
    hub.subscribe("sub-2")
    assert names(hub) == ["sub-1", "sub-2"]


def test_of_many_only_those_that_changed_are_read_again(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else clients that subscribe hold up the notices of the others: each of their writes read them all."""
    for number in range(5):
        hub.subscribe(f"sub-{number}")
    assert len(names(hub)) == 5
    read: list[bytes] = []
    understood = active.understood
    monkeypatch.setattr(active, "understood", lambda body, base: read.append(body) or understood(body, base))
    monkeypatch.setattr(active, "PAGE", 2)
    hub.put(wanted(hub.receiver.url, "sub-3", status="off"))
    hub.delete("Subscription", "sub-4")
    assert (names(hub), read) == (["sub-0", "sub-1", "sub-2"], [])
    for number in range(5, 8):
        hub.subscribe(f"sub-{number}")
    assert names(hub) == [f"sub-{number}" for number in (0, 1, 2, 5, 6, 7)]
    assert len(read) == 3


def test_a_subscription_in_error_is_counted_and_one_that_waits_is_not(hub: SmallHub) -> None:
    hub.subscribe("sub-1")
    hub.put(wanted(hub.receiver.url, "sub-2"))
    hub.receiver.status = 404
    hub.subscribe("sub-3")
    for _ in range(4):
        hub.wait(minutes=1)
        hub.drive()
    assert hub.get("Subscription", "sub-3")["status"] == "error"
    assert "sub-3" in names(hub)
    hub.put(wanted(hub.receiver.url, "sub-4"))
    assert "sub-4" not in names(hub)
