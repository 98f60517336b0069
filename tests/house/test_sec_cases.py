"""docs/sec-cases.csv is whole and true: each known failure of others has tests here that are there, or a reason."""

import csv
from pathlib import Path

from tests.house.test_requirements_are_traced import lost

TABLE = Path(__file__).parents[2] / "docs" / "sec-cases.csv"


def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_case_has_tests_or_a_reason() -> None:
    assert [row["id"] for row in rows()] == [f"SEC-{number:02}" for number in range(1, 57)]
    assert [row["id"] for row in rows() if not (row["tests"] or row["open"]) or not row["what"]] == []


def test_the_tests_it_names_are_there() -> None:
    assert lost(node for row in rows() for node in row["tests"].split()) == []
