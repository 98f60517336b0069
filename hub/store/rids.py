"""Row numbers made by the writer: milliseconds since 2020 above 22 random bits.

They grow with time, so that index pages stay hot, and cost no round trip. Two writers that draw the same one
(once in four million a millisecond) meet the primary key, and the transaction runs again. One commit creates all
its rows in one millisecond: what it drew already is drawn again, so that its size brings no such collision. What
a process makes in one millisecond stands in the order in which it was made.
"""

from collections.abc import Container
from random import getrandbits

START_OF_2020 = 1_577_836_800_000_000  # microseconds
RANDOM_BITS = 22
STEP_BITS = 8  # random, too: two threads may start from the same last one
_last = [0]


def new_rid(now: int, taken: Container[int] = ()) -> int:
    """A positive 63-bit row number for this moment (microseconds since 1970), none of those taken; within one
    millisecond behind the last one of this process."""
    moment = (now - START_OF_2020) // 1000
    while (rid := _behind_last(moment) or (moment << RANDOM_BITS | getrandbits(RANDOM_BITS))) in taken:
        pass
    _last[0] = rid
    return rid


def _behind_last(moment: int) -> int:
    """A number a little behind the last one, if that is of this millisecond or has run over into the next."""
    is_of_now = 0 <= (_last[0] >> RANDOM_BITS) - moment <= 1
    return _last[0] + 1 + getrandbits(STEP_BITS) if is_of_now else 0
