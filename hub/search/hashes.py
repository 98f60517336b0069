"""64-bit keys of the search index: type, parameter, form of the value, value.

BLAKE2b (RFC 7693), eight bytes. Two different values can share a key (once in 10^19 pairs); whoever reads the
index checks the resource itself (hub.search.match).
"""

from functools import lru_cache
from hashlib import blake2b

_SEPARATOR = "\x1f"  # validation refuses control characters in values, so that parts cannot run together


LONGEST_REMEMBERED = 200  # characters: a sender must not fill the memory with its texts


def key(*parts: str) -> int:
    """A signed 64-bit number for these parts."""
    return _remembered(parts) if sum(map(len, parts)) <= LONGEST_REMEMBERED else _number(parts)


@lru_cache(maxsize=4096)
def _remembered(parts: tuple[str, ...]) -> int:
    return _number(parts)


def _number(parts: tuple[str, ...]) -> int:
    text = _SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)
