"""R31: eight processes write one SQLite database and its spool, with a checkpoint every few commits: nothing is
corrupt, nobody is told that it is locked, and what was stored is there."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.spool import Spool
from hub.store.engine import Database
from tests.faults.invariants import broken
from tests.faults.marks import SQLITE
from tests.hub.asking import BASE

ROOT = Path(__file__).parents[2]
PROCESSES = 8


@SQLITE
@pytest.mark.parametrize("seconds", [1, pytest.param(600, marks=pytest.mark.long)])
def test_eight_processes_write_and_nothing_is_corrupt_or_locked(database_url: str, seconds: int) -> None:
    command = [sys.executable, "-m", "tests.faults.writing", database_url]
    writers = [
        subprocess.Popen([*command, str(number), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    told = [writer.communicate(timeout=seconds + 120)[0].splitlines() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    assert [line for lines in told for line in lines[1:]] == [], "refused"
    stored = [int(lines[0]) for lines in told]
    assert min(stored) > 0, "nobody waits for ever"
    database = Database(database_url)
    spool = Spool(database)
    while spool.move():
        pass
    spool.close()
    with database.read() as connection:
        basics = connection.execute(text("SELECT count(*) FROM resource WHERE id <> 'all'")).scalar_one()
        version = connection.execute(text("SELECT version FROM resource WHERE id = 'all'")).scalar_one()
        messages = connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
    assert (basics, version, messages) == (sum(stored), sum(stored), sum(stored))
    assert broken(database, BASE) == []
    print(f"{sum(stored)} rounds by {PROCESSES} processes, 0 refused, 0 corrupt")
    database.close()
