"""docs/requirements.csv and docs/bad-input.csv are whole and true: each row has tests that are there, or a reason.

Where the guides' requirements and the catalogue of bad input lie beside the project, no id of theirs is missing.
"""

import ast
import csv
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path("/work/shared")
REQUIREMENTS = SHARED / "requirements"
CATALOGUE = SHARED / "bad-input.md"
STATES = ("tested", "not tested", "not applicable", "later issue")
VERBS = ("SHALL", "SHALL NOT", "SHOULD", "SHOULD NOT", "MAY")
GUIDES = {
    "us-core": "us_core_test_kit_requirements.csv",
    "g10": "onc_certification_g10_test_kit_requirements.csv",
    "smart": "smart_app_launch_test_kit_requirements.csv",
    "bulk": "bulk_data_test_kit_requirements.csv",
    "subscriptions": "subscriptions_test_kit_requirements.csv",
}
ROWS_OF_THE_HUB = "HJXSBTVC"
Row = dict[str, str]


def table(name: str, folder: Path = ROOT / "docs") -> list[Row]:
    with (folder / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@cache
def named_in(path: str) -> frozenset[str]:
    """The names of the tests of a file, without running it."""
    if not (ROOT / path).is_file():
        return frozenset()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def lost(nodes: Iterable[str]) -> list[str]:
    """The node ids that lead to no test."""
    split = [(node, *node.partition("::")[::2]) for node in nodes]
    return [node for node, path, name in split if not name.startswith("test_") or name not in named_in(path)]


def test_every_requirement_has_a_state_and_tests_or_a_reason() -> None:
    for row in table("requirements.csv"):
        assert row["status"] in STATES, row
        assert row["verb"] in VERBS, row
        assert row["requirement"], row
        assert row["test or reason"], row
        if row["status"] != "tested":
            assert "::" not in row["test or reason"], row


def test_every_test_that_the_requirements_name_is_there() -> None:
    tested = [row for row in table("requirements.csv") if row["status"] == "tested"]
    assert len(tested) > 200
    assert lost(node for row in tested for node in row["test or reason"].split()) == []


def test_no_requirement_stands_there_twice() -> None:
    seen = [
        (row["guide"], row["id"], version)
        for row in table("requirements.csv")
        for version in row["versions"].split()
    ]
    assert len(seen) == len(set(seen))


def test_every_row_of_bad_input_has_tests_or_a_reason() -> None:
    rows = table("bad-input.csv")
    assert len({row["row"] for row in rows}) == len(rows) > 90
    for row in rows:
        assert row["answer"] if row["tests"] else row["deviation"], row
    assert lost(node for row in rows for node in row["tests"].split()) == []


def test_the_tests_of_a_bad_input_name_its_row() -> None:
    for row in table("bad-input.csv"):
        files = {node.partition("::")[0] for node in row["tests"].split()}
        texts = [(ROOT / name).read_text(encoding="utf-8") for name in files]
        name = re.compile(rf"(?<![a-z0-9]){row['row']}(?![0-9])", re.IGNORECASE)
        assert all(name.search(text) for text in texts), row


def asked(file: str) -> list[Row]:
    """The requirements of servers in a guide's table, with the versions as they are written here."""
    rows = [row for row in table(file, REQUIREMENTS) if "server" in row["Actors"].lower()]
    return [row for row in rows if row["Conformance"] in VERBS]


def version(row: Row) -> str:
    return found[0] if (found := re.findall(r"\d+\.\d+\.\d+$", row["Req Set"])) else "1"


@pytest.mark.skipif(not REQUIREMENTS.is_dir(), reason="the folder with the guides' requirements is not here")
@pytest.mark.parametrize("guide", GUIDES)
def test_no_requirement_of_a_guide_is_missing(guide: str) -> None:
    wanted = {(row["ID"], version(row), row["Conformance"]) for row in asked(GUIDES[guide])}
    held = {
        (row["id"], each, row["verb"])
        for row in table("requirements.csv")
        if row["guide"] == guide
        for each in row["versions"].split()
    }
    assert wanted - held == set(), "missing"
    assert held - wanted == set(), "not asked for"


@pytest.mark.skipif(not REQUIREMENTS.is_dir(), reason="the folder with the guides' requirements is not here")
def test_requirements_are_told_in_our_own_words() -> None:
    theirs = " ".join(row["Requirement"] for file in GUIDES.values() for row in asked(file)).lower()
    copied = [row for row in table("requirements.csv") if len(row["requirement"].split()) > 4]
    assert [row["id"] for row in copied if row["requirement"].lower() in theirs] == []


@pytest.mark.skipif(not CATALOGUE.is_file(), reason="the catalogue of bad input is not here")
def test_no_row_of_the_catalogue_is_missing() -> None:
    listed = re.findall(rf"^\| ([{ROWS_OF_THE_HUB}]\d\d) \|", CATALOGUE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {row["row"] for row in table("bad-input.csv")} == set(listed)
