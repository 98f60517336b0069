"""Several events share a look and a commit: as if each had been alone, all or none."""

from typing import Any

import pytest

from hub.notifications import rosters
from hub.notifications.fan_out import FanOut, LeaseLost
from hub.notifications.happenings import ToldMeanwhile
from hub.outbox import Done, Ended, Outcome, Work
from hub.store.listed import Listing
from hub.worker import Worker
from tests.hub.notifications.conftest import SmallHub, encounter
from tests.hub.notifications.test_fan_out import group, member
from tests.hub.notifications.test_told_once import HOSPITAL, NETWORK, PANEL, stay


def together(hub: SmallHub, works: list[Work]) -> list[Outcome]:
    handler = hub.handlers["event"]
    assert isinstance(handler, FanOut)
    return handler.together(works)


def notices(hub: SmallHub) -> list[str]:
    return [row.key for row in hub.rows("waiting")]


def told(hub: SmallHub) -> list[tuple[str, int, str]]:
    """(Subscription, number, Encounter) of the notices that wait, by number."""
    found = hub.claim("notice", limit=100) if hub.rows("waiting") else []
    return [(one.payload["subscription"], one.payload["number"], one.payload["id"]) for one in found]


def test_they_are_numbered_in_their_order_and_settled_with_their_notices(hub: SmallHub) -> None:
    hub.subscribe("sub-1")
    hub.subscribe("sub-2", filters=("Encounter?patient=Patient/pat-2",))
    for number in (1, 2, 3):
        hub.admit(f"enc-{number}", f"pat-{number % 2 + 1}")
    works = hub.claim("event")
    assert together(hub, works) == [Ended()] * 3
    assert sorted(notices(hub)) == ["sub-1|1", "sub-1|2", "sub-1|3", "sub-2|1", "sub-2|2"]
    assert told(hub) == [("sub-1", 1, "enc-1"), ("sub-2", 1, "enc-1")]  # the first of each line
    assert len(hub.rows("done", "event")) == 3
    hub.admit("enc-4", "pat-1")
    assert together(hub, hub.claim("event")) == [Ended()]
    assert "sub-1|4" in notices(hub)


def test_what_nobody_asks_for_is_left_to_be_settled_by_who_claimed_it(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit("enc-1")
    hub.put(encounter("enc-2", status="finished"))
    works = hub.claim("event")
    assert {Done(), Ended()} >= set(together(hub, works))
    assert notices(hub) == ["sub-1|1"]


def test_one_whose_lease_was_lost_undoes_all(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit("enc-1")
    hub.admit("enc-2")
    slow = hub.claim("event")
    hub.wait(seconds=61)
    (quick,) = hub.claim("event", limit=1)
    with pytest.raises(LeaseLost):
        together(hub, slow)
    assert notices(hub) == []
    assert together(hub, [quick, *slow[1:]]) == [Ended()] * 2
    assert sorted(notices(hub)) == ["sub-1|1", "sub-1|2"]


def test_two_that_tell_of_one_happening_are_not_done_together_but_by_the_worker_each_alone(hub: SmallHub) -> None:
    hub.subscribe()
    hub.put(stay("v-1", HOSPITAL))
    hub.put(stay("n-77", NETWORK, 1))
    works = hub.claim("event")
    with pytest.raises(ToldMeanwhile):
        together(hub, works)
    assert notices(hub) == []
    hub.wait(seconds=61)
    assert Worker(hub.database, {}, {"event": hub.handlers["event"]}, {}, now=hub.now)._work_lane()
    assert notices(hub) == ["sub-1|1"]
    assert [row.reason for row in hub.rows("done", "event")] == [None, "Another sender told of this before"]


def test_a_missing_version_among_them_is_said_of_it_alone(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit("enc-1")
    hub.admit("enc-2")
    one, other = hub.claim("event")
    lost = Work(one.seq, one.kind, one.key, one.payload | {"version": 9}, one.attempts, one.created, one.line)
    assert together(hub, [lost, other]) == [Ended()] * 2
    assert notices(hub) == ["sub-1|1"]
    reasons = [row.reason for row in hub.rows("done", "event")]
    assert reasons == ["The version of this event is not there", None]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Groups whose people were read."""
    found: list[str] = []
    remembered = rosters._remembered

    def noting(connection: Any, listed: Listing, base: str) -> rosters.Roster:
        found.append(listed.id)
        return remembered(connection, listed, base)

    monkeypatch.setattr(rosters, "_remembered", noting)
    monkeypatch.setattr(rosters, "_known", {})
    return found


def test_a_roster_is_read_once_a_version_and_only_if_somebody_names_it(hub: SmallHub, read: list[str]) -> None:
    hub.put(group(member("pat-1"), member("pat-2")))
    hub.put(group(member("pat-1"), identity="panel-2"))
    hub.subscribe(filters=PANEL)
    for number in (1, 2, 3):
        hub.admit(f"enc-{number}", f"pat-{number}")
    hub.drive()
    assert hub.receiver.numbers == ["1", "2"]
    assert read == ["panel-1"]
    hub.put(group(member("pat-3")))
    hub.admit("enc-4", "pat-3")
    hub.admit("enc-5", "pat-1")
    hub.drive()
    assert hub.receiver.numbers == ["1", "2", "3"]
    assert read == ["panel-1", "panel-1"]


def test_an_empty_roster_is_remembered_too(hub: SmallHub, read: list[str]) -> None:
    hub.put(group(member("pat-1", inactive=True)))
    hub.subscribe(filters=PANEL)
    hub.admit("enc-1")
    hub.admit("enc-2")
    hub.drive()
    assert hub.receiver.numbers == []
    assert read == ["panel-1"]


def test_rosters_are_forgotten_when_there_are_too_many(
    hub: SmallHub, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "MOST_ENTRIES", 1)
    hub.put(group(member("pat-1")))
    hub.put(group(member("pat-2"), identity="panel-2"))
    hub.subscribe(filters=("Encounter?panel=Group/panel-1,Group/panel-2",))
    for number, patient in enumerate(("pat-1", "pat-2", "pat-1")):
        hub.admit(f"enc-{number}", patient)
    hub.drive("event")
    assert read == ["panel-1", "panel-2", "panel-1"]
    assert len(rosters._known) == 1


def test_what_is_worked_together_is_known_to_the_worker(hub: SmallHub) -> None:
    for identity in ("enc-1", "enc-2"):
        hub.admit(identity)
    hub.subscribe()
    for identity in ("enc-3", "enc-4"):
        hub.admit(identity)
    worker = Worker(hub.database, {}, {"event": hub.handlers["event"]}, {}, now=hub.now)
    assert worker._work_lane()
    assert sorted(notices(hub)) == ["sub-1|1", "sub-1|2"]
    assert hub.claim("event", lease=0) == []
