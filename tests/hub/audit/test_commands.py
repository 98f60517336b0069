"""hub audit verify, list and export, as a person calls them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.audit.commands import audit_commands
from hub.audit.journal import Journal
from hub.audit.record import encoded
from hub.store.engine import Database
from tests.hub.audit.records import chain, record
from tests.hub.audit.test_chain import _change, _open

BASE = "https://hub.example/fhir"


@pytest.fixture
def run(database: Database, tmp_path: Path):  # type: ignore[no-untyped-def]
    app = audit_commands(lambda: database, lambda: tmp_path, lambda: BASE)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_a_sound_chain_is_told_with_its_head(run, database: Database, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    chain(database, tmp_path, record(1), record(2))
    Journal(tmp_path).append(encoded(record(3)))  # what waits is moved first
    told = run("verify")
    assert (told.exit_code, told.output.split()[0]) == (0, "3")
    head = told.output.split("Head: ")[1].strip()
    assert head.startswith("3:")
    assert run("verify", "--expect-head", head).exit_code == 0
    assert run("verify", "--expect-head", f"3:{'00' * 32}").exit_code == 1
    assert run("verify", "--expect-head", "nonsense").exit_code == 2
    assert run("verify", "--from", "2", "--to", "2").output.startswith("1 records")


def test_a_broken_chain_is_told_and_fails(run, database: Database, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    chain(database, tmp_path, *(record(number) for number in range(1, 6)))
    with database.write() as connection:
        _open(connection)
        _change(connection)
    told = run("verify")
    assert told.exit_code == 1
    assert "BROKEN: record 3 was changed" in told.output


def test_a_damaged_journal_is_told_and_fails(run, database: Database, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "x.journal").write_bytes(b"\xff" * 100)
    told = run("verify")
    assert told.exit_code == 1
    assert "x.damaged" in told.output


def test_records_are_listed_the_newest_first(run, database: Database, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    chain(database, tmp_path, *(record(number) for number in range(1, 4)))
    lines = run("list", "--limit", "2").output.splitlines()
    assert [line.split()[0] for line in lines] == ["number", "3", "2"]


def test_audit_events_are_exported_one_a_line(run, database: Database, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    chain(database, tmp_path, *(record(number) for number in range(1, 4)))
    events = [json.loads(line) for line in run("export", "--from", "2").stdout_bytes.splitlines()]
    assert [event["id"] for event in events] == ["2-1", "3-1"]
    assert run("export", "--to", "1").stdout_bytes.count(b"\n") == 1
