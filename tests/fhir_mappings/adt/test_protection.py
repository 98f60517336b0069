"""What the hospital protects (PV2-22, PD1-12) is labelled, and everything else is as it was."""

from typing import Any

import pytest

from fhir_mappings.adt.problems import UnmappedCode
from fhir_mappings.adt.visit import KnownMember
from hub.fhir.systems import CONFIDENTIALITY
from hub.rights.labels import OTHER, mask_of
from tests.fhir_mappings.adt.stay import SMC, bundle, message, person, resources

R = {"system": CONFIDENTIALITY, "code": "R"}
FULL = {"DG1-3": "R079^Chest pain^I10", "AL1-3": "^Invented pollen"}
OF_THE_VISIT = {"Encounter", "Condition"}
OF_THE_PERSON = {"Patient", "Coverage", "RelatedPerson", "AllergyIntolerance"}
MRN = {"system": SMC.mrn_system, "value": "SMC0012345"}


def labelled(found: dict[str, Any]) -> set[str]:
    """The types of what has the label, but Provenance, which has it with them."""
    kinds = {
        entry["resource"]["resourceType"]
        for entry in found["entry"]
        if R in entry["resource"].get("meta", {}).get("security", ())
    }
    return kinds - {"Provenance"}


def test_a_protected_visit_is_labelled_and_the_person_is_not() -> None:
    assert labelled(bundle([message(fields=FULL)])) == set()
    assert labelled(bundle([message(fields=FULL | {"PV2-22": "N"})])) == set()
    assert labelled(bundle([message(fields=FULL | {"PV2-22": "Y"})])) == OF_THE_VISIT
    assert mask_of([R]) == OTHER


def test_a_protected_person_is_labelled_with_all_that_this_feed_tells() -> None:
    found = bundle([message(fields=FULL | {"PD1-12": "Y"})])
    assert labelled(found) == OF_THE_VISIT | OF_THE_PERSON
    assert resources(found, "Provenance")[0]["meta"]["security"] == [R]
    assert all("security" not in one["meta"] for one in resources(found, "Location"))


def test_the_newest_word_counts_and_silence_says_nothing() -> None:
    first = message("A01", "1", at="20261122080000", fields=FULL | {"PV2-22": "Y", "PD1-12": "Y"})
    silent = message("A08", "2", at="20261122090000")
    over = message("A08", "3", at="20261122100000", fields={"PV2-22": "N", "PD1-12": '""'})
    assert labelled(bundle([first, silent])) >= OF_THE_VISIT
    assert labelled(bundle([over, first])) == set()


def test_the_patient_of_another_source_is_left_as_it_was() -> None:
    plan = KnownMember("p1", owned=False, resource={"resourceType": "Patient", "id": "p1", "identifier": [MRN]})
    found = bundle([message(cin=None, fields={"PD1-12": "Y"})], plan)
    assert "Patient" not in labelled(found)
    assert "Encounter" in labelled(found)


@pytest.mark.parametrize("held", [[], [{"system": "urn:x", "code": "a"}], [R], [R | {"code": "V"}]])
def test_the_patient_of_this_feed_has_one_confidentiality(held: list[dict[str, str]]) -> None:
    current = {"resourceType": "Patient", "id": "p1", "meta": {"source": SMC.feed, "security": held}}
    known = KnownMember("p1", owned=True, resource=current)
    (patient,) = resources(person([message("A31", fields={"PD1-12": "Y", "PV1": None})], known), "Patient")
    security = patient["meta"]["security"]
    assert len([one for one in security if one["system"] == CONFIDENTIALITY]) == 1
    assert security[: len(held)] == held


def test_an_unknown_indicator_is_a_gap() -> None:
    with pytest.raises(UnmappedCode) as gap:
        bundle([message(fields={"PV2-22": "MAYBE"})])
    assert gap.value.where == "PV2-22"
