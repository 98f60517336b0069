"""Pages that are printed from tables say what the tables say."""

from pathlib import Path

from hub.notifications.topics_page import page
from hub.settings import as_markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_settings_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m hub.settings > docs/settings.md"""
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == as_markdown()


def test_the_page_of_topics_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m hub.notifications.topics_page > docs/topics.md"""
    assert (DOCS / "topics.md").read_text(encoding="utf-8") == page()
