"""A circuit breaker: after several failures in a row nobody asks for a while, then one asks for all.

Rules: M. Nygard, "Release It!": closed, open, half-open. The table below is all there is; times are microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"
SUCCESS, FAILURE = "success", "failure"
FAILURES = 5  # in a row open it
FIRST_PAUSE, LONGEST_PAUSE = 30_000_000, 600_000_000


@dataclass(frozen=True, slots=True)
class Circuit:
    """`until`: nobody asks before then; `pause`: how long it was opened for last."""

    state: str = CLOSED
    failures: int = 0
    until: int = 0
    pause: int = 0


# what a call's end makes of the state, but for the failures that a closed one bears
NEXT: Mapping[tuple[str, str], str] = {
    (CLOSED, SUCCESS): CLOSED,
    (CLOSED, FAILURE): CLOSED,
    (OPEN, SUCCESS): CLOSED,  # a call that began before it opened
    (OPEN, FAILURE): OPEN,
    (HALF_OPEN, SUCCESS): CLOSED,
    (HALF_OPEN, FAILURE): OPEN,
}


def after(circuit: Circuit, event: str, now: int) -> Circuit:
    """The circuit after a call ended so."""
    state, failures = NEXT[circuit.state, event], circuit.failures + 1
    if event == SUCCESS:
        return Circuit()
    if circuit.state == HALF_OPEN or (circuit.state == CLOSED and failures >= FAILURES):
        pause = min(circuit.pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
        return Circuit(OPEN, failures, now + pause, pause)
    return replace(circuit, state=state, failures=failures)


def asked(circuit: Circuit, now: int) -> tuple[bool, Circuit]:
    """Whether a call may go out now, and the circuit then: half-open it lets one through."""
    if circuit.state == CLOSED:
        return True, circuit
    if circuit.state == OPEN and now >= circuit.until:
        return True, replace(circuit, state=HALF_OPEN, until=now + FIRST_PAUSE)
    if circuit.state == HALF_OPEN and now >= circuit.until:  # the one that asked never came back
        return True, replace(circuit, until=now + FIRST_PAUSE)
    return False, circuit


class Breaker:
    """The circuit of this process, for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._circuit = Circuit()

    def wait(self, now: int) -> float | None:
        """None: go on. Otherwise the seconds until somebody may ask again."""
        with self._lock:
            goes, self._circuit = asked(self._circuit, now)
            return None if goes else max(self._circuit.until - now, 0) / 1_000_000

    def ended(self, event: str, now: int) -> None:
        with self._lock:
            self._circuit = after(self._circuit, event, now)

    @property
    def state(self) -> str:
        return self._circuit.state
