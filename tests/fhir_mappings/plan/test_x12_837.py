"""What claims say becomes Encounters, Conditions and Procedures (docs/plan-837.md)."""

import csv
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.plan import x12_837, x12_tables
from hub.feeds.records import Resource
from hub.fhir.systems import COMMUNITY_SUPPORT
from tests.adapters.plan.made_834 import cin
from tests.adapters.plan.made_837 import DOCTOR, NPI, body, claim, institutional, professional, revenue
from tests.adapters.plan.x12_world import PATIENT, SYSTEM, Keeping, feed, of_type, read
from tests.adapters.x12.made import file_837

FEED = feed("plan-837", validate="envelope")
MAP = Path(__file__).parents[3] / "conformance" / "terminology" / "calaim" / "maps" / "community-support-hcpcs.csv"
EARLIER, LATER, LAST = "20261105*0815", "20261106*0815", "20261107*0815"


def kept(tmp_path: Path, *tellings: list[str], options: dict[str, Any] | None = None) -> Keeping:
    """Each telling a file of its own."""
    of = feed("plan-837", validate="envelope", **(options or {}))
    keeping = Keeping(of)
    for telling in tellings:
        keeping.take(read(tmp_path, file_837(telling), of).rows)
    return keeping


def became(tmp_path: Path, *claims: list[str]) -> list[Resource]:
    return kept(tmp_path, body(*claims)).resources()


def encounter(tmp_path: Path, segments: list[str]) -> Any:
    (found,) = of_type(became(tmp_path, segments), "Encounter")
    return found


def kind(tmp_path: Path, segments: list[str]) -> tuple[str, str]:
    found = encounter(tmp_path, segments)
    return found["type"][0]["coding"][0]["code"], found["class"]["code"]


def statuses(resources: list[Resource]) -> dict[str, str]:
    """Code -> status of Conditions and Procedures, and of the Encounter."""
    (visit,) = of_type(resources, "Encounter")
    found = {"Encounter": visit["status"]}
    for one in of_type(resources, "Procedure"):
        found[one["code"]["coding"][0]["code"]] = one["status"]
    for one in of_type(resources, "Condition"):
        in_error = "verificationStatus" in one
        found[one["code"]["coding"][0]["code"]] = "entered-in-error" if in_error else "stands"
    return found


def at(node: Any, path: str) -> Any:
    for part in path.split("."):
        node = node[int(part)] if part.isdigit() else node.get(part)
        if node is None:
            return None
    return node


