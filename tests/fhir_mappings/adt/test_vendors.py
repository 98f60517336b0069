"""Messages as vendors write them, in invented data: what each habit becomes. Versions 2.3 to 2.8."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.adt.message import parse
from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from conformance.validation import structure
from fhir_mappings.adt.events import EVENTS, PERSON
from fhir_mappings.adt.member_keys import merge_keys
from fhir_mappings.adt.versions import VERSIONS
from hub.fhir.systems import US_CORE
from tests.adapters.adt.ward import DIRECTORY, KINDS
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import (
    CIN_SYSTEM,
    FACILITIES,
    MESSAGES,
    bundle,
    fixture,
    message,
    one,
    person,
    resources,
)
from tests.fhir_mappings.adt.test_pid_patient import found

EMERGENCY = "epic_a04_ed_registration_2.5.1"
INPATIENT = "epic_a06_class_change_2.5.1"
TRANSFER = "epic_a02_transfer_2.5.1"
OTHERS = (
    "cerner_a01_admit_2.3",
    "cerner_a13_cancel_discharge_2.3",
    "meditech_a08_update_2.8",
    "meditech_a60_allergies_2.7",
)


def valid(sent: dict[str, Any]) -> dict[str, Any]:
    for entry in sent["entry"]:
        assert list(structure.validate(entry["resource"])) == [], entry["resource"]["resourceType"]
    return sent


def test_an_emergency_visit_that_becomes_a_stay_keeps_its_way() -> None:
    sent = valid(bundle([fixture(TRANSFER), fixture(EMERGENCY), fixture(INPATIENT)]))
    encounter = one(sent, "Encounter")
    assert (encounter["status"], encounter["class"]["code"]) == ("in-progress", "IMP")
    assert encounter["classHistory"] == [
        {
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "EMER",
                "display": "emergency",
            },
            "period": {"start": "2026-11-03T21:30:05-08:00", "end": "2026-11-04T00:25:00-08:00"},
        }
    ]
    names = [stay["location"]["display"] for stay in encounter["location"]]
    assert names == ["ED ED12-01", "4W 412-B"]
    assert encounter["location"][1]["period"] == {"start": "2026-11-04T02:05:00-08:00"}
    assert [found(d, "use.coding.0.code") for d in encounter["diagnosis"]] == ["AD", None]
    assert encounter["length"]["value"] == 3
    assert [found(p, "type.0.coding.0.code") for p in encounter["participant"]] == ["ATND", "REF", "CON"]


def test_a_transfer_of_one_vendor_is_mapped_whole() -> None:
    sent = valid(bundle([fixture(TRANSFER)]))
    patient = one(sent, "Patient")
    assert patient["multipleBirthInteger"] == 1
    assert patient["communication"][0]["language"]["coding"][0]["code"] == "es"
    codes = [p["valueCoding"]["code"] for p in patient["extension"][1]["extension"] if "valueCoding" in p]
    assert codes == ["2135-2", "2148-5"]
    assert len(resources(sent, "AllergyIntolerance")) == 2
    assert one(sent, "Coverage")["relationship"]["coding"][0]["code"] == "self"
    assert one(sent, "PractitionerRole")["organization"]["display"] == "SAMPLE CLINIC"
    assert "000-00-0000" not in json.dumps(bundle([fixture(EMERGENCY)]))


def test_an_old_cancel_opens_the_stay_again() -> None:
    stay = ("cerner_a01_admit_2.3", "cerner_a03_discharge_2.3", "cerner_a13_cancel_discharge_2.3")
    sent = valid(bundle([fixture(name) for name in reversed(stay)]))
    encounter = one(sent, "Encounter")
    assert (encounter["status"], encounter["period"]) == ("in-progress", {"start": "2026-11-03T13:58:00-08:00"})
    assert one(sent, "Condition")["code"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-9-cm"
    patient = one(sent, "Patient")
    assert [name["family"] for name in patient["name"]] == ["TESTPERSON-ASPEN", "TESTPERSON-ASPEN"]
    assert patient["generalPractitioner"][0]["display"] == "DANA TESTDOCTOR-FIR"
    assert "999-99-9999" not in json.dumps(sent)


def test_an_allergy_event_of_one_vendor_has_its_components() -> None:
    sent = valid(person([fixture("meditech_a60_allergies_2.7")]))
    states = {
        a["code"]["text"]: found(a, "clinicalStatus.coding.0.code") for a in resources(sent, "AllergyIntolerance")
    }
    assert states == {"Amoxicillin": "active", "Invented dust": "inactive"}


def test_a_person_event_of_a_late_version_has_prt_and_no_visit() -> None:
    sent = valid(person([fixture("meditech_a31_person_2.8")]))
    patient = one(sent, "Patient")
    assert resources(sent, "Encounter") == []
    assert patient["address"][0]["line"] == ["77 Invented Way", "Unit 3"]
    assert [g["display"] for g in patient["generalPractitioner"]] == [
        "Sample Family Practice",
        "Uma Testdoctor-Hazel",
    ]
    assert patient["telecom"] == [{"system": "phone", "value": "+12095550177", "use": "mobile"}]


@pytest.mark.parametrize(("name", "groups"), [("cerner_a34_merge_2.3", 1), ("epic_a40_two_groups_2.5.1", 2)])
def test_merges_of_two_vendors_are_understood(name: str, groups: int) -> None:
    record = fixture(name)
    assert len(merge_keys(record, FACILITIES.of(record.facility), CIN_SYSTEM)) == groups


US_CORE_PACKAGE = Path("/work/shared/packages/hl7.fhir.us.core-6.1.0.tgz")
PROFILES = {kind: kind.lower() for kind in (*KINDS, *DIRECTORY, "Provenance")} | {
    "Condition": "condition-encounter-diagnosis"
}


@cache
def us_core() -> Validator:
    catalog = Catalog.of_files([US_CORE_PACKAGE])
    return Validator(catalog, LibraryCodes(library(catalog)))


@pytest.mark.skipif(not US_CORE_PACKAGE.exists(), reason="US Core's package is not at hand: only R4 was validated")
@pytest.mark.parametrize("name", [EMERGENCY, INPATIENT, TRANSFER, "meditech_a31_person_2.8", *OTHERS])
def test_what_vendors_send_holds_us_core(name: str) -> None:
    record = fixture(name)
    sent = (person if EVENTS[record.event].scope == PERSON else bundle)([record])
    for entry in sent["entry"]:
        resource = entry["resource"]
        found_issues = us_core().validate(resource, US_CORE + "us-core-" + PROFILES[resource["resourceType"]])
        assert [issue for issue in found_issues if issue.severity == "error"] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_says_the_same_with_the_same_fields(version: str) -> None:
    sent, usual = bundle([message(version=version)]), bundle([message()])
    for entry, other in zip(sent["entry"], usual["entry"], strict=True):
        if entry["resource"]["resourceType"] != "Provenance":
            assert entry == other


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.hl7")), ids=lambda path: path.stem)
def test_fixtures_are_invented_and_of_a_real_size(path: Any) -> None:
    raw = path.read_bytes()
    assert len(raw) <= 3500
    assert b"TEST" in raw.upper()


def _is_utf8(raw: bytes) -> bool:
    try:
        return not raw.isascii() and bool(raw.decode())
    except UnicodeDecodeError:
        return False


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["|^~\\&", "#*~!%", "|^~\\&#", "$@+?/"]),
    st.sampled_from(["\r", "\n", "\r\n"]),
    st.sampled_from([("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("", "utf-8")]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=("Cc",)), max_size=20),
)
def test_delimiters_line_ends_and_character_sets_change_no_word(
    marks: str, line_end: str, charset: tuple[str, str], words: str
) -> None:
    """Whatever delimiters a message declares, words with them inside come back as they were."""
    assume(
        charset[1] != "latin-1" or not _is_utf8(words.encode("latin-1"))
    )  # that is refused: adapters.adt.charset
    plain = "|^~\\&"
    raw = adt(fields={"PV2-3": "^WORDS"}, charset=charset[0], line_end="\r").decode()
    head, rest = raw[:8], raw[8:]
    swapped = "".join(marks[plain.index(c)] if c in plain else c for c in rest)
    escaped = "".join(f"{marks[3]}{'FSRET'[marks.index(c)]}{marks[3]}" if c in marks[:5] else c for c in words)
    text = f"MSH{marks[:5]}{head[8:]}" + swapped.replace("WORDS", escaped)
    found_words = parse(text.replace("\r", line_end).encode(charset[1])).visit.admit_reason
    assert (getattr(found_words, "text", "") if words.strip() else "") == words.strip()
