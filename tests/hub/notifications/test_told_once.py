"""What two senders tell of one admission, transfer, discharge or cancel is noticed once (issue 5, point 5)."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import select

from hub.identity.desk import Registry
from hub.identity.merge import merge
from hub.identity.unmerge import unmerge
from hub.notifications import happenings
from hub.notifications.events import Event
from hub.notifications.fan_out import FanOut
from hub.notifications.happenings import Told, same
from hub.notifications.topics import ADMISSION, CANCEL, DISCHARGE, TRANSFER
from hub.search import merged
from hub.store import merges
from hub.store.tables_notices import notice_event, notice_told
from tests.hub.notifications.conftest import BASE, SmallHub, encounter
from tests.hub.notifications.test_fan_out import group, member, noticed

NPI = {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}}
HOSPITAL, NETWORK = "urn:calaim-hub:adt:SMC", "urn:calaim-hub:adt:NET"
PANEL = ("Encounter?panel=Group/panel-1",)


def stay(identity: str, source: str, minute: int = 0, **changes: Any) -> dict[str, Any]:
    made = encounter(identity) | {
        "meta": {"source": source},
        "serviceProvider": {"display": "Sample Hospital", **NPI},
        "period": {"start": at(minute)},
    }
    return made | changes


def write(hub: SmallHub, *several: dict[str, Any]) -> None:
    """One after the other, by the clock, too."""
    for resource in several:
        hub.put(resource)
        hub.wait(milliseconds=1)


def at(minute: int) -> str:
    return f"2026-11-22T{10 + minute // 60:02}:{minute % 60:02}:00-08:00"


def patient(identity: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": identity, "active": True}


@pytest.fixture(autouse=True)
def _nobody_is_merged() -> Any:
    yield
    merged.replace({})
    merges.look_again()


def test_an_admission_that_a_network_relays_under_its_own_visit_number_is_told_once(hub: SmallHub) -> None:
    hub.subscribe()
    hub.put(stay("v-1", HOSPITAL))
    hub.put(stay("n-77", NETWORK, 1))
    assert noticed(hub) == ["sub-1|1"]
    assert [row.reason for row in hub.rows("done", "event")] == [None, "Another sender told of this before"]


def test_each_of_the_four_topics_is_told_once(hub: SmallHub) -> None:
    for number, topic in enumerate((ADMISSION, TRANSFER, DISCHARGE, CANCEL)):
        hub.subscribe(f"sub-{number}", topic=topic)
    for name, source in (("v-1", HOSPITAL), ("n-77", NETWORK)):
        write(
            hub,
            stay(name, source, location=[_place("a", 0)]),
            stay(name, source, location=[_place("b", 9)]),
            stay(name, source, status="finished", period={"start": at(0), "end": at(300)}),
            stay(name, source),  # the discharge is taken back
            stay(name, source, status="cancelled"),
        )
    assert sorted(noticed(hub)) == ["sub-0|1", "sub-1|1", "sub-2|1", "sub-3|1", "sub-3|2"]


def _place(name: str, minute: int) -> dict[str, Any]:
    return {"location": {"reference": f"Location/{name}"}, "status": "active", "period": {"start": at(minute)}}


@pytest.mark.parametrize(
    "other",
    [
        stay("n-77", NETWORK, 6),
        stay("n-77", NETWORK, subject={"reference": "Patient/pat-2"}),
        stay("n-77", NETWORK, serviceProvider={"identifier": {**NPI["identifier"], "value": "1999999984"}}),
        stay("n-77", NETWORK, serviceProvider={}),
        stay("n-77", NETWORK, period={"start": "2026-11-22"}),
        stay("n-77", NETWORK, period={}),
        stay("n-77", NETWORK, **{"class": {"code": "EMER"}}),
        stay("v-2", HOSPITAL),
    ],
    ids=[
        "later",
        "somebody else",
        "elsewhere",
        "nobody says where",
        "a day alone",
        "no time",
        "as an emergency",
        "again",
    ],
)
def test_what_is_or_may_be_another_visit_has_a_notice_of_its_own(hub: SmallHub, other: dict[str, Any]) -> None:
    hub.subscribe()
    hub.put(stay("v-1", HOSPITAL))
    hub.put(other)
    assert noticed(hub) == ["sub-1|1", "sub-1|2"]


def test_the_setting_says_how_far_apart_two_senders_may_be(hub: SmallHub) -> None:
    hub.handlers["event"] = FanOut(hub.database, hub.look, BASE, hub.now, same_minutes=6)
    hub.subscribe()
    hub.put(stay("v-1", HOSPITAL))
    hub.put(stay("n-77", NETWORK, 6))
    assert noticed(hub) == ["sub-1|1"]


def test_an_admission_that_was_taken_back_and_told_anew_is_told_again_and_its_copies_are_not(hub: SmallHub) -> None:
    hub.subscribe()
    for name, source in (("v-1", HOSPITAL), ("n-77", NETWORK)):
        write(hub, stay(name, source), stay(name, source, status="cancelled"), stay(name, source))
    assert noticed(hub) == ["sub-1|1", "sub-1|2"]


def test_a_corrected_visit_number_of_the_same_sender_is_told_though_its_copy_came_first(hub: SmallHub) -> None:
    hub.subscribe()
    write(hub, stay("v-1", HOSPITAL), stay("v-1", HOSPITAL, status="cancelled"))
    write(hub, stay("n-77", NETWORK, 1), stay("v-2", HOSPITAL, 1))
    assert noticed(hub) == ["sub-1|1", "sub-1|2"]


def test_one_organization_with_the_npi_in_its_own_record_is_the_same_facility(hub: SmallHub) -> None:
    hub.put({"resourceType": "Organization", "id": "smc", "identifier": [NPI["identifier"]]})
    hub.subscribe()
    hub.put(stay("v-1", HOSPITAL, serviceProvider={"reference": "Organization/smc"}))
    hub.put(stay("n-77", NETWORK))
    assert noticed(hub) == ["sub-1|1"]


def test_a_third_sender_is_a_copy_too(hub: SmallHub) -> None:
    hub.subscribe()
    for name in ("v-1", "n-77", "h-5"):
        hub.put(stay(name, f"urn:sender:{name}"))
    assert noticed(hub) == ["sub-1|1"]


def test_who_came_to_the_panel_between_two_senders_hears_nothing_of_before(hub: SmallHub) -> None:
    hub.put(group())
    hub.subscribe(filters=PANEL)
    hub.put(stay("v-1", HOSPITAL))
    assert noticed(hub) == []
    hub.put(group(member()))
    hub.put(stay("n-77", NETWORK))
    assert noticed(hub) == []
    hub.put(stay("v-2", HOSPITAL, 90))
    assert noticed(hub) == ["sub-1|1"]


def test_who_may_not_see_what_the_first_sender_told_is_told_by_the_second_once(hub: SmallHub) -> None:
    """A program under 42 CFR Part 2 and the network: whoever sees only the second copy must not miss it."""
    hub.subscribe()
    seen = hub.look
    hub.look = lambda owner, event: None if event.id == "v-1" else seen(owner, event)  # type: ignore[method-assign]
    hub.handlers["event"] = FanOut(hub.database, hub.look, BASE, hub.now)
    for name, source in (("v-1", HOSPITAL), ("n-77", NETWORK), ("h-5", "urn:sender:h-5")):
        hub.put(stay(name, source))
    assert noticed(hub) == ["sub-1|1"]


def test_two_workers_that_tell_of_it_at_once_tell_it_once(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins a happening waits for a second one that does, who must not come."""
    both, drawn = Barrier(2), happenings.new_rid

    def begun(now: int) -> int:
        with suppress(BrokenBarrierError):
            both.wait(0.5)
        return drawn(now)

    monkeypatch.setattr(happenings, "new_rid", begun)
    hub.subscribe()
    senders = [f"urn:sender:{number}" for number in range(6)]
    for number, source in enumerate(senders):
        hub.put(stay(f"e-{number}", source))
    claimed = hub.claim("event")
    assert len(claimed) == len(senders)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(hub.handlers["event"], claimed))
    assert [row.key for row in hub.rows("waiting")] == ["sub-1|1"]


