from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import bundle, entries, mapped, message, one, resources
from tests.fhir_mappings.adt.test_pid_patient import found

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
PAIN = {"DG1-3": "R07.9^Chest pain^I10", "DG1-6": "A"}
LUNG = {"DG1-3": "J18.9^Pneumonia^I10", "DG1-6": "F"}


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({}, "code", {"coding": [{"system": ICD, "code": "R07.9"}], "text": "Chest pain"}),
        ({}, "category.0.coding.0.code", "encounter-diagnosis"),
        ({}, "clinicalStatus", None),  # nobody said
        ({}, "verificationStatus", None),
        ({"DG1-3": "F1020^Words^I10"}, "code.coding.0.code", "F10.20"),  # the dot that many leave out
        ({"DG1-3": "R079^Words^ICD-10-CM"}, "code.coding.0.system", ICD),
        (
            {"DG1-3": "4019^Words^I9"},
            "code.coding.0",
            {"system": "http://hl7.org/fhir/sid/icd-9-cm", "code": "4019"},
        ),
        ({"DG1-2": "I10", "DG1-3": "R07.9", "DG1-4": "Words"}, "code.coding.0.system", ICD),  # version 2.3
        ({"DG1-2": "I10", "DG1-3": "R07.9", "DG1-4": "Words"}, "code.text", "Words"),
        ({"DG1-3": "77^Words^L"}, "code.coding.0.system", "urn:calaim-hub:adt:SMC:codes:DG1-3"),
        ({"DG1-3": "77^Words^99SMC"}, "code.coding.0.system", "urn:calaim-hub:adt:SMC:codes:DG1-3"),
        ({"DG1-3": "", "DG1-4": "Only words"}, "code", {"text": "Only words"}),
        ({"DG1-5": "20261122"}, "recordedDate", "2026-11-22"),
        ({"DG1-16": "1234567893^Testdoctor^Pat^^^^^^NPI"}, "asserter.identifier.value", "1234567893"),
        ({"DG1-21": "D"}, "verificationStatus.coding.0.code", "entered-in-error"),
    ],
)
def test_a_field_becomes_its_element(fields: dict[str, str | None], path: str, value: object) -> None:
    assert found(mapped("Condition", fields=PAIN | fields), path) == value


def test_a_condition_is_of_its_patient_and_its_visit() -> None:
    sent = bundle([message(fields=PAIN)])
    condition = one(sent, "Condition")
    (encounter,) = entries(sent, "Encounter")
    assert condition["encounter"]["reference"] == encounter["fullUrl"]
    assert condition["subject"] == encounter["resource"]["subject"]
    (entry,) = entries(sent, "Condition")
    assert encounter["resource"]["diagnosis"][0]["condition"]["reference"] == entry["fullUrl"]
    key = condition["identifier"][0]
    assert entry["request"] == {"method": "PUT", "url": f"Condition?identifier={key['system']}|{key['value']}"}


@pytest.mark.parametrize(
    ("fields", "use", "rank"),
    [
        ({"DG1-6": "A", "DG1-15": "1"}, "AD", 1),
        ({"DG1-6": "F"}, "DD", None),
        ({"DG1-6": "W", "DG1-15": "0"}, None, None),
        ({"DG1-6": "", "DG1-15": "x"}, None, None),
    ],
)
def test_the_encounter_names_its_diagnosis_with_use_and_rank(
    fields: dict[str, str | None], use: str | None, rank: int | None
) -> None:
    named = mapped("Encounter", fields=PAIN | fields)["diagnosis"][0]
    assert (found(named, "use.coding.0.code"), named.get("rank")) == (use, rank)


def test_one_diagnosis_told_as_admitting_and_as_final_is_one_condition() -> None:
    final = {"DG1#2-3": "R07.9^Chest pain^I10", "DG1#2-6": "F"}
    sent = bundle([message(fields=PAIN | final)])
    assert len(resources(sent, "Condition")) == 1
    uses = [found(each, "use.coding.0.code") for each in one(sent, "Encounter")["diagnosis"]]
    assert uses == ["AD", "DD"]


def test_a_final_diagnosis_leaves_the_admitting_one_and_replaces_final_ones() -> None:
    first = message(fields=PAIN | {"DG1#2-3": "A41.9^Sepsis^I10", "DG1#2-6": "F"})
    second = message("A08", "2", at="20261122100000", fields=LUNG)
    sent = bundle([first, second])
    stated = {c["code"]["text"]: found(c, "clinicalStatus.coding.0.code") for c in resources(sent, "Condition")}
    assert stated == {"Chest pain": None, "Pneumonia": None, "Sepsis": "inactive"}
    assert len(one(sent, "Encounter")["diagnosis"]) == 2


def test_a_diagnosis_of_a_discharge_that_was_taken_back_is_not_of_the_visit() -> None:
    left = message("A03", "2", at="20261122120000", discharged="20261122120000", fields=LUNG)
    cancel = message("A13", "3", at="20261122130000")
    assert [c["code"]["text"] for c in resources(bundle([message(fields=PAIN), left, cancel]), "Condition")] == [
        "Chest pain"
    ]


def test_what_was_entered_in_error_is_no_diagnosis_of_the_visit() -> None:
    assert "diagnosis" not in mapped("Encounter", fields=PAIN | {"DG1-21": "D"})


@pytest.mark.parametrize(
    ("fields", "table", "code", "where"),
    [
        ({"DG1-3": "R07.9^Chest pain"}, "0396", "", "DG1-3"),  # no system: nobody can read it, or label it
        ({"DG1-3": "R07.9^Chest pain^ODD"}, "0396", "ODD", "DG1-3"),
        ({"DG1-6": "Q"}, "0052", "Q", "DG1-6"),
    ],
)
def test_a_code_nobody_can_read_is_unmapped(
    fields: dict[str, str | None], table: str, code: str, where: str
) -> None:
    with pytest.raises(UnmappedCode) as caught:
        bundle([message(fields=PAIN | fields)])
    assert (caught.value.table, caught.value.code, caught.value.where) == (table, code, where)


def test_a_local_row_says_which_system_a_hospital_means(tmp_path: Path) -> None:
    (tmp_path / "0396.csv").write_text(f"code,system,target,display,source\n,,{ICD},,the hospital says so\n")
    sent: Any = bundle([message(fields={"DG1-3": "R07.9"})], tables=CodeTables.load(tmp_path))
    assert one(sent, "Condition")["code"]["coding"] == [{"system": ICD, "code": "R07.9"}]
