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


class Marking:
    """A role that notes the number of its process, and that it was stopped."""

    def __init__(self, log: str):
        self.log = Path(log)

    def start(self) -> None:
        with self.log.open("a") as file:
            file.write(f"started {os.getpid()}\n")

    def stop(self) -> None:
        with self.log.open("a") as file:
            file.write(f"stopped {os.getpid()}\n")
