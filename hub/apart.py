"""A role in processes of its own, so that it shares Python's lock with nobody: started, watched, started anew.

One that ends by itself (killed, out of memory) is started again after PAUSE_SECONDS, for as long as the first
process runs. It ends with the first process, also where that one is killed (hub.processes.die_with_parent).
Refuses: nothing. What cannot start is tried again, and named in the log each time.
"""

import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from hub.processes import Role, die_with_parent, keep_loaded
from hub.stopping import FINISH_SECONDS, Told

log = logging.getLogger("hub.processes")
PAUSE_SECONDS = 0.5


class Apart:
    """`make` makes the role in each of the processes: an importable function."""

    def __init__(self, name: str, make: Callable[[], Role], count: int):
        self._name = name
        self._make = make
        self._count = count
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(1, self._count + 1):
            thread = threading.Thread(target=self._watch, args=(f"{self._name}-{number}",), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(FINISH_SECONDS + 1)

    def _watch(self, name: str) -> None:
        process: BaseProcess | None = None
        while not self._stop.is_set():
            try:
                process = self._spawned(name)
            except OSError as error:  # no memory, too many processes: it may be there again
                log.error("process %s cannot be started: %s", name, error.strerror)
                self._stop.wait(PAUSE_SECONDS)
                continue
            while process.is_alive() and not self._stop.wait(PAUSE_SECONDS):
                pass
            if not self._stop.is_set():
                log.error("process %s ended with %s; it is started anew", name, process.exitcode)
        if process is not None:
            _end(process)

    def _spawned(self, name: str) -> BaseProcess:
        # a forked process would share the database connections, which PostgreSQL forbids
        process = multiprocessing.get_context("spawn").Process(target=_live, args=(self._make,), name=name)
        process.start()
        return process


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(FINISH_SECONDS)
    if process.is_alive():
        process.kill()


def _live(make: Callable[[], Role]) -> None:
    """In the process: until SIGTERM. Ctrl-C is the first process' to hear."""
    told = Told()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _setting(told))
    die_with_parent()
    role = make()
    keep_loaded()
    role.start()
    told.wait()
    role.stop()


def _setting(told: Told) -> Callable[..., Any]:
    return lambda *_: told.set()
