"""The sample exports: read without a reject, mapped to valid FHIR, and a delta over the export before it."""

from pathlib import Path
from typing import Any

import pytest

from conformance.validation import structure
from fhir_mappings.hmis import subjects
from hub.feeds.records import Given, Reject, Row, Subject
from hub.identity.hashed import SHA256_SOUNDEX
from tests.adapters.hmis.exports import given, kept
from tests.adapters.hmis.fixtures import EXPORTS, HERE, LATER


def told(name: str) -> list[Given]:
    return given(HERE / name)


def resources(subject: Subject) -> list[dict[str, Any]]:
    said = subjects.said(subject)
    return [*([dict(said.patient)] if said else []), *subjects.resources(subject, "Patient/p1")]


def one(found: list[dict[str, Any]], noun: str, key: str) -> dict[str, Any]:
    return next(each for each in found if each["identifier"][0]["system"].endswith(f"/{noun}")
                and each["identifier"][0]["value"] == key)  # fmt: skip


def codes(made: dict[str, Any]) -> list[str]:
    return [part["code"]["coding"][0]["code"] for part in made.get("component", ())]


@pytest.mark.parametrize("name", EXPORTS)
def test_the_samples_are_those_that_the_table_makes(name: str) -> None:
    found = {path.name: path.read_bytes() for path in sorted((HERE / name).iterdir())}
    assert found == EXPORTS[name], "python -m tests.adapters.hmis.fixtures"
    assert len(found) == 24


@pytest.mark.parametrize("name", EXPORTS)
def test_a_sample_is_read_without_a_reject(name: str) -> None:
    wrong = [one for one in told(name) if isinstance(one, Reject) and one.code != "EMPTY"]
    assert [(one.code, one.part) for one in wrong] == {
        "fy2024": [("DATE", "Export.csv")],  # a warning: its ExportDate is written in the American way
    }.get(name, [])


@pytest.mark.parametrize("name", ["fy2024", "fy2026", "hashed"])
def test_a_sample_becomes_valid_fhir(name: str) -> None:
    made = [each for subject in kept(told(name)).values() for each in resources(subject)]
    for each in made:
        assert list(structure.validate({**each, "id": "x"}, conditional_references=True)) == []
    assert {"Patient", "EpisodeOfCare", "Observation", "ServiceRequest", "Task", "Location", "Organization"} == {
        each["resourceType"] for each in made
    }
    text = str(made)
    assert "Secret" not in text  # the address of the safe house
    assert "Unit 4" not in text  # where exactly somebody is
    assert "987650001" not in text


def test_the_sample_tells_who_is_homeless_and_why() -> None:
    found = kept(told("fy2026"))
    first, second, third = (subjects.resources(found[f"client|c-{n}"], "Patient/p1") for n in (1, 2, 3))
    street = one(first, "homelessness", "c-1")
    assert street["valueCodeableConcept"]["coding"][0]["code"] == "homeless"
    assert codes(street) == ["CHRONIC-YEAR", "PLS-LITERAL", "CLS-LITERAL"]
    leaving = one(second, "homelessness", "c-2")
    assert leaving["valueCodeableConcept"]["coding"][0]["code"] == "at-risk"
    assert "CLS-14-DAYS" in codes(leaving)
    assert one(third, "homelessness", "c-3")["valueCodeableConcept"]["coding"][0]["code"] == "not-shown"
    assert codes(one(third, "homelessness", "c-3+SDV")) == ["PLS-INSTITUTION", "DV-FLEEING", "OPEN-LITERAL"]


def test_a_delta_changes_what_it_names_and_nothing_else() -> None:
    before, after = kept(told("fy2026")), kept([*told("fy2026"), *told("delta")])
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"client|c-1"}
    said = subjects.said(after["client|c-1"])
    assert said is not None
    assert said.patient["name"][0]["family"] == "Testperson-Oak"
    made = subjects.resources(after["client|c-1"], "Patient/p1")
    assert one(made, "current-living-situation", "l-1")["status"] == "entered-in-error"
    assert "CLS-LITERAL" in codes(one(made, "homelessness", "c-1"))  # by the one that came instead
    assert one(made, "homelessness", "c-1")["effectiveDateTime"] == LATER[:10]


def test_a_hashed_export_says_how_it_hashes() -> None:
    clients = [row for row in told("hashed") if isinstance(row, Row) and row.kind == "Client"]
    assert {row.values["HashScheme"] for row in clients} == {SHA256_SOUNDEX}
    assert "Testperson" not in str(clients)


def test_the_samples_hold_no_file_but_the_exports() -> None:
    assert sorted(path.name for path in Path(HERE).iterdir()) == sorted(EXPORTS)
