"""tests/faults/faults.csv is whole and true: each row has tests or commands that are there, or a reason."""

from importlib.util import find_spec
from pathlib import Path

from tests.faults.page import nodes, page, proofs, rows
from tests.house.test_requirements_are_traced import lost

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
COMMANDS = ("python -m ", "make ")


def test_each_fault_has_a_proof_or_a_reason() -> None:
    assert [row["row"] for row in rows()] == [f"R{number:02}" for number in range(1, 35)]
    assert [row["row"] for row in rows() if not (proofs(row) or row["reason"]) or not row["fault"]] == []


def test_each_proof_is_there() -> None:
    named = [each for row in rows() for each in proofs(row)]
    assert lost(each for row in rows() for each in nodes(row)) == []
    commands = [each for each in named if not each.startswith("tests/")]
    assert [each for each in commands if not each.startswith(COMMANDS)] == []
    modules = [each.split()[2] for each in commands if each.startswith("python -m ")]
    assert [name for name in modules if find_spec(name) is None] == []


def test_the_page_of_faults_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m tests.faults.page > docs/faults.md"""
    assert PAGE.read_text(encoding="utf-8") == page()
