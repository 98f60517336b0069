"""A role in processes of its own: as many as asked for, started anew when they end, and stopped with the hub."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from hub.apart import Apart
from tests.hub.orphans import Marking
from tests.waiting import until


class Log:
    def __init__(self, path: Path):
        self.path = path

    def pids(self, what: str) -> list[int]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(what)]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log.txt")


@pytest.fixture
def two(log: Log) -> Iterator[Apart]:
    made = Apart("marking", partial(Marking, str(log.path)), 2)
    made.start()
    until(lambda: len(log.pids("started")) == 2)
    yield made
    made.stop()


def test_each_runs_in_a_process_of_its_own_and_is_stopped_in_order(two: Apart, log: Log) -> None:
    started = log.pids("started")
    assert len({os.getpid(), *started}) == 3
    two.stop()
    assert sorted(log.pids("stopped")) == sorted(started)


def test_one_that_is_killed_is_started_anew_and_the_other_goes_on(two: Apart, log: Log) -> None:
    killed, other = log.pids("started")
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(log.pids("started")) == 3)
    two.stop()
    assert sorted(log.pids("stopped")) == sorted({other, log.pids("started")[-1]})


def test_one_that_cannot_be_started_is_tried_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    spawned = Apart._spawned

    def scarce(self: Apart, name: str) -> BaseProcess:
        tries.append(name)
        if len(tries) == 1:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return spawned(self, name)

    monkeypatch.setattr(Apart, "_spawned", scarce)
    one = Apart("marking", partial(Marking, str(log.path)), 1)
    one.start()
    until(lambda: len(log.pids("started")) == 1)
    one.stop()
    assert (len(tries), len(log.pids("stopped"))) == (2, 1)


def test_ctrl_c_of_the_terminal_is_for_the_first_process_alone(two: Apart, log: Log) -> None:
    for pid in log.pids("started"):
        os.kill(pid, signal.SIGINT)
    time.sleep(0.3)
    assert log.pids("stopped") == []
    two.stop()
    assert len(log.pids("stopped")) == 2
