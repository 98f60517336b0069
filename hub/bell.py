"""How threads that look for the same work are woken: one of them, and not all.

A look costs a question to the database; of several lanes that look at the same moment one finds what there is.
"""

import threading
import time


class Bell:
    """Wakes one of those who wait for it; where nobody waits, who comes next does not wait. Where it does not ring,
    one of them looks every so many seconds."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rung = False
        self._over = False
        self._looked = 0.0

    def ring(self) -> None:
        with self._condition:
            self._rung = True
            self._condition.notify()

    def end(self) -> None:
        """Nobody waits any more."""
        with self._condition:
            self._over = True
            self._condition.notify_all()

    def wait(self, seconds: float) -> None:
        with self._condition:
            while not (self._rung or self._over):
                left = self._looked + seconds - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            self._rung, self._looked = False, time.monotonic()