@pytest.mark.parametrize(
    ("segments", "path", "value"),
    [
        (claim(), "status", "finished"),
        (claim(), "identifier.0.system", f"{SYSTEM}/encounter"),
        (claim(), "identifier.1", {"system": f"{SYSTEM}/claim", "value": "CLAIM1"}),
        (claim(), "subject.reference", PATIENT),
        (claim(), "period", {"start": "2026-11-03", "end": "2026-11-03"}),
        (claim(), "type.1.coding.0.code", "11"),
        (claim(), "serviceProvider.identifier.value", NPI),
        (claim(), "participant.0.individual.identifier.value", DOCTOR),
        (claim(), "participant.0.type.0.coding.0.code", "PPRF"),
        (claim(), "diagnosis.1.rank", 2),
        (claim(), "extension.0.valueBoolean", False),
        (claim(more=["AMT*D*10"]), "extension.0.valueBoolean", True),
        (institutional("11:A:1"), "type.1.coding.0.code", "111"),
        (institutional("11:A:1", lines=[revenue("0120")]), "type.2.coding.0.code", "0120"),
        (institutional("11:A:1"), "period", {"start": "2026-11-01", "end": "2026-11-04"}),
        (institutional("11:A:1"), "priority.coding.0.code", "1"),
        (institutional("11:A:1"), "hospitalization.admitSource.coding.0.code", "7"),
        (institutional("11:A:1"), "hospitalization.dischargeDisposition.coding.0.code", "01"),
        (institutional("11:A:1"), "participant.0.type.0.coding.0.code", "ATND"),
        (institutional("11:A:2", cl1="1*7*30"), "status", "in-progress"),
        (institutional("11:A:2", cl1="1*7*30"), "period.end", None),
        (institutional("11:A:1", days="20261030-20261031"), "period", {"start": "2026-10-30", "end": "2026-10-31"}),
    ],
)
def test_a_fact_of_a_claim_becomes_its_element(tmp_path: Path, segments: list[str], path: str, value: Any) -> None:
    assert at(encounter(tmp_path, segments), path) == value


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (institutional("11:A:1"), ("inpatient-stay", "IMP")),
        (institutional("12:A:1"), ("inpatient-stay", "IMP")),
        (institutional("41:A:1"), ("inpatient-stay", "IMP")),
        (institutional("13:A:1", lines=[revenue("0120")]), ("inpatient-stay", "IMP")),
        (institutional("13:A:1", lines=[revenue("1001")]), ("inpatient-stay", "IMP")),
        (institutional("11:A:1", lines=[revenue("0450", "99285")]), ("inpatient-stay", "IMP")),
        (institutional("13:A:1", lines=[revenue("0450")]), ("emergency-visit", "EMER")),
        (institutional("85:A:1", lines=[revenue("0459")]), ("emergency-visit", "EMER")),
        (institutional("13:A:1", lines=[revenue("0981")]), ("emergency-visit", "EMER")),
        (institutional("14:A:1", lines=[revenue("0450")]), ("ambulatory-visit", "AMB")),
        (claim(place="23:B:1", lines=[professional("99284")]), ("emergency-visit", "EMER")),
        (institutional("13:A:1", lines=[revenue("0762")]), ("observation", "OBSENC")),
        (institutional("13:A:1", lines=[revenue("0450"), revenue("0762")]), ("emergency-visit", "EMER")),
        (institutional("13:A:1", lines=[revenue("0301")]), ("ambulatory-visit", "AMB")),
        (institutional("21:A:1", lines=[revenue("0120")]), ("snf-stay", "IMP")),
        (institutional("22:A:1"), ("snf-stay", "IMP")),
        (claim(place="12:B:1"), ("home-visit", "HH")),
        (claim(place="02:B:1"), ("telehealth-visit", "VR")),
        (claim(), ("ambulatory-visit", "AMB")),
    ],
)
def test_a_visit_is_of_the_kind_that_its_bill_says(
    tmp_path: Path, segments: list[str], expected: tuple[str, str]
) -> None:
    assert kind(tmp_path, segments) == expected


def test_a_deployment_may_change_what_is_a_visit_of_a_kind(tmp_path: Path) -> None:
    shipped = (x12_tables.SHIPPED / "x12_visit_kind.csv").read_text().splitlines()
    own = [shipped[0], "5,urgent-care,Urgent care,AMB,,,,20,t"]
    (tmp_path / "x12_visit_kind.csv").write_text("\n".join(own))
    keeping = kept(tmp_path, body(claim(place="20:B:1")), options={"tables": str(tmp_path)})
    (found,) = of_type(keeping.resources(), "Encounter")
    assert found["type"][0]["coding"][0]["code"] == "urgent-care"


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("H2016:U6", [(COMMUNITY_SUPPORT, "housing-transition-navigation")]),
        ("H2016:GQ:95:KX:U6", [(COMMUNITY_SUPPORT, "housing-transition-navigation")]),
        ("H0044:U2", [(COMMUNITY_SUPPORT, "housing-deposits")]),
        ("H0044:U3", [(COMMUNITY_SUPPORT, "short-term-post-hospitalization-housing")]),
        ("H0044:U6", [(COMMUNITY_SUPPORT, "transitional-rent")]),
        ("S5165:U5", [(COMMUNITY_SUPPORT, "asthma-remediation")]),
        ("G9008:U1", [(COMMUNITY_SUPPORT.replace("community-support", "calaim-service"), "ecm-service")]),
        ("G9012:GQ:U8", [(COMMUNITY_SUPPORT.replace("community-support", "calaim-service"), "ecm-outreach")]),
        ("T1016:U8:GQ", [(COMMUNITY_SUPPORT.replace("community-support", "calaim-service"), "housing-outreach")]),
        ("H0044", []),
        ("H0044:GQ", []),
        ("H0043:U3:U6", []),  # two services: a person must look
        ("99213:U6", []),
    ],
)
def test_code_and_modifier_name_the_calaim_service(tmp_path: Path, service: str, expected: Any) -> None:
    (found,) = of_type(became(tmp_path, claim(lines=[professional(service)])), "Procedure")
    assert [(one["system"], one["code"]) for one in found["code"]["coding"][1:]] == expected
    assert len(found.get("extension", [])) == len(service.split(":")) - 1


