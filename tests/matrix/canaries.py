"""Canary tokens `ZQ<resource><number>z<element>`: letters and digits, so that they fit ids, codes and texts.

An id is `zq<resource><number>zid`; it counts only where no visible resource refers to it (UNCITED).
"""

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(rb"zq([a-z]+)([0-9]+)z([a-z]+)", re.IGNORECASE)
_BASE64 = re.compile(rb"(?:WlF|enF)[A-Za-z0-9+/]{8,}={0,2}")  # of what begins with ZQ or zq
_SHORT = re.compile("pat|enc|cond|obs|own|cp|task|sr|doc|med|lst|ptr|prv|cov[a-z]*|grp|con[a-z]*")
UNCITED = frozenset(("obs", "own", "task", "sr", "doc", "med", "lst", "ptr", "prv"))


class Canary(NamedTuple):
    short: str
    number: int
    element: str


def canary(short: str, number: int, element: str) -> str:
    return f"ZQ{short}{number}z{element}"


def identity(short: str, number: int) -> str:
    return f"zq{short}{number}zid"


def canaries(leaving: bytes) -> set[Canary]:
    """Those in the bytes, in any case, plain or in base64; ids that others may cite are left out. What looks like
    one by chance (a page link is random letters) names no resource of the world."""
    known = (found for found in _found(leaving) if _SHORT.fullmatch(found.short))
    return {found for found in known if found.element != "id" or found.short in UNCITED}


def _found(leaving: bytes) -> Iterator[Canary]:
    for short, number, element in set(_TOKEN.findall(leaving)):
        yield Canary(short.decode().lower(), int(number), element.decode().lower())
    for text in set(_BASE64.findall(leaving)):
        whole = text.rstrip(b"=")[: len(text) // 4 * 4]  # what is no whole base64 is so by chance
        decoded = base64.b64decode(whole + b"=" * (-len(whole) % 4))
        for short, number, element in _TOKEN.findall(decoded):
            yield Canary(short.decode().lower(), int(number), element.decode().lower())
