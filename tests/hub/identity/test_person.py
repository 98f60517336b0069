"""What a source says becomes a Person: dates, numbers, addresses, identifiers, and FHIR Patients of any shape."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fhir.systems import CIN_SYSTEM, MRN_SYSTEM_BASE, US_NPI
from hub.identity.addresses import address, phone
from hub.identity.addresses import agreement as address_agreement
from hub.identity.births import Birth, agreement, birth
from hub.identity.patient import DATA_QUALITY, US_SSN, person_of
from hub.identity.person import MOST, Person, Quality, Said, last_four, person
from hub.identity.strong import US_MBI, Systems, contradicting, identifier, shared, unusual
from tests.hub.identity.people import cin, mrn, someone

SYSTEMS = Systems()
PATIENT = {
    "resourceType": "Patient",
    "identifier": [
        {"system": CIN_SYSTEM, "value": "9123-4567 a"},
        {"system": US_SSN, "value": "xxxxx4321", "extension": [{"url": DATA_QUALITY, "valueCode": "2"}]},
        {"system": US_NPI, "value": "1234567893"},
        {"type": {"coding": [{"code": "MR"}]}, "system": "urn:example:hospital", "value": "A1"},
    ],
    "name": [
        {"family": "Fauxfield-Alder", "given": ["Exampla", "Q"], "suffix": ["Jr."]},
        {"use": "nickname", "text": "Exie Fauxfield"},
    ],
    "telecom": [{"system": "phone", "value": "+1 (559) 555-2368"}, {"system": "email", "value": "a@example.org"}],
    "gender": "female",
    "birthDate": "1980-01-01",
    "_birthDate": {"extension": [{"url": DATA_QUALITY, "valueCode": "2"}]},
    "address": [{"line": ["12 North Nowhere Street #4"], "city": "Exampleton", "postalCode": "93277-0001"}],
    "multipleBirthInteger": 2,
}


def test_a_patient_says_what_can_be_compared() -> None:
    found = person_of(PATIENT, "county", SYSTEMS)
    assert found.source == "county"
    assert [(one.family, one.given, one.suffix) for one in found.names] == [
        (("fauxfield", "alder"), ("exampla", "q"), "jr"),
        (("fauxfield",), ("exie",), ""),
    ]
    assert (found.birth, found.sex, found.order) == (Birth(1980, 1, 1), "female", 2)
    assert (found.quality.birth, found.quality.ssn, found.quality.name) == (2, 2, 1)
    assert found.phones == ("5595552368",)
    assert [one.key for one in found.addresses] == ["12 n nowhere st|93277|4"]


def test_of_an_ssn_the_last_four_digits_are_kept_and_of_an_npi_nothing() -> None:
    found = person_of(PATIENT, "county", SYSTEMS)
    assert found.ssn4 == "4321"
    assert [(one.kind, one.value) for one in found.identifiers] == [("cin", "91234567A"), ("mrn", "A1")]


def test_a_person_is_kept_as_json_and_comes_back() -> None:
    found = person_of(PATIENT, "county", SYSTEMS)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Person) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PATIENT, "coding", "value"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(PATIENT)), JSON))
def test_a_patient_of_any_shape_is_read(patient: dict[str, object]) -> None:
    assert person_of(patient, "x", SYSTEMS).source == "x"


def test_a_thousand_names_are_not_all_compared() -> None:
    said = Said(names=[(f"Name{n}", ["X"], "") for n in range(1000)], phones=[f"55955{n:05d}" for n in range(1000)])
    found = person("x", said)
    assert (len(found.names), len(found.phones)) == (MOST, MOST)


def test_what_nobody_reported_is_not_compared() -> None:
    said = {"ssn": "219-09-4321", "quality": Quality(name=99, birth=8, ssn=9)}
    found = someone(**said)
    assert (found.names, found.birth, found.ssn4) == ((), None, "")


@pytest.mark.parametrize(
    ("text", "digits"),
    [("219-09-6789", "6789"), ("123-45-6789", ""), ("xxxxx6789", "6789"), ("***-**-6789", "6789"),
     ("6789", "6789"), ("12345xxxx", ""),
     ("000-00-0000", ""), ("999999999", ""), ("123456789", ""), ("", "")],
)  # fmt: skip
def test_only_a_real_looking_ssn_has_last_digits(text: str, digits: str) -> None:
    assert last_four(text) == digits


@pytest.mark.parametrize(
    ("text", "number"),
    [("(559) 555-2368", "5595552368"), ("+1 559 555 2368", "5595552368"), ("555-2368", ""), ("0000000000", ""),
     ("9999999999", ""), ("1234567890", ""), ("559-055-2368", ""), ("+52 55 1234 5678", ""), ("x" * 10_000, "")],
)  # fmt: skip
def test_a_phone_number_is_ten_digits_or_none(text: str, number: str) -> None:
    assert phone(text) == number


@pytest.mark.parametrize(
    ("line", "other"),
    [("12 North Oak Street Apt 4", "12 N. OAK ST. #4"), ("12 Oak Avenue, Unit 4B", "12 oak ave apartment 4-B")],
)
def test_an_address_is_written_one_way(line: str, other: str) -> None:
    assert address([line], "Exampleton", "93277") == address([other], "EXAMPLETON", "93277-1234")


@pytest.mark.parametrize(
    ("line", "city", "code", "level"),
    [
        ("12 North Oak Street Apt 4", "Exampleton", "93277", "same"),
        ("12 North Oak Street Apt 9", "Exampleton", "93277", "building"),
        ("12 Nort Oak Street", "Exampleton", "93277", "near"),
        ("12 North Oak Street", "Exampleton", "93727", "near"),
        ("12 North Oak Street", "Exampelton", "90001", "near"),
        ("c/o Testina 12 North Oak Street", "", "93277", "near"),
        ("Fictional Gardens 12 North Oak Street", "Exampleton", "", "near"),
        ("12 North Oak Street", "Nowhere", "90001", "line"),
        ("12 North Oak Street", "", "", "line"),
        ("40 North Elm Street", "Exampleton", "93277", "area"),
        ("12 South Imaginary Avenue", "Nowhere", "93277", "area"),
        ("12 Elm Avenue", "Exampleton", "90001", "different"),
        ("77 Invented Gardens", "Exampleton", "90001", "different"),
        ("Homeless", "Exampleton", "93277", "area"),
    ],
)
def test_addresses_agree_in_levels(line: str, city: str, code: str, level: str) -> None:
    one, other = address(["12 North Oak Street Apt 4"], "Exampleton", "93277"), address([line], city, code)
    assert one is not None
    if other is None:
        raise AssertionError(line)
    assert address_agreement(one, other) == address_agreement(other, one) == level


@pytest.mark.parametrize("line", ["General Delivery", "HOMELESS", "No fixed address", "Unknown", "Oak Street", ""])
def test_what_stands_where_no_address_is_known_is_only_a_place(line: str) -> None:
    found = address([line], "Exampleton", "93277")
    assert found is not None
    assert (found.street, found.area) == ("", "93277")


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("1980-02-17", "1980-02-17", "same"),
        ("1980-01-01", "1980-01-01", "default"),
        ("1980-02-11", "1980-11-02", "turned"),
        ("1980-02-17", "1980-02-18", "digit"),
        ("1980-02-17", "1980-02-71", ""),
        ("1980-02-17", "1990-02-17", "digit"),
        ("1999-02-17", "2000-02-17", "digit"),
        ("1980-02-17", "1960-02-17", "generation"),
        ("1980-02-17", "1980-01-01", "year"),
        ("1980-02-17", "1980", "year"),
        ("1980-02-17", "1980-02", "month"),
        ("1980-02-17", "1980-02-28", "month"),
        ("1980-02-17", "1971-08-04", "different"),
        ("1980-02-17", "0180-02-17", ""),
    ],
)
def test_birth_dates_agree_by_the_slips_people_make(one: str, other: str, level: str) -> None:
    mine, theirs = birth(one), birth(other)
    found = agreement(mine, theirs) if mine and theirs else ""
    assert found == (agreement(theirs, mine) if mine and theirs else "") == level


@given(st.text(), st.text())
def test_any_text_can_be_read_as_a_date_a_phone_an_address_and_an_identifier(text: str, other: str) -> None:
    assert all(found is None or found for found in (birth(text), address([text], other, text)))
    assert phone(text) == "" or len(phone(text)) == 10
    assert all(
        found is None or found.value
        for found in (identifier(system, text, SYSTEMS) for system in (CIN_SYSTEM, US_MBI))
    )


@pytest.mark.parametrize(
    ("system", "value", "kept"),
    [
        (CIN_SYSTEM, "91234567A", True),
        (CIN_SYSTEM, "9123456A", False),
        (CIN_SYSTEM, "99999999A", False),
        (US_MBI, "1EG4-TE5-MK73", True),
        (US_MBI, "1SG4TE5MK73", False),
        (MRN_SYSTEM_BASE + "exgen", "0001", True),
        (MRN_SYSTEM_BASE + "exgen", "0000", False),
        (MRN_SYSTEM_BASE + "exgen", " ", False),
        (US_NPI, "1234567893", False),
        (US_SSN, "123-45-4321", False),
        ("urn:example:meds", "123454321", False),
    ],
)
def test_an_identifier_names_a_person_where_its_system_and_format_say_so(
    system: str, value: str, kept: bool
) -> None:
    assert (identifier(system, value, SYSTEMS) is not None) is kept


def test_an_unusual_cin_is_kept_and_told() -> None:
    assert [unusual(cin(value)) for value in ("91234567A", "81234567A", "91234567B")] == [False, True, True]


def test_a_deployment_names_its_own_cin_system() -> None:
    mine = Systems(exact=(("urn:example:cin", "cin"),))
    found = identifier("urn:example:cin", "91234567A", mine)
    assert found is not None
    assert found.kind == "cin"
    assert identifier(CIN_SYSTEM, "91234567A", mine) is None


def test_two_numbers_of_one_hospital_contradict_and_those_of_two_do_not() -> None:
    assert contradicting([mrn("1a")], [mrn("2a")]) == ("mrn",)
    assert contradicting([mrn("1a")], [mrn("2a", "exother")]) == ()
    assert contradicting([mrn("1a"), mrn("2a")], [mrn("2a")]) == ()
    assert shared([mrn("1a"), cin("91234567A")], [cin("91234567A")]) == ("cin",)
