"""One event becomes a numbered notice for each Subscription that wants it."""

from typing import Any

import pytest

from hub import clock
from hub.notifications.active import ACCESS
from hub.notifications.events import Event, effects
from hub.notifications.fan_out import LeaseLost, fan_out
from hub.notifications.topics import ADMISSION, DISCHARGE
from hub.outbox import Ended
from hub.transactions import Transactions, single
from tests.hub.notifications.conftest import BASE, SmallHub, encounter, wanted


def group(*members: dict[str, Any], identity: str = "panel-1", **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": identity,
        "type": "person",
        "actual": True,
        "member": list(members),
        **changes,
    }


def member(patient: str = "pat-1", **changes: Any) -> dict[str, Any]:
    return {"entity": {"reference": f"Patient/{patient}"}, **changes}


def noticed(hub: SmallHub) -> list[str]:
    """Keys of the notices that wait, after fan-out."""
    hub.drive("event")
    return [row.key for row in hub.rows("waiting")]


def test_each_active_subscription_of_the_topic_gets_a_notice_with_its_own_numbers(hub: SmallHub) -> None:
    hub.subscribe("sub-1")
    hub.subscribe("sub-2")
    hub.subscribe("sub-3", topic=DISCHARGE)
    hub.admit("enc-1")
    hub.admit("enc-2")
    assert sorted(noticed(hub)) == ["sub-1|1", "sub-1|2", "sub-2|1", "sub-2|2"]


