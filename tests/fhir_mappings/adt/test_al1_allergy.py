import pytest

from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import bundle, entries, mapped, message, person, resources
from tests.fhir_mappings.adt.test_pid_patient import found

AL1 = {"AL1-2": "DA", "AL1-3": "7980^Penicillin^RXNORM", "AL1-4": "SV", "AL1-5": "Hives~HV^Swelling"}
IAM = {"IAM-2": "FA", "IAM-3": "^Invented nuts", "IAM-4": "MI", "IAM-6": "A", "IAM-7": "A-1^^^SMC"}


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({}, "code.coding.0", {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7980"}),
        ({}, "code.text", "Penicillin"),
        ({"AL1-3": "PCN^Penicillin"}, "code.coding.0.system", "urn:calaim-hub:adt:SMC:codes:AL1-3"),
        ({"AL1-3": "^PENICILLIN"}, "code", {"text": "PENICILLIN"}),
        ({}, "clinicalStatus.coding.0.code", "active"),
        ({}, "type", "allergy"),
        ({}, "category", ["medication"]),
        ({"AL1-2": "MC"}, "category", None),
        ({"AL1-2": ""}, "type", None),
        ({}, "criticality", "high"),
        ({"AL1-4": "MO"}, "criticality", None),
        ({"AL1-4": "MO"}, "reaction.0.severity", "moderate"),
        ({}, "reaction.0.manifestation", [{"text": "Hives"}, {"text": "Swelling"}]),
        ({"AL1-5": ""}, "reaction", None),
        ({"AL1-6": "2019"}, "onsetDateTime", "2019"),
    ],
)
def test_a_field_becomes_its_element(fields: dict[str, str], path: str, value: object) -> None:
    assert found(mapped("AllergyIntolerance", fields=AL1 | fields), path) == value


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({}, "category", ["food"]),
        ({}, "code", {"text": "Invented nuts"}),
        ({"IAM-11": "20200301"}, "onsetDateTime", "2020-03-01"),
        ({"IAM-13": "20261122"}, "recordedDate", "2026-11-22"),
        ({"IAM-17": "I"}, "clinicalStatus.coding.0.code", "inactive"),
        ({"IAM-17": "C"}, "verificationStatus.coding.0.code", "confirmed"),
        ({"IAM-17": "E"}, "verificationStatus.coding.0.code", "entered-in-error"),
        ({"IAM-17": "E"}, "clinicalStatus", None),
        ({"IAM-6": "D"}, "clinicalStatus.coding.0.code", "inactive"),
    ],
)
def test_an_allergy_event_has_no_visit(fields: dict[str, str], path: str, value: object) -> None:
    sent = person([message("A60", fields={"PV1": None, "PID-18": "", **IAM, **fields})])
    (allergy,) = resources(sent, "AllergyIntolerance")
    assert found(allergy, path) == value
    assert resources(sent, "Encounter") == []


def test_an_unchanged_action_says_nothing() -> None:
    assert resources(person([message("A60", fields=IAM | {"IAM-6": "X"})]), "AllergyIntolerance") == []


def test_an_allergy_that_left_the_list_is_inactive_and_one_that_is_back_is_active() -> None:
    first = message(fields=AL1 | {"AL1#2-3": "^Invented pollen"})
    second = message("A08", "2", at="20261122090000", fields={"AL1-3": "^Invented pollen"})
    states = {
        a["code"]["text"]: a["clinicalStatus"]["coding"][0]["code"]
        for a in resources(bundle([first, second]), "AllergyIntolerance")
    }
    assert states == {"Penicillin": "inactive", "Invented pollen": "active"}
    third = message("A08", "3", at="20261122100000", fields=AL1)
    states = {
        a["code"]["text"]: a["clinicalStatus"]["coding"][0]["code"]
        for a in resources(bundle([third, first, second]), "AllergyIntolerance")
    }
    assert states == {"Penicillin": "active", "Invented pollen": "inactive"}


def test_the_newest_word_on_an_allergy_counts_whichever_segment_says_it() -> None:
    ended = message("A60", "1", at="20261122080000", fields={"IAM-3": "^Penicillin", "IAM-6": "D"})
    listed = message("A31", "2", at="20261122090000", fields={"AL1-3": "^Penicillin"})
    for order in ([ended, listed], [listed, ended]):
        (allergy,) = resources(person(order), "AllergyIntolerance")
        assert allergy["clinicalStatus"]["coding"][0]["code"] == "active"


def test_an_allergy_is_a_conditional_update_under_the_feeds_own_key() -> None:
    (entry,) = entries(bundle([message(fields=AL1)]), "AllergyIntolerance")
    key = entry["resource"]["identifier"][0]
    assert entry["request"]["url"] == f"AllergyIntolerance?identifier={key['system']}|{key['value']}"
    assert key["system"] == "urn:calaim-hub:adt:SMC:allergy"


@pytest.mark.parametrize(("field", "where"), [("AL1-2", "AL1-2"), ("AL1-4", "AL1-4"), ("AL1-3", "AL1-3")])
def test_a_code_without_a_row_is_unmapped_at_its_field(field: str, where: str) -> None:
    with pytest.raises(UnmappedCode) as caught:
        mapped("AllergyIntolerance", fields=AL1 | {field: "QQ^^ODD"})
    assert caught.value.where == where
