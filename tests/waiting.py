"""To wait for a state instead of a time: a busy machine needs longer, and a rule that was taken out is a failure,
not a test that never ends.
"""

import time
from collections.abc import Callable

PATIENCE = 60.0  # seconds, of a busy machine
LOOK = 0.02


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> float:
    """Wait until it holds; how many seconds that took. Fails after `seconds`."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"it does not hold after {seconds} s"
        time.sleep(LOOK)
    return time.monotonic() - began
