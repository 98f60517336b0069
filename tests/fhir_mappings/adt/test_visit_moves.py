"""One visit, event by event: places, classes, states, and what cancels take back."""

from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.validation import structure
from fhir_mappings.adt.records import AdtMessage
from tests.fhir_mappings.adt.stay import bundle, message, one, resources

BED_1, BED_2, ICU, XRAY = "4W^412^B^SMC", "5E^501^A^SMC", "ICU^2^A^SMC", "XRAY^^^SMC"


def said(event: str, hour: str, place: str = BED_1, control_id: str = "", **fields: str | None) -> AdtMessage:
    """A message of 22 November at `hour`; keywords such as PV1_36."""
    values = {"PV1-3": place, **{name.replace("_", "-"): value for name, value in fields.items()}}
    left = {"discharged": f"20261122{hour}"} if event == "A03" else {}
    return message(event, control_id or f"{event}{hour}", at=f"20261122{hour}", fields=values, **left)


ADMIT = said("A01", "081530")
TRANSFER = said("A02", "1000", ICU, PV1_6=BED_1)
BACK = said("A02", "1200", BED_2, PV1_6=ICU)
LEAVE = said("A03", "1500", BED_2, PV1_36="01")


def encounter(*messages: AdtMessage) -> dict[str, Any]:
    found = one(bundle(messages), "Encounter")
    assert list(structure.validate(found)) == []
    return found


def places(*messages: AdtMessage) -> list[tuple[str, str, str, str]]:
    """(place, status, start, end) by the hour, as the clock of the facility shows it."""
    return [
        (
            stay["location"]["display"],
            stay["status"],
            stay.get("period", {}).get("start", "")[11:16],
            stay.get("period", {}).get("end", "")[11:16],
        )
        for stay in encounter(*messages).get("location", [])
    ]


def history(found: dict[str, Any], name: str = "statusHistory") -> list[tuple[str, str, str]]:
    short = name.removesuffix("History")
    return [
        (
            turn[short] if isinstance(turn[short], str) else turn[short]["code"],
            turn["period"].get("start", "")[11:16],
            turn["period"].get("end", "")[11:16],
        )
        for turn in found.get(name, [])
    ]


def without_provenance(messages: list[AdtMessage]) -> list[Any]:
    return [e for e in bundle(messages)["entry"] if e["resource"]["resourceType"] != "Provenance"]


# places


def test_a_transfer_ends_the_time_in_one_place_and_begins_it_in_the_next() -> None:
    assert places(ADMIT, TRANSFER, BACK) == [
        ("4W 412-B", "completed", "08:15", "10:00"),
        ("ICU 2-A", "completed", "10:00", "12:00"),
        ("5E 501-A", "active", "12:00", ""),
    ]


def test_a_discharge_ends_the_last_place() -> None:
    assert places(ADMIT, TRANSFER, LEAVE)[-1] == ("5E 501-A", "completed", "10:00", "15:00")


def test_the_place_before_a_transfer_is_known_though_no_admission_came() -> None:
    assert places(TRANSFER) == [("4W 412-B", "completed", "", "10:00"), ("ICU 2-A", "active", "10:00", "")]


def test_a_place_of_which_a_message_says_less_is_the_same_place() -> None:
    more = said("A08", "0900", "4W^412^B^SMC^^^MAIN^4")
    less = said("A02", "1000", "4W^412^B")
    assert places(ADMIT, more, less) == [("4W 412-B", "active", "08:15", "")]
    assert len(resources(bundle([ADMIT, more, less]), "Location")) == 3
    assert [p[0] for p in places(ADMIT, said("A02", "1000", "4W^412^B^OTHER"))] == ["4W 412-B", "4W 412-B"]


def test_an_update_with_another_place_corrects_it_and_is_no_transfer() -> None:
    assert places(ADMIT, said("A08", "0900", BED_2)) == [("5E 501-A", "active", "08:15", "")]


def test_a_transfer_happened_when_evn_6_says() -> None:
    late = said("A02", "1000", ICU, EVN_6="20261122093000")
    assert places(ADMIT, late)[-1] == ("ICU 2-A", "active", "09:30", "")


