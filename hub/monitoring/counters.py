"""What each process counts as it goes: answers by endpoint and status. Summed over the node's processes.

https://prometheus.github.io/client_python/multiprocess/: with PROMETHEUS_MULTIPROC_DIR (set by `begin`, before the
client library is loaded) each process keeps its numbers in a file of its own there, and a scrape adds them up.
Labels are words of the hub's own tables, never what a client sent.
"""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


def begin(folder: Path) -> None:
    """Once, in the first process and before all others: what an earlier run counted is forgotten, as Prometheus
    expects of counters."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    os.environ[FOLDER] = str(folder)


REQUESTS = ("hub_http_request_seconds", ("endpoint", "status"), "Answers over HTTP, until their head is ready.")
COUNTED = (REQUESTS,)


@cache
def requests() -> Any:
    """The histogram of answers over HTTP."""
    from prometheus_client import Histogram

    name, labels, meaning = REQUESTS
    return Histogram(name, meaning, labels, buckets=BUCKETS, registry=None)


def all_of_them() -> tuple[Any, ...]:
    return (requests(),)
