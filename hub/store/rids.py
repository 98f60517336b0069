"""Row numbers made by the writer: milliseconds since 2020 above 22 random bits.

They grow with time, so that index pages stay hot, and cost no round trip. Two writers that draw the same one
(once in four million a millisecond) meet the primary key, and the transaction runs again.
"""

from random import getrandbits

START_OF_2020 = 1_577_836_800_000_000  # microseconds
RANDOM_BITS = 22


def new_rid(now: int) -> int:
    """A positive 63-bit row number for this moment (microseconds since 1970)."""
    return ((now - START_OF_2020) // 1000 << RANDOM_BITS) | getrandbits(RANDOM_BITS)
