"""docs/threat-model.md: every boundary has a row for each letter of STRIDE, every row a test that is there, or it
says what remains."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.test_requirements_are_traced import lost

PAGE = Path(__file__).parents[2] / "docs" / "threat-model.md"
BOUNDARIES = "①②③④⑤⑥⑦"
_TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")


def boundaries() -> Iterator[tuple[str, list[list[str]]]]:
    """Heading, and the rows of its table: letter, threat, what the hub does, tests, what remains."""
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
        if section[0] in BOUNDARIES:
            yield section.splitlines()[0], rows


def test_every_boundary_is_looked_at_in_all_six_ways() -> None:
    found = dict(boundaries())
    assert [heading[0] for heading in found] == list(BOUNDARIES)
    assert {heading: set("STRIDE") - {row[0] for row in rows} for heading, rows in found.items()} == {
        heading: set() for heading in found
    }


def test_every_threat_has_a_test_or_says_what_remains() -> None:
    rows = [row for _, rows in boundaries() for row in rows]
    assert len(rows) > 40
    assert [row for row in rows if len(row) != 5 or not row[1]] == []
    assert [row for row in rows if not _TEST.findall(row[3]) and (row[3], bool(row[4])) != ("-", True)] == []


def test_the_tests_it_names_are_there() -> None:
    named = [node for _, rows in boundaries() for row in rows for node in _TEST.findall(row[3])]
    assert len(set(named)) > 60
    assert lost(named) == []
