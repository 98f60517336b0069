"""docs/partners are run as operator and partner would paste them: the tables of all pages are written, the hub is
started once, then each page's `sh` blocks run in order (tests/flows/pasting.py).

What a page says of files and settings ("In `var/…`:" before a block, and blocks of `env`) is what the hub starts
with.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows.hub_process import ROOT, HubProcess
from tests.flows.pasting import hold, run, script, steps
from tests.flows.quick_commands import commands

FOLDER = ROOT / "docs" / "partners"
PAGES = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")
_TABLE = re.compile(r"\bIn\s+`var/([\w./-]+)`:\n\n```(?:toml|csv)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SETTINGS = re.compile(r"^```env\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pages are run: a hub, and what stands before each script (the command `hub`, made quick)."""

    hub: HubProcess
    before: str

    def page(self, name: str) -> str:
        """The page, with this hub's address and folder instead of those of `make run`."""
        text = (FOLDER / name).read_text(encoding="utf-8")
        return text.replace("http://127.0.0.1:8080", self.hub.base).replace("var/", f"{self.hub.folder}/")


def tables(page: str) -> Iterator[tuple[str, str]]:
    """Path below var/ and text, of every table that a page tells the operator to write."""
    yield from _TABLE.findall(page)


def settings(page: str, folder: Path) -> Iterator[tuple[str, str]]:
    for block in _SETTINGS.findall(page):
        for line in block.splitlines():
            name, _, value = line.partition("=")
            yield name, value.replace("var/", f"{folder}/")


def written(folder: Path, name: str, text: str) -> None:
    """Rows are added to a table that is there, under its header; whole texts to a text that is there."""
    path, text = folder / name, text.replace("var/", f"{folder}/")
    if path.suffix == ".csv" and path.exists():
        header, _, text = text.partition("\n")
        assert path.read_text().startswith(header), f"{name} has other columns than the page"
    with path.open("a", encoding="utf-8") as file:
        file.write(text + "\n" if path.suffix == ".toml" else text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A hub with a small demo county, started with the tables and settings of all pages."""
    folder = tmp_path_factory.mktemp("partners")
    pages = [(FOLDER / name).read_text(encoding="utf-8") for name in PAGES]
    chosen = dict(pair for page in pages for pair in settings(page, folder))
    hub = HubProcess(folder, HUB_FILES_EVERY_SECONDS="1", **chosen)
    with commands(folder) as before:
        hub.command("demo", "--members", "3")
        for page in pages:
            for name, text in tables(page):
                written(folder, name, text)
        hub.start()
        try:
            yield Place(hub, before)
        finally:
            hub.stop()


@pytest.mark.parametrize("name", PAGES)
def test_a_partner_connects_as_its_page_says(place: Place, name: str) -> None:
    todo = [*steps(place.page("README.md")), *steps(place.page(name))]
    assert sum(len(step.expected) for step in todo) >= 8
    hold(todo, run(script(todo, place.before), place.hub.environment))


def test_the_tables_of_the_pages_are_what_a_hub_starts_with(place: Place) -> None:
    """`hub config check` says so; a table that it does not know would be a typing error of a page."""
    found = run(f"{place.before}hub config check", place.hub.environment)
    assert "fault" not in found.lower()
    assert {name for page in PAGES for name, _ in tables(place.page(page))} == set()


def test_every_page_says_what_a_partner_needs() -> None:
    for name in PAGES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert any("see that it worked" in one for one in headings), name
        assert any("rrors" in one for one in headings), name
        assert headings[-2:] == ["Who sees what", "Whom to ask"], name
        assert f"({name})" in (FOLDER / "README.md").read_text(encoding="utf-8"), name