def test_the_table_of_services_has_all_community_supports_of_the_hubs_terminology() -> None:
    with MAP.open(encoding="utf-8", newline="") as lines:
        expected = {(row["community_support"], row["hcpcs"], row["modifier"]) for row in csv.DictReader(lines)}
    rows = [row for found in x12_tables.rows(FEED, "x12_services").values() for row in found]
    mine = {(row["service"], row["hcpcs"], row["modifier"]) for row in rows if row["system"] == "community-support"}
    assert mine == expected


@pytest.mark.parametrize(
    ("told", "system", "code"),
    [
        ("HI*ABK:E119", "http://hl7.org/fhir/sid/icd-10-cm", "E11.9"),
        ("HI*ABK:I10", "http://hl7.org/fhir/sid/icd-10-cm", "I10"),
        ("HI*ABK:F1120", "http://hl7.org/fhir/sid/icd-10-cm", "F11.20"),
        ("HI*BK:25000", "http://hl7.org/fhir/sid/icd-9-cm", "250.00"),
        ("HI*BK:E8809", "http://hl7.org/fhir/sid/icd-9-cm", "E880.9"),
    ],
)
def test_a_diagnosis_is_a_condition_of_its_visit(tmp_path: Path, told: str, system: str, code: str) -> None:
    resources = became(tmp_path, claim(diagnoses=told))
    (found,) = of_type(resources, "Condition")
    (visit,) = of_type(resources, "Encounter")
    own = found["identifier"][0]
    assert found["code"]["coding"] == [{"system": system, "code": code}]
    reference = {"reference": f"Condition?identifier={own['system']}|{own['value']}"}
    assert visit["diagnosis"][0]["condition"] == reference
    assert of_type(resources, "Procedure")[0]["reasonReference"] == [reference]


@pytest.mark.parametrize(("use", "role"), [("ABK", "billing"), ("ABF", "billing"), ("ABJ", "AD"), ("APR", "CC")])
def test_the_qualifier_says_what_the_diagnosis_is_for(tmp_path: Path, use: str, role: str) -> None:
    found = encounter(tmp_path, claim(diagnoses=f"HI*{use}:E119"))
    assert found["diagnosis"][0]["use"]["coding"][0]["code"] == role


def test_a_line_with_a_code_is_a_procedure_and_a_line_without_is_none(tmp_path: Path) -> None:
    stay = institutional("13:A:1", lines=[revenue("0301"), revenue("0450", "99284")])
    (found,) = of_type(became(tmp_path, stay), "Procedure")
    assert found["code"]["coding"] == [{"system": "http://www.ama-assn.org/go/cpt", "code": "99284"}]
    assert found["performedPeriod"] == {"start": "2026-11-01", "end": "2026-11-01"}


def test_an_operation_is_a_procedure(tmp_path: Path) -> None:
    (found,) = of_type(became(tmp_path, institutional("11:A:1", more=["HI*BBR:0DTJ4ZZ:D8:20261102"])), "Procedure")
    assert found["code"]["coding"][0]["code"] == "0DTJ4ZZ"
    assert found["performedDateTime"] == "2026-11-02"


