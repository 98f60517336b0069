"""`hub inbox` over a real database: what it prints, what it does, what it refuses."""

import re

import pytest
from typer.testing import CliRunner

from hub.inbox.commands import inbox_commands
from hub.store.engine import Database
from tests.hub.inbox_steps import accept, accepted, arrival, every, park, process, set_subject


@pytest.fixture
def filled(database: Database) -> Database:
    """1 received, 2 processed, 3 unmapped, 4 dead, all with a canary in their bytes."""
    accept(database, *(arrival(f"m{n}", b"PID|CANARY\r%d" % n) for n in range(1, 5)))
    set_subject(database, 2, "SMC|CANARY")
    process(database, 2)
    park(database, 3, "unmapped", "The code has no row in table 0112: 99", "PV1-36", ("number", "CANARY"))
    park(database, 4, "dead", "ValueError")
    return database


def ran(database: Database, *words: str, code: int = 0) -> str:
    made = CliRunner().invoke(inbox_commands(lambda: database), list(words))
    assert made.exit_code == code, made.output
    return made.output


def test_a_list_says_place_and_reason_and_no_content(filled: Database) -> None:
    printed = ran(filled, "list")
    assert "CANARY" not in printed
    assert [line.split()[0] for line in printed.splitlines()] == ["number", "4", "3", "2", "1"]
    assert re.search(r"3  unmapped .* m3 +PV1-36 +The code has no row in table 0112: 99", printed)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--state", "unmapped"], ["3"]),
        (["--state", "unmapped", "--state", "dead"], ["4", "3"]),
        (["2-3"], ["3", "2"]),
        (["--feed", "EHR|HOSPITAL_ONE", "--limit", "1"], ["4"]),
        (["--source", "hmis"], []),
        (["--reason", "The code has no row"], ["3"]),
        (["--until", "1970-01-01T00:10"], []),
        (["--since", "1970-01-01T00:10+00:00"], ["4", "3", "2", "1"]),
    ],
)
def test_a_list_takes_filters(filled: Database, words: list[str], numbers: list[str]) -> None:
    assert [line.split()[0] for line in ran(filled, "list", *words).splitlines()[1:]] == numbers


def test_the_dead_have_a_list_of_their_own(filled: Database) -> None:
    assert [line.split()[0] for line in ran(filled, "dead").splitlines()[1:]] == ["4"]


def test_one_message_is_shown_with_place_and_reason_and_its_bytes_only_on_demand(filled: Database) -> None:
    printed = ran(filled, "show", "3")
    assert "CANARY" not in printed
    assert "PV1-36" in printed
    assert "The code has no row in table 0112: 99" in printed
    assert "by itself (number)" in printed
    assert "CANARY" in ran(filled, "show", "3", "--raw")
    assert "CANARY" not in ran(filled, "show", "2")
    assert "There is no message 9" in ran(filled, "show", "9", code=1)


def test_states_and_reasons_are_counted_and_the_oldest_told(filled: Database) -> None:
    printed = ran(filled, "counts")
    assert re.search(r"1  unmapped +The code has no row in table 0112$", printed, re.MULTILINE)
    assert re.search(r"oldest received: \d+ s", printed)
    process(filled, 1)
    assert "oldest received: nothing waits" in ran(filled, "counts")


def test_a_dry_run_says_what_a_replay_would_do_and_does_nothing(filled: Database) -> None:
    printed = ran(filled, "replay", "1-4", "--dry-run")
    assert "2 messages would be processed again (1 dead, 1 unmapped)." in printed
    assert "1 message will be processed anyway." in printed
    assert "1 message processed before and left alone" in printed
    assert len(every(filled, "received")) == 1


def test_a_replay_says_what_it_did(filled: Database) -> None:
    assert "1 message will be processed again (1 unmapped)." in ran(filled, "replay", "3")
    assert "0 messages will be processed again." in ran(filled, "replay", "3")
    assert "1 message will be processed again (1 dead)" in ran(filled, "replay", "--state", "dead")
    assert "0 messages will" in ran(filled, "replay", "2")
    assert "1 message will be processed again (1 processed)" in ran(filled, "replay", "2", "--processed")


@pytest.mark.parametrize(
    "words",
    [
        ["replay"],
        ["replay", "--processed"],
        ["replay", "five"],
        ["replay", "9-1"],
        ["list", "--state", "invented"],
        ["list", "--since", "yesterday"],
        ["replay", "--until", "25:00"],
    ],
)
def test_what_cannot_be_understood_is_refused_and_nothing_is_done(database: Database, words: list[str]) -> None:
    (seq,) = accepted(database)
    park(database, seq, "unmapped")
    ran(database, *words, code=2)
    assert len(every(database, "unmapped")) == 1