def registry(hub: SmallHub) -> Registry:
    return Registry(hub.database, hub.transactions, BASE, hub.now)


def test_copies_of_two_patients_who_were_merged_are_told_once_and_of_two_again_when_unmerged(hub: SmallHub) -> None:
    for name in ("pat-1", "pat-9"):
        hub.put(patient(name))
    hub.subscribe()
    hub.put(stay("v-1", HOSPITAL, subject={"reference": "Patient/pat-9"}))
    assert noticed(hub) == ["sub-1|1"]
    registry(hub).decide(lambda desk: merge(desk, "pat-1", "pat-9", "test"))
    hub.put(stay("n-77", NETWORK))
    assert noticed(hub) == ["sub-1|1"]
    registry(hub).decide(lambda desk: unmerge(desk, "pat-9", "test"))
    hub.put(stay("h-5", "urn:sender:h-5", 1))
    assert noticed(hub) == ["sub-1|1", "sub-1|2"]


def test_an_event_that_waits_while_its_member_is_merged_goes_to_the_panel_of_who_remains(hub: SmallHub) -> None:
    for name in ("pat-1", "pat-9"):
        hub.put(patient(name))
    hub.put(group(member("pat-9")))
    hub.subscribe(filters=(*PANEL, "Encounter?patient=Patient/pat-9"))
    hub.put(stay("v-1", HOSPITAL, subject={"reference": "Patient/pat-9"}))
    registry(hub).decide(lambda desk: merge(desk, "pat-1", "pat-9", "test"))
    assert noticed(hub) == ["sub-1|1"]
    hub.drive()
    assert hub.receiver.numbers == ["1"]