def test_a_replacement_says_what_counts_and_takes_back_the_rest(tmp_path: Path) -> None:
    first = claim(lines=[professional("99213"), professional("H0043:U6")], diagnoses="HI*ABK:E119*ABF:I10")
    second = claim("CLAIM1", "11:B:7", lines=[professional("99214")], diagnoses="HI*ABK:E119")
    found = statuses(kept(tmp_path, body(first, said=EARLIER), body(second, said=LATER)).resources())
    assert found == {
        "Encounter": "finished",
        "99214": "completed",
        "99213": "entered-in-error",
        "H0043": "entered-in-error",
        "E11.9": "stands",
        "I10": "entered-in-error",
    }


def test_the_order_in_which_tellings_come_does_not_matter(tmp_path: Path) -> None:
    tellings = [
        body(claim(), said=EARLIER),
        body(claim("CLAIM1", "11:B:7", lines=[professional("99214")]), said=LATER),
        body(claim("CLAIM1", "11:B:8"), said=LAST),
    ]
    one, other = kept(tmp_path, *tellings), kept(tmp_path, *reversed(tellings))
    assert one.resources() == other.resources()
    assert set(statuses(one.resources()).values()) == {"entered-in-error"}


def test_a_void_takes_back_everything(tmp_path: Path) -> None:
    keeping = kept(tmp_path, body(claim(), said=EARLIER), body(claim("CLAIM1", "11:B:8"), said=LATER))
    assert set(statuses(keeping.resources()).values()) == {"entered-in-error"}
    (visit,) = of_type(keeping.resources(), "Encounter")
    assert "diagnosis" not in visit


def test_a_claim_that_is_told_again_after_its_void_stands(tmp_path: Path) -> None:
    keeping = kept(
        tmp_path,
        body(claim(), said=EARLIER),
        body(claim("CLAIM1", "11:B:8"), said=LATER),
        body(claim(), said=LAST),
    )
    assert statuses(keeping.resources())["Encounter"] == "finished"


@pytest.mark.parametrize("frequency", ["7", "8"])
def test_a_replacement_or_void_under_a_new_number_takes_back_the_old_one(tmp_path: Path, frequency: str) -> None:
    new = claim("NEW", f"11:B:{frequency}", more=["REF*F8*CLAIM1"])
    keeping = kept(tmp_path, body(claim(), said=EARLIER), body(new, said=LATER))
    found = {one["identifier"][1]["value"]: one["status"] for one in of_type(keeping.resources(), "Encounter")}
    assert found == {"CLAIM1": "entered-in-error"} | ({"NEW": "finished"} if frequency == "7" else {})


def test_a_void_of_a_claim_that_nobody_told_is_nothing_and_about_nobody(tmp_path: Path) -> None:
    keeping = kept(tmp_path, body(claim("NEW", "11:B:8", more=["REF*F8*CLAIM1"])))
    assert keeping.resources() == []
    assert [x12_837.about(subject) for subject in keeping.subjects()] == [None, None]


def test_a_claim_is_about_its_subscriber_and_brings_nobody(tmp_path: Path) -> None:
    (subject,) = kept(tmp_path, body(claim())).subjects()
    assert x12_837.about(subject) == cin(1)
    assert x12_837.said(subject) is None


def test_no_two_resources_of_a_claim_have_one_identifier(tmp_path: Path) -> None:
    lines = [professional("99213"), professional("99213"), professional("99213:25")]
    found = became(tmp_path, claim(lines=lines, diagnoses="HI*ABK:E119*ABJ:E119"))
    keys = [(one["resourceType"], one["identifier"][0]["value"]) for one in found]
    assert len(keys) == len(set(keys)) == 5


def test_the_codes_of_the_shipped_tables_are_in_the_hubs_terminology() -> None:
    codes = MAP.parents[1] / "codes"
    for table, code, system in (
        ("x12_visit_kind", "kind", "claim-visit-kind"),
        ("x12_services", "service", "calaim-service"),
    ):
        with (codes / f"{system}.csv").open(encoding="utf-8", newline="") as lines:
            published = {row["code"]: row["display"] for row in csv.DictReader(lines)}
        rows = [row for found in x12_tables.rows(FEED, table).values() for row in found]
        mine = {row[code]: row["display"] for row in rows if row.get("system", system) == system}
        assert mine == published
