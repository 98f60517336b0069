"""The pages about the plan's tables say what the tables say."""

from pathlib import Path

from adapters.plan.kinds_workbooks import FILE_KINDS_WORKBOOKS, NEEDS
from adapters.plan.layouts_page import page
from fhir_mappings.plan.workbook_terms import DISCONTINUATIONS, ENGAGEMENTS, METHODS, POPULATIONS, REFERRALS

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_of_layouts_is_printed_from_the_layouts() -> None:
    """When this fails: .venv/bin/python -m adapters.plan.layouts_page > docs/layouts.md"""
    assert (DOCS / "layouts.md").read_text(encoding="utf-8") == page()


def test_the_page_of_workbooks_names_every_kind_option_and_word() -> None:
    text = (DOCS / "plan-workbooks.md").read_text(encoding="utf-8")
    words = [*NEEDS, *(kind.name for kind in FILE_KINDS_WORKBOOKS)]
    words += [*ENGAGEMENTS, *METHODS, *REFERRALS, *DISCONTINUATIONS, *POPULATIONS]
    assert [word for word in words if f"`{word}`" not in text] == []
