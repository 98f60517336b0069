"""The rows of the code tables that follow from published packages, and the ConceptMap pairs that rows cite.

    python -m tests.fhir_mappings.adt.derived_tables

writes the derived tables anew. The project ships the CSV files and never needs the packages; test_code_sources.py
compares them where the packages are there. Tables that are not here are kept by hand, a row a reason.
"""

import csv
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fhir_mappings.adt.codes import COLUMNS, SHIPPED

PACKAGES = Path("/work/shared/packages")
MAPS = PACKAGES / "BUILT-hl7.fhir.uv.v2mappings-1.0.0.tgz"
CORE = PACKAGES / "hl7.fhir.r4.core-4.0.1.tgz"
CANONICAL = "http://hl7.org/fhir/uv/v2mappings/ConceptMap/"
CDC = "urn:oid:2.16.840.1.113883.6.238"
CDC_CODES = "CDC race and ethnicity codes (R4 v3-Race, v3-Ethnicity)"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

Rows = list[tuple[str, str, str, str, str]]
# systems of codes that stand in elements of type `code`, which have no system
PLAIN = ("http://hl7.org/fhir/",)

# table file -> ConceptMap
DERIVED = {
    "0092": "table-hl70092-to-v2-0092",
    "0127-category": "table-hl70127-to-allergy-intolerance-category",
    "0127-type": "table-hl70127-to-allergy-intolerance-type",
    "0128-criticality": "table-hl70128-to-allergy-intolerance-criticality",
    "0128-severity": "table-hl70128-to-reaction-event-severity",
    "0217": "table-hl70217-to-v3-actpriority",
    "0052": "table-hl70052-to-diagnosis-role",
    "0069": "table-hl70069-to-service-type",
    "0443": "table-hl70443-to-v3-participationtype",
}
ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
GUARDED = "override: a code that hub/rights/label_codes.csv guards, where words would not be"
GENERAL = (
    "override: a general practitioner of the person (Patient.generalPractitioner), no participant of the visit"
)
INTERPRETER = "override: the map's SNOMED CT code is no participation type; an interpreter is not written"
OVERRIDES: dict[str, Rows] = {
    "0052": [
        ("F", ROLE, "DD", "Discharge diagnosis", "override: the final diagnosis of a stay is its discharge one")
    ],
    "0069": [
        ("PSY", ACT_CODE, "PSYCH", "psychiatric", GUARDED),
        ("PSYCH", ACT_CODE, "PSYCH", "psychiatric", GUARDED),
    ],
    "0443": [("PP", "", "", "", GENERAL), ("PI", "", "", "", INTERPRETER)],
}


def read(package: Path, name: str) -> Any:
    with tarfile.open(package) as archive:
        found = archive.extractfile(f"package/{name}.json")
        assert found is not None
        return json.load(found)


def pairs(concept_map: str) -> Iterator[tuple[str, str, str, str]]:
    """(code, system, target, display) of each row of a ConceptMap; the target is empty where FHIR has none."""
    for group in read(MAPS, f"ConceptMap-{concept_map}")["group"]:
        system = group.get("target", "")
        for element in group["element"]:
            for target in element.get("target", [{}]):
                code = target.get("code", "")
                plain = system.startswith(PLAIN) or not code
                display = target.get("display", "") if not plain else ""
                yield element["code"], "" if plain else system, code, display


def derived() -> Iterator[tuple[str, Rows]]:
    for table, concept_map in DERIVED.items():
        overrides = OVERRIDES.get(table, [])
        changed = {row[0] for row in overrides}
        rows = [(*pair, CANONICAL + concept_map) for pair in pairs(concept_map) if pair[0] not in changed]
        yield table, rows + overrides
    yield "0005", [*race(), *unknown("ASKU", "UNK")]
    yield "0189", [*ethnicity(), *unknown("ASKU", "UNK"), ("U", NULL_FLAVOR, "UNK", "unknown", "HL7 table 0189")]


def race() -> Iterator[tuple[str, str, str, str, str]]:
    """Each code with the OMB category over it, which comes first."""
    for top in read(CORE, "CodeSystem-v3-Race")["concept"]:
        yield from _below(top, [] if top["code"] == "2131-1" else [top])


def ethnicity() -> Iterator[tuple[str, str, str, str, str]]:
    for top in read(CORE, "CodeSystem-v3-Ethnicity")["concept"]:
        yield from _below(top, [top])
    for letter, code, display in (("H", "2135-2", "Hispanic or Latino"), ("N", "2186-5", "Not Hispanic or Latino")):
        yield letter, CDC, code, display, "HL7 table 0189"


def _below(concept: Any, category: list[Any]) -> Iterator[tuple[str, str, str, str, str]]:
    for target in {each["code"]: each for each in (*category, concept)}.values():
        yield concept["code"], CDC, target["code"], target["display"], CDC_CODES
    for child in concept.get("concept", ()):
        yield from _below(child, category)


def unknown(*codes: str) -> Iterable[tuple[str, str, str, str, str]]:
    displays = {"ASKU": "asked but unknown", "UNK": "unknown"}
    return [(code, NULL_FLAVOR, code, displays[code], "US Core 6.1.0 OMB categories") for code in codes]


def main() -> None:
    for table, rows in derived():
        with (SHIPPED / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
        sys.stdout.write(f"{table}: {len(rows)} rows\n")


if __name__ == "__main__":
    main()
