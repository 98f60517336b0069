from pathlib import Path

import pytest

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, bundle, entries, mapped, message, one, resources
from tests.fhir_mappings.adt.test_pid_patient import found


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({}, "status", "active"),
        ({}, "subscriberId", "91234567A"),
        ({}, "identifier.1.system", CIN_SYSTEM),
        ({}, "identifier.1.type.coding.0.code", "MB"),
        ({"IN1-36": "91234567A29180"}, "identifier.1.value", "91234567A"),
        ({"IN1-36": "91234567A29180"}, "subscriberId", "91234567A29180"),
        ({"IN1-36": "TM-1"}, "identifier.1.system", None),
        ({"IN1-36": "", "IN1-49": "TM-2^^^T"}, "subscriberId", "TM-2"),
        ({}, "relationship.coding.0.code", "self"),
        ({"IN1-17": ""}, "relationship.coding.0.code", "self"),  # a Medi-Cal number is the member's own
        ({"IN1-17": "", "IN1-36": "TM-1"}, "relationship.coding.0.code", "unknown"),
        ({"IN2-72": "02", "IN1-17": "SEL"}, "relationship.coding.0.code", "spouse"),  # as FHIR asks
        ({"IN1-36": "", "IN2-61": "TM-3"}, "subscriberId", "TM-3"),
        ({"IN1-36": "", "IN2-8": "91234567A"}, "identifier.1.system", CIN_SYSTEM),
        ({"IN1-17": "MTH"}, "relationship.coding.0.code", "child"),  # the insured is the mother
        ({}, "payor", [{"type": "Organization", "identifier": {"value": "610"}, "display": "Testplan Medi-Cal"}]),
        ({"IN1-3": "", "IN1-4": ""}, "payor.0.display", "Medi-Cal Managed Care"),
        ({"IN1-3": "", "IN1-4": "", "IN1-2": ""}, "payor.0.extension.0.valueCode", "unknown"),
        ({"IN1-13": "20261231"}, "period", {"start": "2026-01-01", "end": "2026-12-31"}),
        ({"IN1-12": "20270101", "IN1-13": "20261231"}, "period", {"end": "2026-12-31"}),
        ({}, "type", {"text": "MCAID"}),
        ({"IN1-15": ""}, "type", None),
        ({"IN1-8": "G1", "IN1-9": "Group One"}, "class.0.name", "Group One"),
        ({}, "class.0.type.coding.0.code", "plan"),
        ({}, "class.0.value", "MCAL"),
    ],
)
def test_a_field_becomes_its_element(fields: dict[str, str], path: str, value: object) -> None:
    assert found(mapped("Coverage", fields=fields), path) == value


def test_a_coverage_is_a_conditional_update_under_the_feeds_own_key() -> None:
    (entry,) = entries(bundle([message()]), "Coverage")
    key = entry["resource"]["identifier"][0]
    assert key["system"] == "urn:calaim-hub:adt:SMC:coverage"
    assert entry["request"]["url"] == f"Coverage?identifier={key['system']}|{key['value']}"
    assert entry["resource"]["beneficiary"]["reference"].startswith("urn:uuid:")


def test_the_key_stays_when_dates_change_and_differs_for_another_number() -> None:
    keys = [
        mapped("Coverage", fields=fields)["identifier"][0]["value"]
        for fields in ({}, {"IN1-12": "20270101"}, {"IN1-36": "TM-1"})
    ]
    assert keys[0] == keys[1] != keys[2]


def test_the_second_part_of_an_insurance_is_of_the_one_before_it() -> None:
    two = {"IN2-72": "01", "IN1#2-4": "Testmutual", "IN1#2-36": "TM-1", "IN2#2-72": "18"}
    found_ones = resources(bundle([message(fields=two)]), "Coverage")
    assert [c["relationship"]["coding"][0]["code"] for c in found_ones] == ["self", "parent"]


@pytest.mark.parametrize("code", ["CHD", "XX"])
def test_a_relationship_without_a_row_is_unmapped(code: str) -> None:
    with pytest.raises(UnmappedCode) as caught:
        mapped("Coverage", fields={"IN1-17": code})
    assert caught.value.where == "IN1-17"


def test_an_insurance_without_member_number_is_left_out() -> None:
    assert resources(bundle([message(fields={"IN1-36": ""})]), "Coverage") == []


def test_an_insurance_that_left_the_newest_group_is_cancelled() -> None:
    first = message(at="20261122080000", fields={"IN1#2-4": "Testmutual", "IN1#2-36": "TM-1"})
    second = message("A08", "MSG2", at="20261122090000", fields={"IN1-12": "20260201"})
    found_ones = resources(bundle([first, second]), "Coverage")
    assert {c["subscriberId"]: c["status"] for c in found_ones} == {"TM-1": "cancelled", "91234567A": "active"}


def test_a_plan_type_has_a_code_when_the_overlay_gives_one(tmp_path: Path) -> None:
    (tmp_path / "0086.csv").write_text("code,system,target,display,source\nMCAID,https://nahdo.org/sopt,2,,site\n")
    coverage = one(bundle([message()], tables=CodeTables.load(tmp_path)), "Coverage")
    assert coverage["type"]["coding"] == [{"system": "https://nahdo.org/sopt", "code": "2"}]
