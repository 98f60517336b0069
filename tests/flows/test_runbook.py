"""Every command of the runbook was run: against a demo hub with messages, files, work and notices in the states
that it speaks of. None ends in a traceback; each says what a person at 3 a.m. looks for.

When a command is missing in the table: tests/flows/runbook_world.py, COMMANDS.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flows.hub_process import ROOT
from tests.flows.runbook_world import COMMANDS
from tests.house.test_documents_are_true import told_commands

RUNBOOK = ROOT / "docs" / "runbook.md"


def told() -> set[str]:
    """Without the comments behind them."""
    page = RUNBOOK.read_text(encoding="utf-8")
    return {re.split(r"\s{2,}|\s+$", words)[0] for words in told_commands(page)}


def test_every_command_of_the_runbook_is_in_the_table_and_no_other() -> None:
    assert told() == {one.told for one in COMMANDS}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("runbook")
    own = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    environment = own | {"HUB_DATA_DIR": str(folder / "var"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.runbook_world", str(folder)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_each_command_ends_as_the_runbook_says(runs: list[dict[str, Any]]) -> None:
    wanted = {one.told: one.exit for one in COMMANDS if one.words}
    assert {run["told"]: run["exit"] for run in runs} == wanted, [
        run for run in runs if run["exit"] != wanted[run["told"]]
    ]
    assert [(run["told"], run["said"]) for run in runs if run["says"] not in run["said"]] == []


def test_none_of_them_prints_a_traceback(runs: list[dict[str, Any]]) -> None:
    assert [run["told"] for run in runs if "Traceback" in run["said"]] == []


def test_only_what_says_so_prints_of_whom_a_message_is(runs: list[dict[str, Any]]) -> None:
    """The demo's and the messages' people are Testpersons; `show --raw` and `identity show` print personal data."""
    named = {run["told"] for run in runs if "Testperson" in run["said"]}
    assert named <= {"inbox show --raw", "identity show ID"}


def test_the_page_is_where_it_is_looked_for() -> None:
    assert Path(RUNBOOK).exists()
    assert len(told()) > 40