def test_a_notice_holds_what_happened_and_no_content(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    hub.drive("event")
    (work,) = hub.claim("notice")
    assert set(work.payload) == {"subscription", "number", "topic", "type", "id", "version", "at"}
    assert (work.payload["id"], work.payload["version"], work.payload["number"]) == ("enc-1", 1, 1)


@pytest.mark.parametrize("status", ["requested", "off", "error"])
def test_a_subscription_that_is_not_active_gets_none(hub: SmallHub, status: str) -> None:
    hub.subscribe()
    own = Transactions(hub.database, lambda *_: [], lambda _: [], BASE)
    resource = hub.get("Subscription", "sub-1") | {"status": status}
    own.commit([single("PUT", "Subscription", id="sub-1", resource=resource)], ACCESS)
    hub.admit()
    assert noticed(hub) == []


def test_a_deleted_or_ended_subscription_gets_none(hub: SmallHub) -> None:
    hub.subscribe("sub-gone")
    hub.subscribe("sub-ended", end=clock.instant(clock.micros(hub.now()) + 1_000_000))
    hub.subscribe("sub-open", end=clock.instant(clock.micros(hub.now()) + 3_000_000))
    hub.delete("Subscription", "sub-gone")
    hub.wait(seconds=2)
    hub.admit()
    assert noticed(hub) == ["sub-open|1"]


def test_an_active_subscription_without_an_owner_is_named_and_not_told(hub: SmallHub) -> None:
    own = Transactions(hub.database, lambda *_: [], effects, BASE)
    resource = wanted(hub.receiver.url, status="active")
    own.commit([single("PUT", "Subscription", id="sub-1", resource=resource)], ACCESS)
    hub.admit()
    assert noticed(hub) == []
    (row,) = hub.rows("done", "event")
    assert row.reason == "1 active Subscriptions have no known owner"


def test_a_filter_narrows(hub: SmallHub) -> None:
    hub.subscribe("sub-mine", filters=("Encounter?patient=Patient/pat-1",))
    hub.subscribe("sub-other", filters=("Encounter?patient=Patient/pat-2",))
    hub.admit()
    assert noticed(hub) == ["sub-mine|1"]


def test_several_filters_all_hold(hub: SmallHub) -> None:
    hub.put(group(member()))
    hub.subscribe("sub-both", filters=("Encounter?panel=Group/panel-1", "Encounter?class=IMP"))
    hub.subscribe("sub-one", filters=("Encounter?panel=Group/panel-1", "Encounter?class=EMER"))
    hub.admit()
    assert noticed(hub) == ["sub-both|1"]


def test_who_left_a_panel_before_the_event_is_processed_is_not_told_of(hub: SmallHub) -> None:
    hub.put(group(member(), member("pat-2")))
    hub.subscribe(filters=("Encounter?panel=Group/panel-1",))
    hub.admit("enc-1", "pat-1")
    hub.admit("enc-2", "pat-2")
    hub.put(group(member(inactive=True), member("pat-2")))
    assert noticed(hub) == ["sub-1|1"]
    (work,) = hub.claim("notice")
    assert work.payload["id"] == "enc-2"


@pytest.mark.parametrize("left", ["deleted", "inactive", "other", "never"])
def test_a_panel_that_is_not_there_has_no_members(hub: SmallHub, left: str) -> None:
    if left != "never":
        hub.put(group(member(), identity="panel-2" if left == "other" else "panel-1", active=left != "inactive"))
    if left == "deleted":
        hub.delete("Group", "panel-1")
    hub.subscribe(filters=("Encounter?panel=Group/panel-1",))
    hub.admit()
    assert noticed(hub) == []


def test_one_of_several_panels_is_enough(hub: SmallHub) -> None:
    hub.put(group(member(), identity="panel-2"))
    hub.subscribe(filters=("Encounter?panel=Group/panel-1,Group/panel-2",))
    hub.admit()
    assert noticed(hub) == ["sub-1|1"]


def test_a_reference_by_the_hubs_own_address_is_the_same_member(hub: SmallHub) -> None:
    hub.put(group({"entity": {"reference": f"{BASE}/Patient/pat-1"}}))
    hub.transactions._base = BASE
    hub.subscribe(filters=("Encounter?panel=Group/panel-1",))
    hub.put(encounter() | {"subject": {"reference": f"{BASE}/Patient/pat-1"}})
    assert noticed(hub) == ["sub-1|1"]


def test_an_encounter_of_nobody_or_of_a_group_is_in_no_panel(hub: SmallHub) -> None:
    hub.put(group(member()))
    hub.subscribe("sub-panel", filters=("Encounter?panel=Group/panel-1",))
    hub.subscribe("sub-all")
    resource = encounter()
    del resource["subject"]
    hub.put(resource)
    hub.put(encounter("enc-2") | {"subject": {"reference": "Group/pat-1"}})
    assert noticed(hub) == ["sub-all|1", "sub-all|2"]


def test_the_filter_is_asked_of_the_version_that_made_the_event(hub: SmallHub) -> None:
    hub.subscribe(filters=("Encounter?class=IMP",))
    hub.admit()
    hub.put(encounter() | {"class": {"code": "EMER"}})
    assert noticed(hub) == ["sub-1|1"]


def test_one_stay_tells_its_admission_before_its_discharge(hub: SmallHub) -> None:
    hub.subscribe("sub-in")
    hub.subscribe("sub-out", topic=DISCHARGE)
    hub.admit()
    hub.put(encounter(status="finished"))
    hub.wait(seconds=1)
    (first,) = hub.claim("event")
    assert first.payload["topic"] == ADMISSION
    assert hub.claim("event") == []
    hub.settle(first, hub.handlers["event"](first))
    (second,) = hub.claim("event")
    assert second.payload["topic"] == DISCHARGE


def test_a_fan_out_that_lost_its_lease_writes_nothing(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    (slow,) = hub.claim("event")
    hub.wait(seconds=61)
    (quick,) = hub.claim("event")
    with pytest.raises(LeaseLost):
        fan_out(hub.database, hub.look, slow, clock.micros(hub.now()), BASE)
    assert hub.rows("waiting") == []
    assert fan_out(hub.database, hub.look, quick, clock.micros(hub.now()), BASE) == Ended()
    assert [row.key for row in hub.rows("waiting")] == ["sub-1|1"]


def test_a_fan_out_that_is_killed_is_done_again_without_a_gap_or_a_second_notice(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    (work,) = hub.claim("event")
    fan_out(hub.database, hub.look, work, clock.micros(hub.now()), BASE)
    hub.wait(seconds=61)
    hub.admit("enc-2")
    assert noticed(hub) == ["sub-1|1", "sub-1|2"]


def test_a_subscription_that_this_release_does_not_understand_stops_nobody(hub: SmallHub) -> None:
    hub.subscribe("sub-1")
    own = Transactions(hub.database, lambda *_: [], lambda _: [], BASE)
    strange = wanted(hub.receiver.url, "sub-0", status="active", filters=("Encounter?later=1",))
    own.commit([single("PUT", "Subscription", id="sub-0", resource=strange)], ACCESS)
    hub.admit()
    assert noticed(hub) == ["sub-1|1"]


def test_an_event_whose_version_is_not_there_tells_nobody_and_says_so(hub: SmallHub) -> None:
    hub.subscribe()
    hub.admit()
    (work,) = hub.claim("event")
    lost = Event.of(work.payload | {"version": 9}).payload()
    fan_out(hub.database, hub.look, type(work)(work.seq, "event", "k", lost, work.attempts, 0), 0, BASE)
    assert [row.reason for row in hub.rows("done", "event")] == ["The version of this event is not there"]
    assert hub.rows("waiting") == []


def test_nothing_is_said_of_a_write_that_was_refused(hub: SmallHub) -> None:
    hub.subscribe()
    stale = single("PUT", "Encounter", id="enc-1", resource=encounter(), if_match=7)
    with pytest.raises(Exception, match="If-Match"):
        hub.transactions.commit([stale], ACCESS)
    assert noticed(hub) == []
