"""A process of the hub does not outlive the one that started it, at whatever moment that one is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.hub_process import ROOT

PARENT = """
import multiprocessing, os, sys
from tests.hub import orphans

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    multiprocessing.Process(target=orphans.live, args=(sys.argv[1], float(sys.argv[2]))).start()
    if float(sys.argv[2]) == 0:
        orphans.wait_for(sys.argv[1])
    os._exit(0)
"""


@pytest.mark.parametrize("late", [0.0, 1.0], ids=["when the child runs", "before the child has started"])
def test_a_child_ends_with_its_parent(tmp_path: Path, late: float) -> None:
    script, log = tmp_path / "parent.py", tmp_path / "child.txt"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(script), str(log), str(late)], env=environment, check=True, timeout=30)
    deadline = time.monotonic() + 20
    while not log.exists() or _is_there(int(log.read_text().split()[0])):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
