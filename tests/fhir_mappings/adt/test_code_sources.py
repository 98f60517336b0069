"""The shipped code tables say where their rows come from; where the published packages are, that is compared."""

import csv
import re

import pytest

from fhir_mappings.adt.codes import SHIPPED
from tests.fhir_mappings.adt import derived_tables

CITED = re.compile(r"v2-to-FHIR 1\.0\.0 table map (\d{4}) to ([A-Za-z0-9-]+)")
ROWS = [
    (path.stem, row)
    for path in sorted(SHIPPED.glob("*.csv"))
    for row in csv.DictReader(path.open(encoding="utf-8", newline=""))
]
packages = pytest.mark.skipif(
    not (derived_tables.MAPS.exists() and derived_tables.CORE.exists()),
    reason=f"the published packages are not in {derived_tables.PACKAGES}",
)


def test_every_row_says_where_it_comes_from() -> None:
    assert [(table, row["code"]) for table, row in ROWS if not row["source"].strip()] == []


@packages
def test_the_derived_tables_are_what_the_packages_say() -> None:
    for table, rows in derived_tables.derived():
        shipped = [tuple(row.values()) for name, row in ROWS if name == table]
        assert shipped == list(rows), table


@packages
def test_a_row_that_cites_a_concept_map_says_what_the_map_says() -> None:
    maps: dict[str, set[tuple[str, str]]] = {}
    wrong = []
    for table, row in ROWS:
        cited = CITED.search(row["source"])
        if cited is None:
            continue
        name = f"table-hl7{cited[1]}-to-{cited[2].lower()}"
        if name not in maps:
            maps[name] = {(code, target) for code, _, target, _ in derived_tables.pairs(name)}
        if (row["code"], row["target"]) not in maps[name]:
            wrong.append((table, row["code"], row["target"]))
    assert maps
    assert wrong == []
