"""CalOMS-style records: episodes, what is told of them, and that all of it is Part 2 data."""

from typing import Any

import pytest

from fhir_mappings.county_bh.caloms_person import caloms_about, caloms_person
from fhir_mappings.county_bh.caloms_resources import caloms_resources
from fhir_mappings.county_bh.caloms_tables import ABSENT, coded, items
from hub.feeds.records import Feed, Kept, Resource, Unmapped
from tests.fhir_mappings.county_bh.rows import FEED, NPI, PATIENT, SYSTEM, kept, labels, of, subject, valid

PROGRAM = {"42CFRPart2", "ETH"}
RECORD = {
    "record_type": "1",
    "record_date": "2026-03-02",
    "county_client_number": "006132464",
    "admission_date": "2026-03-02",
    "provider_org_npi": NPI,
}


def record(line: int = 2, deleted: bool = False, **values: Any) -> Kept:
    return kept("caloms", {**RECORD, **values}, line, deleted)


def made(*rows: Kept, feed: Feed = FEED) -> list[Resource]:
    return valid(caloms_resources(subject(*rows, feed=feed), PATIENT))


def episode(*rows: Kept, feed: Feed = FEED) -> Resource:
    (found,) = of(made(*rows, feed=feed), "EpisodeOfCare")
    return found


def observed(column: str, code: Any) -> Resource:
    (found,) = of(made(record(**{column: code})), "Observation")
    return found


def test_an_admission_is_an_active_episode() -> None:
    found = episode(record(service_type="7"))
    assert found["status"] == "active"
    assert found["period"] == {"start": "2026-03-02"}
    assert found["type"][0]["coding"][0]["display"] == "Narcotic treatment program"


def test_a_discharge_finishes_it() -> None:
    found = episode(
        record(),
        record(3, record_type="4", record_date="2026-06-01", discharge_date="2026-06-01", discharge_status="7"),
    )
    assert (found["status"], found["period"]["end"]) == ("finished", "2026-06-01")


def test_an_admission_that_is_taken_back_was_an_error() -> None:
    found = made(record(deleted=True, living_arrangement="1"))
    assert [one["status"] for one in found] == ["entered-in-error"] * 3


def test_somebody_homeless_is_told_as_such() -> None:
    found = observed("living_arrangement", "1")
    assert [one["code"] for one in found["valueCodeableConcept"]["coding"]] == ["1", "32911000"]
    assert found["code"]["coding"][1] == {"system": "http://loinc.org", "code": "71802-3"}
    assert [one["coding"][0]["code"] for one in found["category"]] == ["social-history", "sdoh"]


@pytest.mark.parametrize("code", ["2", "3"])
def test_who_lives_somewhere_is_not_homeless(code: str) -> None:
    assert len(observed("living_arrangement", code)["valueCodeableConcept"]["coding"]) == 1


@pytest.mark.parametrize(
    ("column", "code"), [("ed_visits", "3"), ("mental_health_ed_visits", "0"), ("psychiatric_days", "30")]
)
def test_visits_and_days_are_numbers(column: str, code: str) -> None:
    assert observed(column, code)["valueInteger"] == int(code)


@pytest.mark.parametrize("code", ABSENT)
def test_what_the_program_does_not_know_is_said_to_be_missing(code: str) -> None:
    found = observed("living_arrangement", code)
    assert found["dataAbsentReason"]["coding"][0]["code"] == ABSENT[code]
    assert "valueCodeableConcept" not in found


def test_several_disabilities_are_several_observations() -> None:
    assert len(of(made(record(disability=["2", "5"])), "Observation")) == 2


@pytest.mark.parametrize(
    ("column", "code", "table"),
    [
        ("living_arrangement", "4", "SOC-2"),
        ("primary_drug", "21", "ADU-1a"),
        ("psychiatric_days", "31", "MHD-3"),
        ("ed_visits", "many", "MED-2"),
        ("record_type", "2", "TRN-1"),
    ],
)
def test_a_code_without_a_row_waits_for_one(column: str, code: str, table: str) -> None:
    with pytest.raises(Unmapped) as gap:
        made(record(**{column: code}))
    assert (gap.value.table, gap.value.code, gap.value.where) == (table, code, column)


def test_a_deployment_adds_codes_and_types_of_records() -> None:
    options = {"codes": {"SOC-2": {"4": "Invented arrangement"}}, "record_types": {"3": "admission deletion"}}
    feed = Feed("county-caloms", "county-caloms", SYSTEM, options=options)
    found = made(record(living_arrangement="4"), feed=feed)
    assert of(found, "Observation")[0]["valueCodeableConcept"]["coding"][0]["display"] == "Invented arrangement"
    gone = record(3, record_type="3", record_date="2026-03-09")
    assert episode(record(), gone, feed=feed)["status"] == "entered-in-error"


def test_everything_is_part_2_data() -> None:
    told = {item.column: "1" for item in items() if item.value != "codes"}
    found = made(record(**told, disability=["2"]), record(3, record_type="4", discharge_date="2026-06-01"))
    assert len(found) == 2 + len(items())
    assert all(labels(one) == PROGRAM for one in found)


def test_a_file_with_names_brings_persons_whose_numbers_are_told_to_nobody() -> None:
    found = caloms_person(subject(record(last="Testperson-Birch", first="Sam", dob="1975-07-30", gender="1")))
    assert found
    assert (found.shared, found.patient["gender"], labels(found.patient)) == (False, "male", PROGRAM)


@pytest.mark.parametrize("code", ["3", "4", "5", "6", "99900"])
def test_a_gender_that_is_no_administrative_one_is_left_out(code: str) -> None:
    found = caloms_person(subject(record(last="Testperson-Birch", gender=code)))
    assert found
    assert "gender" not in found.patient


def test_a_file_with_numbers_alone_is_about_known_clients() -> None:
    assert caloms_person(subject(record())) is None
    assert caloms_about(subject(record())) == "006132464"


def test_every_item_has_its_codes() -> None:
    for item in items():
        if not item.value.isdigit():
            assert coded(FEED, item, "1")["coding"][0]["display"]