def test_a_person_who_departs_for_another_bed_is_nowhere_until_they_arrive() -> None:
    departs = said("A09", "1000", BED_1, PV1_42=ICU)
    assert places(ADMIT, departs) == [("4W 412-B", "completed", "08:15", "10:00"), ("ICU 2-A", "reserved", "", "")]
    arrives = said("A10", "1020", ICU)
    assert places(ADMIT, departs, arrives)[1:] == [("ICU 2-A", "active", "10:20", "")]


def test_a_bed_is_kept_for_a_person_who_is_away_for_a_while() -> None:
    departs = said("A09", "1000", BED_1, PV1_11=XRAY)
    assert places(ADMIT, departs) == [("4W 412-B", "reserved", "08:15", ""), ("XRAY", "active", "10:00", "")]
    back = said("A10", "1030", BED_1)
    assert places(ADMIT, departs, back) == [
        ("4W 412-B", "active", "08:15", ""),
        ("XRAY", "completed", "10:00", "10:30"),
    ]
    meanwhile = said("A08", "1010", BED_1)
    assert places(ADMIT, departs, meanwhile, back) == places(ADMIT, departs, back)


def test_a_place_is_part_of_the_next_coarser_one_and_has_one_identifier() -> None:
    found = {place["name"]: place for place in resources(bundle([ADMIT]), "Location")}
    assert list(found) == ["4W", "4W 412", "4W 412-B"]
    assert [found[name].get("partOf", {}).get("display") for name in found] == [None, "4W", "4W 412"]
    assert found["4W 412-B"]["identifier"] == [{"system": "urn:calaim-hub:adt:SMC:location", "value": "4W^412^B"}]
    assert found["4W 412-B"]["physicalType"]["coding"][0]["code"] == "bd"


def test_the_place_taken_back_is_no_place() -> None:
    assert places(ADMIT, said("A08", "0900", '""')) == []


# classes


def test_an_outpatient_who_becomes_an_inpatient_has_a_class_history() -> None:
    found = encounter(said("A04", "081530", PV1_2="E"), said("A06", "1000", PV1_2="I"))
    assert (found["class"]["code"], history(found, "classHistory")) == ("IMP", [("EMER", "08:15", "10:00")])
    again = encounter(
        said("A04", "081530", PV1_2="E"), said("A06", "1000", PV1_2="I"), said("A07", "11", PV1_2="O")
    )
    assert (again["class"]["code"], len(again["classHistory"])) == ("AMB", 2)


def test_an_update_with_another_class_corrects_it() -> None:
    found = encounter(ADMIT, said("A08", "0900", PV1_2="V"))
    assert (found["class"]["code"], "classHistory" in found) == ("OBSENC", False)


# states


def test_a_pre_admission_is_planned_until_the_person_comes() -> None:
    expects = said("A05", "0700", BED_2)
    planned = encounter(expects)
    assert (planned["status"], planned["location"][0]["status"]) == ("planned", "planned")
    came = encounter(expects, ADMIT)
    assert (came["status"], history(came)) == ("in-progress", [("planned", "07:00", "08:15")])
    assert [stay["location"]["display"] for stay in came["location"]] == ["4W 412-B"]


def test_a_registration_for_a_later_day_is_planned() -> None:
    ahead = message("A04", admitted="20261201090000")
    assert one(bundle([ahead]), "Encounter")["status"] == "planned"
    came = message("A04", "2", at="20261201091000", admitted="20261201090000")
    assert one(bundle([ahead, came]), "Encounter")["status"] == "in-progress"


def test_the_history_of_a_stay_has_its_times() -> None:
    found = encounter(said("A05", "0700"), ADMIT, LEAVE)
    assert found["status"] == "finished"
    assert history(found) == [("planned", "07:00", "08:15"), ("in-progress", "08:15", "15:00")]


def test_a_corrected_admission_time_corrects_the_histories() -> None:
    earlier = said("A08", "1600", BED_2, PV1_44="20261122070000")
    found = encounter(ADMIT, TRANSFER, LEAVE, earlier)
    assert history(found) == [("in-progress", "07:00", "15:00")]
    assert places(ADMIT, TRANSFER, earlier)[0] == ("4W 412-B", "completed", "07:00", "10:00")


