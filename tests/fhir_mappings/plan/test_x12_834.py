"""What an 834 says of a member becomes a US Core Patient and Coverages (docs/plan-834.md)."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.plan import x12_834, x12_tables
from hub.feeds.records import Resource, Row, Unmapped, Waiting
from tests.adapters.plan.made_834 import PLAN, body, cin, coverage, member
from tests.adapters.plan.x12_world import PATIENT, SYSTEM, Keeping, became, feed, of_type, read
from tests.adapters.x12.made import file_834

CIN_SYSTEM = "https://hub.example/id/cin"
FEED = feed(validate="envelope", cin_system=CIN_SYSTEM)


def kept(tmp_path: Path, *members: list[str], options: dict[str, Any] | None = None) -> Keeping:
    of = feed(validate="envelope", cin_system=CIN_SYSTEM, **(options or {}))
    return Keeping(of).take(read(tmp_path, file_834(body(members)), of).rows)


def patient(tmp_path: Path, **changed: Any) -> Any:
    said = kept(tmp_path, member(1, **changed)).said(cin(1))
    assert said is not None
    return said.patient


def coverages(keeping: Keeping) -> list[Resource]:
    found = of_type(keeping.resources(), "Coverage")
    return sorted(found, key=lambda one: (one["period"]["start"], one["class"][0]["value"]))


def at(node: Any, path: str) -> Any:
    for part in path.split("."):
        node = node[int(part)] if part.isdigit() else node.get(part)
        if node is None:
            return None
    return node


@pytest.mark.parametrize(
    ("changed", "path", "value"),
    [
        ({}, "identifier.0.system", CIN_SYSTEM),
        ({}, "identifier.0.value", "90000001A"),
        ({}, "identifier.0.type.coding.0.code", "MA"),
        ({"REF_F6": "REF*F6*1EG4TE5MK73"}, "identifier.1.system", "http://hl7.org/fhir/sid/us-mbi"),
        ({"REF_F6": "REF*F6*123456789A"}, "identifier.1.system", f"{SYSTEM}/member"),  # an old number, no MBI
        ({}, "identifier.1.value", "INV0000001"),
        ({}, "name.0.family", "INVENTED1"),
        ({}, "name.0.given", ["ANY", "M"]),
        ({"NM1": "NM1*IL*1*INVENTED*ANY***JR"}, "name.0.suffix", ["JR"]),
        ({}, "gender", "female"),
        ({"DMG": "DMG*D8*19600101*M"}, "gender", "male"),
        ({"DMG": "DMG*D8*19600101*U"}, "gender", "unknown"),
        ({"DMG": ""}, "gender", "unknown"),
        ({"DMG": "DMG*D8*19600101*M"}, "birthDate", "1960-01-01"),
        ({"REF_17": "REF*17*;20261015;202611"}, "deceasedDateTime", "2026-10-15"),
        ({}, "deceasedDateTime", None),
        ({}, "telecom.0", {"system": "phone", "value": "5550000001"}),
        ({"PER": "PER*IP**CP*5550002*EX*9"}, "telecom", [{"system": "phone", "value": "5550002", "use": "mobile"}]),
        ({}, "address.0.use", "home"),
        ({}, "address.0.city", "LOS ANGELES"),
        ({}, "address.0.district", "Los Angeles"),
        ({"N4": "N4*X CA*CA*90019**CY*58"}, "address.0.district", None),
        ({"NM1_31": "NM1*31*1", "N3_31": "N3*PO BOX 1"}, "address.1.type", "postal"),
        ({}, "communication.0.language.coding.0.code", "es"),
        ({"LUI": "LUI*LE*VI**7"}, "communication.0.language.coding.0.code", "vi"),
        ({"LUI": ""}, "communication", None),
        ({}, "extension.0.extension.0.valueCoding.code", "2054-5"),
        ({}, "extension.0.extension.1.valueString", "Black or African American"),
        ({"DMG": "DMG*D8*19600101*F**:RET:2135-2"}, "extension.0.extension.0.valueCoding.code", "2135-2"),
        ({"DMG": "DMG*D8*19600101*F**:RET:2036-2"}, "extension.0.extension.0.valueCoding.code", "2028-9"),
        ({"DMG": "DMG*D8*19600101*F**:RET:2036-2"}, "extension.0.extension.1.valueCoding.code", "2036-2"),
        ({"DMG": "DMG*D8*19600101*F**7"}, "extension", None),
    ],
)  # fmt: skip
def test_a_fact_becomes_its_element(tmp_path: Path, changed: dict[str, str], path: str, value: Any) -> None:
    assert at(patient(tmp_path, **changed), path) == value


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"DMG": "DMG*D8*19600101*X"}, "DMG03"),
        ({"DMG": "DMG*D8*19600101*F**:RET:9999-9"}, "DMG05"),
        ({"DMG": "DMG*D8*19600101*F**Q"}, "DMG05"),
        ({"LUI": "LUI*LD*QQQ**7"}, "LUI02"),
        ({"PER": "PER*IP**ZZ*5550002"}, "PER03"),
    ],
)
def test_a_code_without_a_row_is_unmapped(tmp_path: Path, changed: dict[str, str], where: str) -> None:
    with pytest.raises(Unmapped) as caught:
        patient(tmp_path, **changed)
    assert caught.value.where == where


def test_the_plan_says_who_the_member_is_to_everybody(tmp_path: Path) -> None:
    said = kept(tmp_path, member(1)).said(cin(1))
    assert said is not None
    assert (said.key, said.owner, said.shared) == (cin(1), True, True)
    assert said.strong == {CIN_SYSTEM: "cin", "http://hl7.org/fhir/sid/us-mbi": "mbi"}


def test_the_plan_is_an_organization_found_by_its_own_number(tmp_path: Path) -> None:
    keeping = kept(tmp_path, member(1))
    (plan,) = of_type(keeping.resources(), "Organization")
    (covered,) = coverages(keeping)
    own = plan["identifier"][0]
    assert plan["name"] == "Invented Plan Inc."
    assert plan["identifier"][1]["value"] == PLAN
    assert covered["payor"] == [{"reference": f"Organization?identifier={own['system']}|{own['value']}"}]
    assert keeping.said(f"plan:{PLAN}") is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "active"),
        ("type.coding.0.code", "2"),
        ("subscriberId", "90000001A"),
        ("identifier.0.system", f"{SYSTEM}/coverage"),
        ("identifier.1.value", "90000001A"),
        ("beneficiary.reference", PATIENT),
        ("relationship.coding.0.code", "self"),
        ("period", {"start": "2026-11-01", "end": "2026-11-30"}),
        ("extension.0.valueDate", "2027-05"),
        ("costToBeneficiary.0.valueMoney.value", Decimal("1237")),
    ],
)
def test_a_fact_of_a_coverage_becomes_its_element(tmp_path: Path, path: str, value: Any) -> None:
    (found,) = coverages(kept(tmp_path, member(1, coverages=[coverage(share="1237")])))
    assert at(found, path) == value


def test_aid_codes_county_and_medicare_parts_are_classes(tmp_path: Path) -> None:
    (found,) = coverages(kept(tmp_path, member(1)))
    assert [(one["type"]["coding"][0]["code"], one["value"], one.get("name")) for one in found["class"]] == [
        ("plan", "010", None),
        ("aid-code", "60", "401"),
        ("aid-code", "80", "891"),
        ("primary-aid-code", "60", None),
        ("county", "19", None),
        ("hcp-status", "01", None),
        ("insurance-line", "LTC", None),
        ("medicare-part-a", "2", None),
        ("medicare-part-b", "2", None),
        ("medicare-part-d", "2", None),
    ]


def test_the_key_of_a_coverage_can_not_be_read(tmp_path: Path) -> None:
    (found,) = coverages(kept(tmp_path, member(1)))
    assert cin(1) not in found["identifier"][0]["value"]


def test_an_hcp_status_that_nobody_explained_waits(tmp_path: Path) -> None:
    keeping = kept(tmp_path, member(1, coverages=[coverage("010;P4")]))
    with pytest.raises(Unmapped) as caught:
        keeping.resources()
    assert (caught.value.table, caught.value.code, caught.value.where) == ("x12_hcp_status", "P4", "HD04")


def test_a_deployment_says_what_an_hcp_status_means_and_from_when(tmp_path: Path) -> None:
    table = tmp_path / "x12_hcp_status.csv"
    table.write_text("status,from,to,coverage,source\nP4,,2026-10-31,active,t\nP4,2026-11-01,,cancelled,t\n")
    loops = [coverage("010;P4", "20261001", "20261031"), coverage("010;P4"), coverage("957;01")]
    keeping = kept(tmp_path, member(1, coverages=loops), options={"tables": str(tmp_path)})
    assert [one["status"] for one in coverages(keeping)] == ["active", "cancelled", "active"]
    assert x12_tables.has_code(keeping.feed, "x12_hcp_status", "P4")
    assert not x12_tables.has_code(keeping.feed, "x12_hcp_status", "S1")


def test_a_status_before_its_first_day_waits(tmp_path: Path) -> None:
    (tmp_path / "x12_hcp_status.csv").write_text("status,from,to,coverage,source\nP4,2027-01-01,,active,t\n")
    with pytest.raises(Unmapped):
        kept(tmp_path, member(1, coverages=[coverage("010;P4")]), options={"tables": str(tmp_path)}).resources()


def test_a_table_that_is_changed_counts_at_once(tmp_path: Path) -> None:
    of = feed(tables=str(tmp_path))
    assert not x12_tables.has_code(of, "x12_county", "58")
    (tmp_path / "x12_county.csv").write_text("code,county,source\n58,Invented,t\n")
    assert x12_tables.has_code(of, "x12_county", "58")
    assert x12_tables.has_code(of, "x12_county", "19")


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x12_county.csv").write_text("code,name\n58,Invented\n")
    with pytest.raises(ValueError, match="other columns"):
        x12_tables.rows(feed(tables=str(tmp_path)), "x12_county")


@pytest.mark.parametrize(("end", "status"), [("20261031", "cancelled"), ("20261101", "active"), ("", "active")])
def test_a_period_that_ends_before_it_begins_never_was(tmp_path: Path, end: str, status: str) -> None:
    (found,) = coverages(kept(tmp_path, member(1, coverages=[coverage(end=end)])))
    assert found["status"] == status
    assert found["period"].get("end", "2026-11-01") == "2026-11-01"


def test_a_coverage_told_in_error_is_entered_in_error(tmp_path: Path) -> None:
    (found,) = coverages(kept(tmp_path, member(1, coverages=[coverage(code="002")])))
    assert found["status"] == "entered-in-error"


def test_only_the_newest_coverage_says_when_medi_cal_is_renewed(tmp_path: Path) -> None:
    loops = [coverage(start="20261001", end="20261031"), coverage()]
    found = coverages(kept(tmp_path, member(1, coverages=loops)))
    assert ["extension" in one for one in found] == [False, True]


def test_coverages_of_earlier_files_stay(tmp_path: Path) -> None:
    keeping = kept(tmp_path, member(1, coverages=[coverage(start="20261001", end="20261031")]))
    keeping.take(kept(tmp_path, member(1)).rows.values())
    assert [one["period"]["start"] for one in coverages(keeping)] == ["2026-10-01", "2026-11-01"]
    assert [one["status"] for one in coverages(keeping)] == ["active", "active"]


def test_a_termination_ends_open_coverages_and_leaves_the_person(tmp_path: Path) -> None:
    loops = [coverage(), coverage("957;01", end="")]
    keeping = kept(tmp_path, member(1, coverages=loops))
    keeping.take(kept(tmp_path, member(1, maintenance="024", coverages=[])).rows.values())
    assert [one["status"] for one in coverages(keeping)] == ["active", "cancelled"]
    assert keeping.said(cin(1)) is not None


def test_a_termination_of_somebody_who_never_was_added_waits(tmp_path: Path) -> None:
    """C20."""
    keeping = kept(tmp_path, member(1, maintenance="024"))
    with pytest.raises(Waiting, match="before it was added"):
        keeping.said(cin(1))
    keeping.take(
        row for row in kept(tmp_path, member(1, maintenance="021")).rows.values() if row.kind == "enrolled"
    )
    assert keeping.said(cin(1)) is not None


def test_whom_a_full_file_no_longer_names_has_no_open_coverage(tmp_path: Path) -> None:
    keeping = kept(tmp_path, member(1, coverages=[coverage(end="")]))
    (row,) = (row for row in keeping.rows.values() if row.kind == "member")
    keeping.take([Row(row.kind, row.key, row.subject, row.values, row.line, row.stage, deleted=True)])
    assert [one["status"] for one in coverages(keeping)] == ["cancelled"]
    assert keeping.said(cin(1)) is not None


def test_a_member_of_another_shape_has_coverages_by_their_maintenance_code(tmp_path: Path) -> None:
    loops = [["HD*021**HLT*MEDI-CAL", "DTP*348*D8*20261101"], ["HD*024**HLT*OTHER", "DTP*348*D8*20261101"]]
    found = coverages(kept(tmp_path, member(1, coverages=loops)))
    assert [(one["type"], one["status"]) for one in found] == [
        ({"text": "MEDI-CAL"}, "active"),
        ({"text": "OTHER"}, "cancelled"),
    ]


def test_the_members_of_a_file_make_no_claim_about_anybody_else(tmp_path: Path) -> None:
    keeping = kept(tmp_path, member(1))
    assert [x12_834.about(subject) for subject in keeping.subjects()] == [None, None]
    assert len(became(read(tmp_path, file_834(body([member(1)])), FEED))) == 2
