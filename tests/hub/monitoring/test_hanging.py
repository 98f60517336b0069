"""A database that is frozen, while its machine still answers for it: `/readyz` says so, to everybody, soon."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from hub import stopping
from hub.monitoring import health
from hub.monitoring.health import Health, Readiness
from hub.store.engine import Database
from tests.waiting import until

WAIT = 30


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH", 0.0)
    monkeypatch.setattr(health, "HANGS", 0.5)


@contextmanager
def frozen(database: Database, readiness: Readiness) -> Iterator[None]:
    """Its answer to a thread that asks never comes."""
    begun, done = threading.Event(), threading.Event()
    pids: list[int] = []

    def ask() -> None:
        with database.read() as connection:
            pids.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        os.kill(pids[0], signal.SIGSTOP)
        begun.set()
        readiness.look()
        done.set()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert begun.wait(WAIT)
        until(readiness._turn.locked)
        yield
        assert not done.is_set()
    finally:
        os.kill(pids[0], signal.SIGCONT)
        asking.join(WAIT)


def said(found: Health) -> dict[str, str]:
    return {name: one["status"] for name, (one,) in found.body["checks"].items()}


pytestmark = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


def test_the_answer_from_before_counts_for_a_while_only(database: Database, tmp_path: Path) -> None:
    readiness = Readiness(database, tmp_path, "9.9")
    assert readiness.look().is_ready
    with frozen(database, readiness):
        until(lambda: not readiness.look().is_ready)
        assert said(readiness.look()) == {"database:responds": "fail", "process:stays": "pass"}
    assert readiness.look().is_ready


def test_nobody_waits_for_long_where_nothing_was_ever_answered(database: Database, tmp_path: Path) -> None:
    readiness = Readiness(database, tmp_path, "9.9")
    with frozen(database, readiness):
        began = time.monotonic()
        assert not readiness.look().is_ready
        assert time.monotonic() - began < WAIT / 2


def test_a_process_that_was_told_to_end_says_so_whatever_hangs(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "HANGS", WAIT)
    monkeypatch.setattr(stopping, "_begun", stopping.Told())
    readiness = Readiness(database, tmp_path, "9.9")
    assert readiness.look().is_ready
    with frozen(database, readiness):
        assert readiness.look().is_ready
        stopping.begin()
        assert said(readiness.look())["process:stays"] == "fail"
        assert not readiness.look().is_ready
