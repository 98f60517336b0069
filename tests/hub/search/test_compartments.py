"""Compartments: who is in a patient's is told by index rows, by every parameter of the definition, and no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.fhir.types import resource_types
from hub.search.compartments import (
    COMPARTMENTS,
    ITSELF,
    compartment_key,
    compartment_keys,
    member_types,
    membership,
    patients_of,
)
from hub.search.index import index_rows
from hub.search.parameters import parameters_of

BASE = "https://hub.example/fhir"
EXAMPLES = Path(__file__).parents[2] / "conformance" / "examples"


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


MEMBERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "the patient": ({"resourceType": "Patient", "id": "1"}, {"1"}),
    "a linked patient": ({"resourceType": "Patient", "id": "1", "link": [{"other": ref("Patient/2")}]}, {"1", "2"}),
    "a subject": ({"resourceType": "Observation", "subject": ref("Patient/1")}, {"1"}),
    "a performer": (
        {"resourceType": "Observation", "subject": ref("Patient/1"), "performer": [ref("Patient/2")]},
        {"1", "2"},
    ),
    "by an address here": ({"resourceType": "Observation", "subject": ref(f"{BASE}/Patient/1")}, {"1"}),
    "elsewhere": ({"resourceType": "Observation", "subject": ref("https://x.invalid/Patient/1")}, set()),
    "a group": ({"resourceType": "Observation", "subject": ref("Group/1")}, set()),
    "no parameter of the compartment": ({"resourceType": "Observation", "focus": [ref("Patient/1")]}, set()),
    "contained": ({"resourceType": "Observation", "subject": ref("#1")}, set()),
    "never in one": ({"resourceType": "Organization", "id": "1"}, set()),
}


@pytest.mark.parametrize(("resource", "wanted"), MEMBERS.values(), ids=MEMBERS)
def test_a_resource_is_in_the_compartments_of(resource: dict[str, Any], wanted: set[str]) -> None:
    kind = resource["resourceType"]
    assert patients_of(resource, BASE) == wanted
    keys = {compartment_key("Patient", i, of) for i in wanted for of in (kind,)}
    assert compartment_keys(resource, BASE) == keys
    assert keys <= index_rows(resource, BASE).tokens


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_the_rows_of_an_example_tell_its_compartments(path: Path) -> None:
    resource = json.loads(path.read_text(encoding="utf-8"))
    assert compartment_keys(resource) <= index_rows(resource).tokens


def test_every_membership_is_a_parameter_that_is_served() -> None:
    for compartment in COMPARTMENTS:
        assert set(member_types(compartment)) <= resource_types()
        for kind in member_types(compartment):
            codes = membership(compartment, kind) - {ITSELF}
            assert codes <= parameters_of(kind).keys()
            assert all(parameters_of(kind)[code].type == "reference" for code in codes)
    assert membership("Encounter", "Encounter") == {ITSELF}
    assert "subject" in membership("Patient", "Observation")
    assert not membership("Patient", "Organization")


def test_the_types_and_the_patients_have_different_rows() -> None:
    keys = {compartment_key("Patient", i, of) for i in ("1", "2") for of in ("Task", "Goal")}
    assert len(keys) == 4