def told(minute: int, source: str = HOSPITAL, *facilities: str) -> Told:
    return Told(source, "p", "admission", (minute * happenings.MINUTE,), facilities or ("npi 1",), "e", 1, 0)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (told(0, NETWORK), True),
        (told(5, NETWORK), True),
        (told(6, NETWORK), False),
        (told(0, HOSPITAL), False),
        (told(0, NETWORK, "npi 2"), False),
        (told(0, NETWORK, "npi 2", "npi 1"), True),
    ],
)
def test_one_happening_is_another_sender_the_same_place_and_about_the_same_time(other: Told, is_same: bool) -> None:
    assert same(told(0), other, 5) is same(other, told(0), 5) is is_same


def test_the_end_of_an_emergency_is_a_moment_at_which_one_may_be_admitted() -> None:
    now = stay("v-1", HOSPITAL, classHistory=[{"class": {"code": "EMER"}, "period": {"end": at(30)}}])
    event = Event(ADMISSION, "Encounter", "v-1", 2, 0)
    found = happenings.begins(event, None, now, [], "pat-1")
    assert (found.kind, len(found.moments)) == ("admission/inpatient", 2)


def test_what_is_old_is_forgotten_with_who_was_told_of_it(hub: SmallHub) -> None:
    hub.subscribe()
    write(hub, stay("v-1", HOSPITAL))
    assert noticed(hub) == ["sub-1|1"]
    with hub.database.read() as connection:
        (at,) = connection.execute(select(notice_event.c.at)).scalars()
    assert hub.database.writing(lambda c: happenings.forget(c, at)) == 0
    assert hub.database.writing(lambda c: happenings.forget(c, at + 1)) == 1
    with hub.database.read() as connection:
        assert connection.execute(select(notice_told)).all() == []


def test_of_a_topic_that_nobody_asks_for_nothing_is_kept(hub: SmallHub) -> None:
    write(hub, stay("v-1", HOSPITAL))
    assert noticed(hub) == []
    with hub.database.read() as connection:
        assert connection.execute(select(notice_event)).all() == []
