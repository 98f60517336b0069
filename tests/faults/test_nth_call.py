"""R26: the Nth call to the database or to the network fails, in each flow, for all N (`make test-faults`), or for
some (`make test`): nothing is lost, doubled or left by half, and asked again the flow ends as it always does."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 3000


@pytest.mark.parametrize("every", [61, pytest.param(1, marks=pytest.mark.long)])
def test_whichever_call_fails_the_flow_ends_the_same_and_the_invariants_hold(
    database_url: str, tmp_path: Path, every: int
) -> None:
    """In a process of its own: the front door keeps its parts as long as a process lives."""
    command = [sys.executable, "-m", "tests.faults.sweep", "--url", database_url, "--every", str(every)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert " 0 faults" not in done.stdout
