"""What 834 and 837 files become holds US Core 6.1.0, where its package is at hand."""

from functools import cache
from pathlib import Path

import pytest

from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from hub.feeds.records import Resource
from hub.fhir.systems import US_CORE
from tests.adapters.plan.made_834 import body, cin, coverage, member
from tests.adapters.plan.made_837 import body as claims
from tests.adapters.plan.made_837 import claim, institutional, professional, revenue
from tests.adapters.plan.x12_world import Keeping, feed, read
from tests.adapters.x12.made import file_834, file_837

PACKAGE = Path("/work/shared/packages/hl7.fhir.us.core-6.1.0.tgz")
PROFILES = {"Condition": "condition-encounter-diagnosis"}
PEOPLE = (
    member(1, coverages=[coverage(share="120"), coverage("957;01", end="")]),
    member(2, DMG="", LUI="", PER="", N3="", N4=""),
    member(3, DMG="DMG*D8*19600101*M**:RET:2036-2^:RET:2135-2", REF_F6="REF*F6*1EG4TE5MK73"),
)
VISITS = (
    claim(lines=[professional("H2016:GQ:U6"), professional()]),
    institutional("11:A:1", lines=[revenue("0120"), revenue("0450", "99284")], more=["HI*BBR:0DTJ4ZZ:D8:20261102"]),
    claim("GONE", "11:B:8"),
)


@cache
def us_core() -> Validator:
    catalog = Catalog.of_files([PACKAGE])
    return Validator(catalog, LibraryCodes(library(catalog)))


def faults(resource: Resource) -> list[object]:
    kind = resource["resourceType"]
    found = us_core().validate(resource, f"{US_CORE}us-core-{PROFILES.get(kind, kind.lower())}")
    return [issue for issue in found if issue.severity == "error" and "conditional" not in issue.message.lower()]


@pytest.mark.skipif(not PACKAGE.exists(), reason="US Core's package is not at hand: only R4 was validated")
def test_members_coverages_and_the_plan_hold_us_core(tmp_path: Path) -> None:
    keeping = Keeping(feed(validate="envelope"))
    keeping.take(read(tmp_path, file_834(body(PEOPLE)), keeping.feed).rows)
    patients = [said.patient for number in (1, 2, 3) if (said := keeping.said(cin(number)))]
    made = [*patients, *keeping.resources()]
    assert {one["resourceType"] for one in made} == {"Patient", "Coverage", "Organization"}
    assert [(one["resourceType"], fault) for one in made for fault in faults(one)] == []


@pytest.mark.skipif(not PACKAGE.exists(), reason="US Core's package is not at hand: only R4 was validated")
def test_visits_diagnoses_and_services_hold_us_core(tmp_path: Path) -> None:
    keeping = Keeping(feed("plan-837", validate="envelope"))
    keeping.take(read(tmp_path, file_837(claims(*VISITS)), keeping.feed).rows)
    made = keeping.resources()
    assert {one["resourceType"] for one in made} == {"Encounter", "Condition", "Procedure"}
    assert [(one["resourceType"], fault) for one in made for fault in faults(one)] == []
