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
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

FINISH_SECONDS = 20  # with 8 of HUB_DRAIN_SECONDS at most less than 30
WORK_SECONDS = 15.0  # for the worker's part of it


class Told:
    """An event that a signal's handler may set, also while it is waited for, or set by the signal before:
    threading's own takes a lock for that, which the interrupted code may hold, and waits for itself for ever.
    Putting into a SimpleQueue may be interrupted:
    https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put"""

    def __init__(self) -> None:
        self._is_set = False
        self._rung: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._is_set = True
        self._rung.put(None)

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is set, after so many seconds at most. For one thread."""
        if not self._is_set:
            with suppress(Empty):
                self._rung.get(timeout=seconds)
        return self._is_set


_begun = Told()


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
        self._at_once = Told()

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
    """Stops several at the same time, once: they share the seconds that there are. A signal's handler may begin it
    while its process begins it."""

    def __init__(self, them: Sequence[Ending]):
        self._threads = [threading.Thread(target=one.stop, name="stopping") for one in them]
        self._waiting = deque(self._threads)

    def begin(self) -> None:
        while self._waiting:
            self._waiting.popleft().start()

    def end(self) -> None:
        """Begin, where nobody has, and wait for all."""
        self.begin()
        for thread in self._threads:
            thread.join()
