"""64-bit keys of the search index: type, parameter, form of the value, value.

BLAKE2b (RFC 7693), eight bytes. Two different values can share a key (once in 10^19 pairs); whoever reads the
index checks the resource itself (hub.search.match).
"""

from functools import lru_cache
from hashlib import blake2b
from struct import Struct

_SEPARATOR = "\x1f"  # validation refuses control characters in values, so that parts cannot run together
_SIGNED = Struct(">q")


LONGEST_REMEMBERED = 200  # characters: a sender must not fill the memory with its texts


def key(*parts: str) -> int:
    """A signed 64-bit number for these parts."""
    text = _SEPARATOR.join(parts)
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else _number(text)


@lru_cache(maxsize=8192)
def _remembered(text: str) -> int:
    return _number(text)


def _number(text: str) -> int:
    found: int = _SIGNED.unpack(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())[0]
    return found
