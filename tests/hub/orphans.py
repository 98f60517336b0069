"""A child process that notes its number, and lives until its parent is gone (tests.hub.test_processes)."""

import os
import time
from pathlib import Path

from hub.processes import die_with_parent


def live(log: str, late: float) -> None:
    """`late` seconds pass before it asks to end with its parent."""
    time.sleep(late)
    Path(f"{log}.new").write_text(f"{os.getpid()} ")
    Path(f"{log}.new").rename(log)
    die_with_parent()
    time.sleep(60)


def wait_for(log: str) -> None:
    while not Path(log).exists():
        time.sleep(0.01)
    time.sleep(0.2)