def test_a_discharge_before_the_transfer_makes_no_period_that_ends_before_it_begins() -> None:
    early = said("A08", "1600", BED_2, PV1_45="20261122090000")
    assert places(ADMIT, TRANSFER, early)[-1] == ("5E 501-A", "completed", "", "09:00")


def test_a_discharge_before_the_admission_is_told_without_the_beginning() -> None:
    found = encounter(ADMIT, said("A03", "0700"))
    assert (found["status"], found["period"]) == ("in-progress", {"start": "2026-11-22T08:15:00-08:00"})
    wrong = encounter(ADMIT, said("A08", "1600", PV1_45="20261122070000"))
    assert (wrong["status"], wrong["period"]) == ("finished", {"end": "2026-11-22T07:00:00-08:00"})


# cancels


def test_a_cancelled_admission_is_a_cancelled_visit_with_what_was_said_of_it() -> None:
    cancel = message("A11", "A11", at="20261122090000", fields={"PV1-2": "", "PV1-3": "", "PV1-44": ""})
    found = encounter(ADMIT, cancel)
    assert (found["status"], found["class"]["code"]) == ("cancelled", "IMP")
    assert history(found) == [("in-progress", "08:15", "09:00")]
    assert [stay["status"] for stay in found["location"]] == ["completed"]


def test_a_cancelled_admission_leaves_the_emergency_visit_as_it_was() -> None:
    came = said("A04", "0800", "ED^1^^SMC", PV1_2="E", PV1_44="")
    snapshot = said("A08", "0900", PV1_2="I")
    cancel = said("A11", "0930", PV1_2="I")
    found = encounter(came, ADMIT, snapshot, cancel)
    assert (found["status"], found["class"]["code"]) == ("in-progress", "EMER")
    assert places(came, ADMIT, snapshot, cancel) == [("ED 1", "active", "08:00", "")]


def test_an_admission_told_twice_is_cancelled_once_and_for_all() -> None:
    again = said("A01", "0830", control_id="again")
    assert encounter(ADMIT, again, said("A11", "0900"))["status"] == "cancelled"


def test_a_cancel_told_twice_takes_back_once() -> None:
    came = said("A04", "0800", "ED^1^^SMC", PV1_2="E")
    once = [came, ADMIT, said("A11", "0930", control_id="c1")]
    assert encounter(*once, said("A11", "0931", control_id="c2"))["status"] == "in-progress"


def test_a_visit_can_be_admitted_again_after_its_cancel() -> None:
    found = encounter(ADMIT, said("A11", "0900"), said("A01", "1100", control_id="new", PV1_44="20261122110000"))
    assert found["status"] == "in-progress"
    assert history(found) == [("cancelled", "09:00", "11:00")]


def test_a_cancelled_transfer_leaves_the_person_where_they_were() -> None:
    cancel = said("A12", "1030", BED_1)
    assert places(ADMIT, TRANSFER, cancel) == [("4W 412-B", "active", "08:15", "")]
    snapshot = said("A08", "1010", ICU)
    assert places(ADMIT, TRANSFER, snapshot, cancel) == [("4W 412-B", "active", "08:15", "")]


def test_the_last_of_two_transfers_is_the_one_that_is_cancelled() -> None:
    assert places(ADMIT, TRANSFER, BACK, said("A12", "1230", ICU))[-1] == ("ICU 2-A", "active", "10:00", "")
    both = (said("A12", "1230", ICU), said("A12", "1240", BED_1))
    assert places(ADMIT, TRANSFER, BACK, *both) == [("4W 412-B", "active", "08:15", "")]


def test_a_cancelled_discharge_takes_its_time_and_its_disposition_away() -> None:
    snapshot = said("A08", "1530", BED_2, PV1_45="20261122150000", PV1_36="01")
    cancel = said("A13", "1600", BED_2, PV1_45="20261122150000", PV1_36="01")
    found = encounter(ADMIT, TRANSFER, BACK, LEAVE, snapshot, cancel)
    assert found["status"] == "in-progress"
    assert "end" not in found["period"]
    assert "dischargeDisposition" not in found.get("hospitalization", {})
    assert places(ADMIT, TRANSFER, BACK, LEAVE, cancel)[-1] == ("5E 501-A", "active", "12:00", "")


