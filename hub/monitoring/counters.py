"""What each process counts as it goes: answers over HTTP and MLLP. Summed over the node's processes.

https://prometheus.github.io/client_python/multiprocess/: with PROMETHEUS_MULTIPROC_DIR (set by `begin`, before the
client library is loaded) each process keeps its numbers in a file of its own there, and a scrape adds them up. The
files are mapped into memory: on a full disk the next number would kill the process (SIGBUS). So they are in memory
itself; where there is no such place, each process counts for itself, and a scrape is told one of them.
Labels are words of the hub's own tables, never what a client sent.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEMORY, NAME = Path("/dev/shm"), "calaim-hub-"  # noqa: S108 - a folder of its own in it, for its owner alone
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


@contextmanager
def counting() -> Iterator[None]:
    """Around all processes of one `hub serve`, in the first of them. Each run counts from zero."""
    if not os.access(MEMORY, os.W_OK):
        yield
        return
    for left in MEMORY.glob(f"{NAME}*"):
        if not Path("/proc", left.name.removeprefix(NAME)).exists():  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"{NAME}{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.environ[FOLDER] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


REQUESTS = ("hub_http_request_seconds", ("endpoint", "status"), "Answers over HTTP, until their head is ready.")
ANSWERS = (
    "hub_mllp_answers_total",
    ("code", "listener"),
    "Answers to hospitals, by acknowledgment code (table 0008); `none`: the sender wants none; `silence`: a fault "
    "of the hub, the sender sends again.",
)
COUNTED = (REQUESTS, ANSWERS)


@cache
def requests() -> Any:
    """The histogram of answers over HTTP."""
    from prometheus_client import Histogram

    name, labels, meaning = REQUESTS
    return Histogram(name, meaning, labels, buckets=BUCKETS, registry=None)


@cache
def answers() -> Any:
    """The counter of answers over MLLP."""
    from prometheus_client import Counter

    name, labels, meaning = ANSWERS
    return Counter(name, meaning, labels, registry=None)


def answered(listener: str, code: str) -> None:
    answers().labels(code, listener).inc()


def all_of_them() -> tuple[Any, ...]:
    return requests(), answers()
