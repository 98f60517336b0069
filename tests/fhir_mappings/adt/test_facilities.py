import pytest

from fhir_mappings.adt.facilities import Facilities
from fhir_mappings.adt.npi import is_npi
from fhir_mappings.adt.problems import UnknownFacility
from tests.fhir_mappings.adt.stay import FACILITIES, ROWS


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
