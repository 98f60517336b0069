"""What the documents name is there: files they link to, commands they tell, states and settings they explain."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from adapters.adt.mapping_page import page
from hub.front.commands import command_line
from hub.inbox.messages import STATES
from hub.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "adr").glob("*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")
_COMMAND = re.compile(r"(?:`|\.venv/bin/)hub\s+((?:clients|inbox|send|break-glass)\s+[a-z-]+|[a-z-]+)")
_SETTING = re.compile(r"\bHUB_[A-Z_]+\b")
_FILE = re.compile(r"`((?:hub|auth|adapters|conformance|fhir_mappings|tests|docs)/[A-Za-z0-9_./-]*)`")
TESTS_ONLY = {"HUB_REQUIRE_POSTGRESQL"}


def text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    links = [target for target, _ in _LINK.findall(text(document)) if target]
    assert [target for target in links if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_are_there(document: Path) -> None:
    assert [name for name in _FILE.findall(text(document)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_that_are_named_exist(document: Path) -> None:
    known = {setting.name for setting in SETTINGS} | TESTS_ONLY
    assert set(_SETTING.findall(text(document))) - known == set()


def test_commands_that_are_told_exist() -> None:
    told = {" ".join(words.split()) for document in DOCUMENTS for words in _COMMAND.findall(text(document))}
    assert len(told) > 8
    assert told - set(_commands(get_command(command_line()))) == set()


def _commands(group: object) -> list[str]:
    found = []
    for name, command in getattr(group, "commands", {}).items():
        found += [name, *(f"{name} {inner}" for inner in _commands(command))]
    return found


def test_the_runbook_explains_every_state_of_the_inbox() -> None:
    explained = set(re.findall(r"^\| `([a-z]+)` \|", text(ROOT / "docs" / "runbook.md"), re.MULTILINE))
    assert explained == set(STATES)


def test_the_page_of_the_adt_mapping_is_current() -> None:
    stale = "python -m adapters.adt.mapping_page > docs/adt-mapping.md"
    assert text(ROOT / "docs" / "adt-mapping.md") == page(), stale
