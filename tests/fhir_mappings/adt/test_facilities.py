import pytest

from fhir_mappings.adt.facilities import Facilities
from fhir_mappings.adt.problems import UnknownFacility
from fhir_mappings.adt.visit import KnownMember, visit_bundle
from hub.fhir.npi import is_npi
from tests.fhir_mappings.adt.stay import ARRIVAL, CIN_SYSTEM, FACILITIES, ROWS, TABLES, message


def test_an_unknown_facility_waits_for_a_row() -> None:
    with pytest.raises(UnknownFacility) as caught:
        FACILITIES.of("XYZ")
    assert (caught.value.state, caught.value.where, caught.value.code) == ("unmapped", "MSH-4", "XYZ")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time_zone", "America/Sacramento"),
        ("mrn_system", "mrn"),
        ("visit_system", ""),
        ("npi", "1234567890"),
        ("facility", ""),
        ("name", " "),
        ("part2", "perhaps"),
        ("labels", "PSY SECRET"),
    ],
)
def test_a_wrong_row_stops_the_start(column: str, value: str) -> None:
    with pytest.raises(ValueError, match="facilities row 1"):
        Facilities.load([{**ROWS[0], column: value}])


def test_a_facility_may_be_there_once_and_needs_every_column() -> None:
    with pytest.raises(ValueError, match="row 2: the facility is there twice"):
        Facilities.load([ROWS[0], ROWS[0]])
    with pytest.raises(ValueError, match="row 1: 'time_zone'"):
        Facilities.load([{key: value for key, value in ROWS[0].items() if key != "time_zone"}])


def test_the_npi_may_be_empty() -> None:
    assert Facilities.load([{**ROWS[0], "npi": ""}]).of("SMC").npi is None


@pytest.mark.parametrize(
    ("text", "right"),
    [("1234567893", True), ("1234567890", False), ("123456789", False), ("12345678９3", False), ("", False)],
)
def test_an_npi_has_ten_digits_and_a_check_digit(text: str, right: bool) -> None:
    assert is_npi(text) is right


PROGRAM = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2"}


def _labels_sent(part2: str | None, known: KnownMember) -> dict[str, object]:
    row = {**ROWS[0]} if part2 is None else {**ROWS[0], "part2": part2}
    facility = Facilities.load([row]).of("SMC")
    sent = message()
    found = visit_bundle([sent], known, facility, TABLES, CIN_SYSTEM, told=[(sent, ARRIVAL)])
    every = [entry["resource"] for entry in found["entry"]]
    return {one["resourceType"]: one.get("meta", {}).get("security") for one in every}


@pytest.mark.parametrize("part2", ["yes", " YES "])
def test_all_that_a_part_2_program_sends_is_labelled_as_its_record(part2: str) -> None:
    found = _labels_sent(part2, KnownMember())
    assert {"Patient", "Encounter", "Provenance"} <= found.keys()
    assert all(security == [PROGRAM] for security in found.values())


@pytest.mark.parametrize("part2", [None, "", "no"])
def test_what_other_hospitals_send_has_no_such_label(part2: str | None) -> None:
    assert set(_labels_sent(part2, KnownMember()).values()) == {None}


def test_a_part_2_program_leaves_no_trace_in_a_member_that_others_brought() -> None:
    """Its own number in the Patient would tell everybody who sees the member that it treats it."""
    member = {"resourceType": "Patient", "id": "member"}
    known = KnownMember("member", False, member, None)
    assert "Patient" in _labels_sent("no", known)
    assert "Patient" not in _labels_sent("yes", known)
