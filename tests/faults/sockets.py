"""Whose connection it is: from a local TCP port to the process that holds it. Linux only."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def holder(port: int, pids: Iterable[int]) -> int:
    """The one of these processes that has this local port."""
    link = f"socket:[{_inode(port)}]"
    return next(pid for pid in pids if link in _links(pid))


def _inode(port: int) -> str:
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    return next(line[9] for line in lines if int(line[1].rpartition(":")[2], 16) == port and line[9] != "0")


def _links(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(each))
    return found