def test_who_leaves_again_after_a_cancelled_discharge_has_left() -> None:
    found = encounter(ADMIT, LEAVE, said("A13", "1600"), said("A03", "1700", control_id="again"))
    assert (found["status"], found["period"]["end"][11:16]) == ("finished", "17:00")


@pytest.mark.parametrize(
    ("event", "status"), [("A11", "cancelled"), ("A12", "in-progress"), ("A13", "in-progress")]
)
def test_a_cancel_of_what_never_came_says_what_is_and_no_more(event: str, status: str) -> None:
    assert encounter(said(event, "0900"))["status"] == status


# any order


SIX = [
    said("A04", "0800", "ED^1^^SMC", PV1_2="E"),
    said("A01", "0830", BED_1, PV1_2="I"),
    said("A02", "1000", ICU, PV1_6=BED_1),
    said("A12", "1100", BED_1),
    said("A03", "1500", BED_1, PV1_36="03", DG1_3="J189^Pneumonia^I10", DG1_6="F"),
    said("A13", "1530", BED_1),
]
OTHER_SIX = [
    said("A05", "0700", BED_1, PV1_2="P"),
    said("A01", "0830", BED_1, DG1_3="R079^Chest pain^I10", DG1_6="A"),
    said("A11", "0900", BED_1),
    said("A01", "0930", BED_1, control_id="second", PV1_44="20261122093000"),
    said("A08", "0945", BED_1, PID_8='""', AL1_3="^Invented pollen"),
    said("A03", "1500", BED_1, PV1_36="01"),
]


@pytest.mark.parametrize("six", [SIX, OTHER_SIX])
def test_all_720_orders_of_a_visit_of_six_events_end_in_the_same_state(six: list[AdtMessage]) -> None:
    """SEC-48; bad-input.md V23 (an update before its admission) and V24 (an older one after a newer)."""
    in_order = without_provenance(six)
    for order in permutations(six):
        assert without_provenance(list(order)) == in_order


@settings(max_examples=100, deadline=None)
@given(st.permutations(SIX + OTHER_SIX[3:]), st.lists(st.sampled_from(SIX), max_size=6))
def test_any_order_with_any_repetition_is_the_same_state(order: list[Any], again: list[Any]) -> None:
    assert without_provenance([*order, *again]) == without_provenance(SIX + OTHER_SIX[3:])


ANYTHING = st.lists(
    st.builds(
        said,
        st.sampled_from(["A01", "A02", "A03", "A04", "A05", "A06", "A08", "A09", "A10", "A11", "A12", "A13"]),
        st.sampled_from(["0800", "0900", "1000", "1100", "1200"]),
        st.sampled_from([BED_1, BED_2, ICU, "", '""']),
        PV1_2=st.sampled_from(["I", "E", "P", ""]),
        PV1_11=st.sampled_from(["", XRAY]),
        PV1_45=st.sampled_from(["", '""', "20261122093000"]),
        DG1_3=st.sampled_from(["", "R079^^I10", "J189^^I10"]),
        AL1_3=st.sampled_from(["", "^Invented pollen", "^Invented nuts"]),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_whatever_a_hospital_sends_of_a_visit_is_a_valid_encounter(messages: list[AdtMessage]) -> None:
    found = one(bundle(messages), "Encounter")
    assert list(structure.validate(found)) == []
    assert found["status"] in ("planned", "in-progress", "finished", "cancelled")
    assert sum(stay["status"] == "active" for stay in found.get("location", [])) <= 1


@settings(max_examples=150, deadline=None)
@given(ANYTHING, st.randoms(use_true_random=False))
def test_whatever_a_hospital_sends_of_a_visit_has_one_meaning_in_any_order(
    messages: list[AdtMessage], random: Random
) -> None:
    shuffled = [*messages, *messages[:2]]
    random.shuffle(shuffled)
    assert without_provenance(shuffled) == without_provenance(messages)
