"""Row numbers made by the writer: milliseconds since 2020 above 22 random bits.

They grow with time, so that index pages stay hot, and cost no round trip. Two writers that draw the same one
(once in four million a millisecond) meet the primary key, and the transaction runs again. One commit creates all
its rows in one millisecond: what it drew already is drawn again, so that its size brings no such collision.
"""

from collections.abc import Container
from random import getrandbits

START_OF_2020 = 1_577_836_800_000_000  # microseconds
RANDOM_BITS = 22


def new_rid(now: int, taken: Container[int] = ()) -> int:
    """A positive 63-bit row number for this moment (microseconds since 1970), none of those taken."""
    moment = (now - START_OF_2020) // 1000 << RANDOM_BITS
    while (rid := moment | getrandbits(RANDOM_BITS)) in taken:
        pass
    return rid
