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
