"""Whether this process can serve: what a load balancer and a supervisor ask. A table of checks.

`/livez`: the process answers, nothing else is asked; a supervisor restarts what does not. `/readyz`: work may be
sent here; a balancer takes out what answers 503. Body (`application/health+json`):
https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06
A full disk is a warning: reads go on (docs/runbook.md).
"""

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hub import stopping
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.schema import is_usable

MIME = "application/health+json"
PASS, WARN, FAIL = "pass", "warn", "fail"
FRESH = 1.0  # seconds: who asks often costs the database one question
HANGS = 5.0  # seconds after which a question that has no answer is one
HUNG = {"database:responds": FAIL}
NEVER = float("inf")
SCARCE = 500_000_000  # bytes of disk


@dataclass(frozen=True, slots=True)
class Health:
    """`status` is the worst of the checks'; `body` the answer."""

    status: str
    body: dict[str, Any]

    @property
    def is_ready(self) -> bool:
        return self.status != FAIL


class Readiness:
    """What `/readyz` asks. Nobody waits for a second question while the first hangs. When it has hung for HANGS,
    that is the answer: a database may be frozen whose machine still answers for it."""

    def __init__(self, database: Database, folder: Path, version: str):
        self._database, self._version = database, version
        self._checks: dict[str, Callable[[], str]] = {
            "database:responds": self._responds,
            "database:writes": lambda: FAIL if database.disk_failed else PASS,
            "database:schema": lambda: PASS if is_usable(database) else FAIL,
            "disk:free": lambda: PASS if shutil.disk_usage(folder).free > SCARCE else WARN,
        }
        self._turn = threading.Lock()
        self._begun = NEVER  # when the question began that is being asked
        self._kept: tuple[float, Mapping[str, str]] | None = None

    def look(self) -> Health:
        """Whether the process stays is asked each time: a balancer must hear of it at once."""
        found = {**self._seen(), "process:stays": FAIL if stopping.has_begun() else PASS}
        worst = next((one for one in (FAIL, WARN) if one in found.values()), PASS)
        checks = {name: [{"status": status}] for name, status in found.items()}
        return Health(worst, {"status": worst, "releaseId": self._version, "checks": checks})

    def _seen(self) -> Mapping[str, str]:
        kept = self._kept
        if kept and time.monotonic() - kept[0] < FRESH:
            return kept[1]
        is_asked = self._turn.locked()
        if is_asked and time.monotonic() - self._begun > HANGS:
            return HUNG
        if is_asked and kept:
            return kept[1]
        if not self._turn.acquire(timeout=HANGS):
            return HUNG
        try:
            return self._asked()
        finally:
            self._begun = NEVER
            self._turn.release()

    def _asked(self) -> Mapping[str, str]:
        self._begun = time.monotonic()
        found = {name: self._one(check) for name, check in self._checks.items()}
        self._kept = time.monotonic(), found
        return found

    def _one(self, check: Callable[[], str]) -> str:
        try:
            return check()
        except (Problem, OSError):
            return FAIL

    def _responds(self) -> str:
        with self._database.read() as connection:
            connection.execute(text("SELECT 1"))
        return PASS
