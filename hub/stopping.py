"""How a hub ends when it is told to: nothing that was begun is broken off, and nobody new is turned away by
surprise.

SIGTERM (systemd, a container's engine, an orchestrator) goes to the first process, and brings it to its end in
less than 30 seconds:

1. For HUB_DRAIN_SECONDS `/readyz` answers 503 and every answer closes its connection: balancers leave, clients
   that keep connections come anew, and what comes is answered as always.
2. The port lets nobody in any more (hub.listening), whoever came before is taken in.
3. What was begun is finished: answers, acknowledgments, pieces of work. FINISH_SECONDS at most, then it is
   killed, which loses nothing (docs/architecture.md).

Ctrl-C, and a second signal, leave the first step out.
"""

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

FINISH_SECONDS = 20  # with 8 of HUB_DRAIN_SECONDS at most less than 30
WORK_SECONDS = 15.0  # for the worker's part of it

_begun = threading.Event()


def begin() -> None:
    """This process is about to end."""
    _begun.set()


def has_begun() -> bool:
    return _begun.is_set()


def begin_when_told() -> None:
    """In a web process: its first process says so by SIGUSR1."""
    signal.signal(signal.SIGUSR1, lambda *_: begin())


class Farewell:
    """The first step, in the first process: `tell` the others, and wait."""

    def __init__(self, seconds: float, tell: Callable[[], None]):
        self._seconds, self._tell = seconds, tell
        self._gently = False
        self._at_once = threading.Event()

    def told(self, number: int) -> None:
        """A signal came."""
        if number == signal.SIGTERM and not self._gently:
            self._gently = True
        else:
            self._at_once.set()

    def wait(self) -> None:
        """Where no signal came (a crash) there is nobody to wait for."""
        if self._gently and not self._at_once.is_set():
            self._tell()
            self._at_once.wait(self._seconds)


class Ending(Protocol):
    def stop(self) -> Any: ...


class Together:
    """Stops several at the same time, once: they share the seconds that there are."""

    def __init__(self, them: Sequence[Ending]):
        self._threads = [threading.Thread(target=one.stop, name="stopping") for one in them]
        self._lock = threading.Lock()
        self._is_begun = False

    def begin(self) -> None:
        with self._lock:
            if self._is_begun:
                return
            self._is_begun = True
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Begin, where nobody has, and wait for all."""
        self.begin()
        for thread in self._threads:
            thread.join()
