"""Client.csv as a Patient: who it is, how good that is, and nothing that HMIS must not say."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.validation import structure
from fhir_mappings.hmis import subjects
from fhir_mappings.hmis.client_patient import gender_of
from hub.feeds.records import Unmapped, Waiting
from hub.identity.hashed import SHA256_SOUNDEX, digest
from hub.identity.patient import person_of
from hub.identity.person import Quality
from hub.identity.strong import Systems
from tests.fhir_mappings.hmis.clients import enrolled, kept, security, subject

SYSTEM = "https://hmis.example/coc/client"


def patient(**client: str) -> dict[str, Any]:
    said = subjects.said(subject(kept("Client", client)))
    assert said is not None
    return dict(said.patient)


def extension(made: dict[str, Any], name: str) -> list[tuple[str, str]]:
    found = next((one for one in made.get("extension", ()) if one["url"].endswith(name)), {"extension": []})
    return [(p["url"], p.get("valueString") or p["valueCoding"]["code"]) for p in found["extension"]]


def test_a_client_is_known_by_the_number_of_its_implementation_and_by_no_cin() -> None:
    said = subjects.said(subject())
    assert said is not None
    assert (said.key, said.shared, said.owner, said.strong) == ("c-1", False, False, {SYSTEM: "hmis"})
    assert said.patient["identifier"] == [{"system": SYSTEM, "value": "c-1"}]
    assert security(said.patient) == ["HMIS"]
    assert list(structure.validate({**said.patient, "id": "p1"})) == []


def test_rows_of_a_client_whom_nobody_brought_wait() -> None:
    orphan = subject(*enrolled())
    orphan = replace(orphan, rows=[row for row in orphan.rows if row.kind != "Client"])
    with pytest.raises(Waiting):
        subjects.said(orphan)


def test_how_good_a_name_a_birth_date_and_an_ssn_are_goes_into_the_match() -> None:
    made = patient(NameDataQuality="2", DOBDataQuality="2", SSN="xxxxx1234", SSNDataQuality="2")
    found = person_of(made, "hmis", Systems(exact=((SYSTEM, "hmis"),)))
    assert (found.quality, found.ssn4) == (Quality(2, 2, 2), "1234")
    assert [each.value for each in found.identifiers] == ["c-1"]


@pytest.mark.parametrize("quality", ["8", "9", "99"])
def test_what_the_source_does_not_know_is_not_said(quality: str) -> None:
    made = patient(DOBDataQuality=quality, SSN="123456789", SSNDataQuality=quality, NameDataQuality=quality)
    assert "birthDate" not in made
    assert len(made["identifier"]) == 1
    assert person_of(made, "hmis", Systems()).names == ()


def test_of_an_ssn_four_digits_stay() -> None:
    made = patient(SSN="123454321", SSNDataQuality="1")
    assert made["identifier"][1]["value"] == "xxxxx4321"
    assert "12345" not in str(made)


def test_a_name_that_is_missing_is_said_to_be() -> None:
    without = kept("Client", {"NameDataQuality": "9"})
    values = {key: value for key, value in without.values.items() if key not in ("FirstName", "LastName")}
    said = subjects.said(subject(replace(without, values=values)))
    assert said is not None
    assert said.patient["name"][0]["extension"][1]["valueCode"] == "asked-declined"
    assert list(structure.validate({**said.patient, "id": "p1"})) == []


def test_a_hashed_client_is_matched_by_the_same_transform() -> None:
    family, given = digest(SHA256_SOUNDEX, "Testperson"), digest(SHA256_SOUNDEX, "Robin")
    made = patient(
        HashScheme=SHA256_SOUNDEX, LastName=family, FirstName=given, SSN=f"4321{family}", SSNDataQuality="1"
    )
    found = person_of(made, "hmis", Systems())
    assert found.hashed is not None
    assert (found.hashed.family, found.hashed.given, found.hashed.scheme) == (family, given, SHA256_SOUNDEX)
    assert (found.names, found.ssn4) == ((), "4321")
    assert "masked" in str(made["name"])
    assert list(structure.validate({**made, "id": "p1"})) == []


SEXES = [
    ({"Sex": "0"}, "female"),
    ({"Sex": "1"}, "male"),
    ({"Sex": "8"}, "unknown"),
    ({}, ""),
    ({"Woman": "1", "Man": "0"}, "female"),
    ({"Man": "1"}, "male"),
    ({"Woman": "1", "Transgender": "1"}, "other"),
    ({"NonBinary": "1"}, "other"),
    ({"Woman": "1", "Man": "1"}, "other"),
    ({"GenderNone": "9"}, "unknown"),
    ({"Woman": "99"}, ""),
]


@pytest.mark.parametrize(("said", "gender"), SEXES)
def test_gender_is_what_was_said_in_either_version(said: dict[str, str], gender: str) -> None:
    assert gender_of(said) == gender


def test_a_sex_without_a_row_waits() -> None:
    with pytest.raises(Unmapped):
        patient(Sex="7")


def test_race_and_ethnicity_are_those_of_us_core() -> None:
    made = patient(White="1", MidEastNAfrican="1", HispanicLatinao="0", AdditionalRaceEthnicity="Invented")
    assert extension(made, "race") == [
        ("ombCategory", "2106-3"),
        ("detailed", "2118-8"),
        ("text", "White, Middle Eastern or North African, Invented"),
    ]
    assert extension(made, "ethnicity") == [("ombCategory", "2186-5"), ("text", "Non Hispanic or Latino")]


@pytest.mark.parametrize("column", ["HispanicLatinao", "HispanicLatinaeo"])
def test_the_column_of_either_version_says_hispanic(column: str) -> None:
    assert extension(patient(**{column: "1"}), "ethnicity")[0] == ("ombCategory", "2135-2")


def test_who_answered_nothing_is_not_said_to_be_not_hispanic() -> None:
    made = patient(HispanicLatinao="0", White="0", RaceNone="8")
    assert extension(made, "ethnicity") == []
    assert extension(made, "race") == [("ombCategory", "ASKU"), ("text", "Client doesn't know")]
