"""The shipped tables of the R4 definitions: complete, sorted, plain, and built the same way each time."""

import csv
import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from conformance.definitions import build, parameters
from conformance.definitions.package import Package, WrongPackage
from conformance.definitions.primitives import PRIMITIVES

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("hub/search/r4_parameters.csv", "hub/fhir/r4_types.csv", "hub/fhir/compartment_patient.csv")


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((ROOT / path).read_text("utf-8"))))


@pytest.mark.parametrize("path", TABLES)
def test_a_table_is_sorted_plain_text_with_line_feeds(path: str) -> None:
    body = (ROOT / path).read_bytes()
    assert b"\r" not in body
    assert body.endswith(b"\n")
    keys = [tuple(row.values()) for row in rows(path)]
    assert keys == sorted(keys)


def test_a_code_stands_once_for_each_base() -> None:
    keys = [(row["base"], row["code"]) for row in rows(TABLES[0])]
    assert len(keys) == len(set(keys)) == 1718


def test_the_parameters_of_every_resource_are_there() -> None:
    codes = {row["code"] for row in rows(TABLES[0]) if row["base"] == "Resource"}
    assert codes == {
        "_content", "_filter", "_id", "_lastUpdated", "_profile", "_query", "_security", "_source", "_tag",
    }  # fmt: skip
    assert [row["code"] for row in rows(TABLES[0]) if row["base"] == "DomainResource"] == ["_text"]


def test_an_expression_is_cut_to_the_branches_of_its_base() -> None:
    found = {(row["base"], row["code"]): row for row in rows(TABLES[0])}
    assert found["Observation", "code"]["expression"] == "Observation.code"
    allergy = "AllergyIntolerance.code | AllergyIntolerance.reaction.substance"
    assert found["AllergyIntolerance", "code"]["expression"] == allergy
    assert found["Patient", "phone"]["expression"] == "Patient.telecom.where(system='phone')"
    assert found["InsurancePlan", "name"]["expression"] == "InsurancePlan.name | InsurancePlan.alias"
    for row in found.values():
        for branch in filter(None, row["expression"].split(" | ")):
            assert re.match(rf"\(*{row['base']}\b", branch), row["code"]


def test_targets_are_types_or_resource_for_every_type() -> None:
    types = {row["type"] for row in rows(TABLES[1])}
    found = {(row["base"], row["code"]): row["targets"] for row in rows(TABLES[0])}
    assert found["Observation", "patient"] == "Group Patient"
    assert found["Provenance", "target"] == "Resource"
    assert {target for targets in found.values() for target in targets.split()} <= types | {"Resource"}


def test_a_composite_names_its_components() -> None:
    found = {(row["base"], row["code"]): row for row in rows(TABLES[0]) if row["type"] == "composite"}
    assert len(found) == 72
    assert found["Observation", "code-value-quantity"]["components"] == ("token:code; quantity:value.as(Quantity)")


def test_the_patient_compartment_names_parameters_that_exist() -> None:
    known = {(row["base"], row["code"]) for row in rows(TABLES[0])}
    compartment = {(row["type"], row["parameter"]) for row in rows(TABLES[2])}
    assert ("Observation", "subject") in compartment
    assert compartment <= known


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_an_expression_of_a_primitive_is_anchored_so_that_nothing_hides_around_it(name: str) -> None:
    pattern = PRIMITIVES[name].get("pattern", "^$")
    assert pattern.startswith("^(?:") or pattern == "^$"
    assert pattern.endswith("$")


def packed(tmp_path: Path, files: dict[str, object]) -> Path:
    path = tmp_path / "small.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            body = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return path


def test_a_package_for_another_version_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path, {"package.json": {"name": "x", "fhirVersions": ["4.3.0"]}})
    with pytest.raises(WrongPackage):
        Package(path, "4.0.1")


def test_examples_and_parameters_without_a_base_are_left_out(tmp_path: Path) -> None:
    prefix = "http://hl7.org/fhir/SearchParameter/"
    kept = {
        "url": f"{prefix}a",
        "code": "a",
        "type": "token",
        "base": ["Patient", "Group"],
        "expression": "Group.a | Patient.a",
    }
    files = {
        "package.json": {"fhirVersions": ["4.0.1"]},
        "SearchParameter-a.json": kept,
        "SearchParameter-b.json": {**kept, "url": f"{prefix}example"},
        "SearchParameter-c.json": {"url": f"{prefix}c", "code": "c", "type": "token"},
        "Patient-x.json": {},
    }
    found = parameters.rows(Package(packed(tmp_path, files), "4.0.1"))
    assert [row[:4] for row in found] == [
        ("Group", "a", "token", "Group.a"),
        ("Patient", "a", "token", "Patient.a"),
    ]


def test_building_again_gives_the_shipped_bytes() -> None:
    path = Path("/tmp/exp/hl7.fhir.r4.examples-4.0.1.tgz")
    if not path.exists():
        pytest.skip(f"no {path}: npm pack hl7.fhir.r4.examples@4.0.1")
    built = build.tables(Package(path, build.FHIR_VERSION))
    assert {name: content == (ROOT / name).read_bytes() for name, content in built.items()} == dict.fromkeys(
        built, True
    )


def test_parameters_whose_tokens_never_have_a_system_are_told() -> None:
    found = {(row["base"], row["code"]): row["systems"] for row in rows(TABLES[0]) if row["type"] == "token"}
    never = ["gender", "active", "phone", "telecom", "deceased", "address-use"]
    assert {found["Patient", code] for code in never} == {"never"}
    assert {found[base, "status"] for base in ("Task", "ServiceRequest", "Observation")} == {"never"}
    may = [("Patient", "identifier"), ("Patient", "language"), ("Observation", "code"), ("Resource", "_tag")]
    assert {found[one] for one in [*may, ("Resource", "_security"), ("Device", "din")]} == {""}
    assert {row["systems"] for row in rows(TABLES[0]) if row["type"] != "token"} == {""}
