"""What the documents name is there: files they link to, commands they tell, states and settings they explain."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from adapters.adt.mapping_page import page
from hub.front.commands import command_line
from hub.inbox.messages import STATES
from hub.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")
_CODE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)
_IN_WORDS = re.compile(r"`(?:\.venv/bin/)?hub ([a-z][^`]*)`")
_IN_CODE = re.compile(r"^(?:.*[$(;&|] ?| *)(?:\.venv/bin/)?hub ([a-z-]+(?= |\)|$)[^\n|;&#)<>]*)", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_SETTING = re.compile(r"\bHUB_[A-Z_]+\b")
_FILE = re.compile(r"`((?:hub|auth|adapters|conformance|fhir_mappings|tests|docs)/[A-Za-z0-9_./-]*)`")
TESTS_ONLY = {"HUB_REQUIRE_POSTGRESQL"}


def text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


@cache
def anchors(document: Path) -> frozenset[str]:
    """The anchors that a forge makes of a page's headings: small letters, digits, hyphens; a second one gets -1."""
    found: list[str] = []
    for heading in _HEADING.findall(_CODE.sub("", text(document))):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        found.append(anchor + (f"-{count}" if (count := found.count(anchor)) else ""))
    return frozenset(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files(document: Path) -> None:
    links = [target for target, _ in _LINK.findall(text(document)) if target]
    assert [target for target in links if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_into_a_page_lead_to_a_heading_of_it(document: Path) -> None:
    links = [(target, anchor[1:]) for target, anchor in _LINK.findall(text(document)) if anchor]
    pages = [(document.parent / target if target else document, anchor) for target, anchor in links]
    assert [(name_of(page.resolve()), anchor) for page, anchor in pages if anchor not in anchors(page)] == []


def test_a_heading_that_comes_twice_has_two_anchors(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# What's `kill -9`\n## Twice\n```\n# no heading\n```\n## Twice\n## A [link](x.md), too\n")
    assert anchors(page) == {"whats-kill--9", "twice", "twice-1", "a-link-too"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_files_that_are_named_are_there(document: Path) -> None:
    assert [name for name in _FILE.findall(text(document)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_that_are_named_exist(document: Path) -> None:
    known = {setting.name for setting in SETTINGS} | TESTS_ONLY
    assert set(_SETTING.findall(text(document))) - known == set()


def test_commands_and_options_that_are_told_exist() -> None:
    told = [(name_of(document), words) for document in DOCUMENTS for words in told_commands(text(document))]
    assert len(told) > 200
    assert [(name, words) for name, words in told if not _is_there(words)] == []


@pytest.mark.parametrize("words", ["nonsense", "clients nonsense", "serve --nonsense", "send adt --tries 2 --port"])
def test_a_command_that_is_not_there_is_found(words: str) -> None:
    assert _is_there(words) == (words == "send adt --tries 2 --port")


def told_commands(page: str) -> list[str]:
    """What stands behind `hub` in code among words, in blocks of code and in lines that are indented as code."""
    blocks = [block[0].replace("\\\n", " ") for block in _CODE.finditer(page)]
    words = _CODE.sub("", page)
    blocks += re.findall(r"^ {4}\S.*$", words, re.MULTILINE)
    found = [each for block in blocks for each in _IN_CODE.findall(block)]
    return [each.partition("…")[0] for each in (*found, *_IN_WORDS.findall(words))]


@cache
def _hub() -> Any:
    return get_command(command_line())


def _is_there(words: str) -> bool:
    """Whether there is such a command, with these options. What is no word of a group is an argument."""
    command = _hub()
    for word in words.split():
        if not (inner := getattr(command, "commands", {})):
            break
        if word in inner:
            command = inner[word]
        elif re.fullmatch(r"[a-z][a-z-]*", word):
            return False
    known = {name for taken in command.params for name in (*taken.opts, *taken.secondary_opts)} | {"--help"}
    return set(_OPTION.findall(words)) <= known


def test_the_runbook_explains_every_state_of_the_inbox() -> None:
    explained = set(re.findall(r"^\| `([a-z]+)` \|", text(ROOT / "docs" / "runbook.md"), re.MULTILINE))
    assert explained == set(STATES)


def test_the_page_of_the_adt_mapping_is_current() -> None:
    stale = "python -m adapters.adt.mapping_page > docs/adt-mapping.md"
    assert text(ROOT / "docs" / "adt-mapping.md") == page(), stale


def test_every_page_is_found_from_the_page_of_all_pages() -> None:
    """When this fails: a line in docs/README.md."""
    first = ROOT / "docs" / "README.md"
    linked = {(first.parent / target).resolve() for target, _ in _LINK.findall(text(first)) if target}
    pages = {page for page in DOCUMENTS if page.parent.name != "adr"} - {first}
    assert {name_of(page) for page in pages - linked} == set()


def test_every_page_that_is_printed_has_a_test_that_compares_it() -> None:
    printed = re.findall(r"`python -m (\S+) > (docs/\S+\.md)`", text(ROOT / "docs" / "README.md"))
    assert len(printed) > 10
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [page for module, page in printed if f"{module} > {page}" not in tests] == []
