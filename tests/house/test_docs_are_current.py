"""Pages that are printed from tables say what the tables say."""

from pathlib import Path

from hub.front import commands_page
from hub.monitoring import metrics_page
from hub.notifications.topics_page import page
from hub.settings import as_markdown
from tests.bench import committed
from tests.bench import page as bench_page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_settings_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m hub.settings > docs/settings.md"""
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == as_markdown()


def test_the_page_of_topics_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m hub.notifications.topics_page > docs/topics.md"""
    assert (DOCS / "topics.md").read_text(encoding="utf-8") == page()


def test_the_page_of_metrics_is_what_the_tables_say() -> None:
    """When this fails: .venv/bin/python -m hub.monitoring.metrics_page > docs/metrics.md"""
    assert (DOCS / "metrics.md").read_text() == metrics_page.page()


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """When this fails: .venv/bin/python -m hub.front.commands_page > docs/cli.md"""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == commands_page.page()


def test_the_page_of_benchmarks_is_printed_from_the_figures_in_the_repository() -> None:
    """When this fails: .venv/bin/python -m tests.bench.page"""
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == bench_page.page(committed.kept())
