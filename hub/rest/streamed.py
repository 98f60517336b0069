"""Answers that are made piece by piece, and how a client learns that one of them broke off.

Rules: RFC 9112 section 8 (a message is incomplete when fewer bytes came than Content-Length says, or no last
chunk). A web server may end chunks as if all were well when what makes them fails (Granian does, PEP 3333 demands
nothing): so an answer of up to WHOLE bytes is made before any of it leaves. Its length is told, its faults are
refusals, and a connection that breaks is seen. A longer one leaves as it is made; where it breaks off, its last
piece says so.
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain

from hub.rest.faults import as_problem

log = logging.getLogger("hub.rest")
WHOLE = 16 << 20  # bytes


def whole_or_begun(pieces: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """All of them, or the first ones of what is longer; and whether that is all."""
    begun: list[bytes] = []
    size = 0
    for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if size > WHOLE:
            return begun, False
    return begun, True


def to_the_end(begun: Iterable[bytes], left: Iterator[bytes], broken_off: bytes) -> Iterator[bytes]:
    """All that is left; `broken_off` last where it ends early."""
    try:
        yield from chain(begun, left)
    except Exception as error:
        log.error("an answer broke off: %s", as_problem(error).kind)
        yield broken_off
