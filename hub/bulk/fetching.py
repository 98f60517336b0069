"""A file of an import, fetched from a host that the deployment lists, piece by piece.

Rules: OWASP Server-Side Request Forgery prevention (hub.notifications.connections: pinned address, no redirects, no
credentials of this machine). The list is asked once more when the file is fetched. A piece is some whole lines:
what is in memory does not grow with the file.
Refuses (CannotFetch): hosts that are not listed, other answers than 200, files past `most` bytes or broken off,
lines past the longest that is imported, hosts that are slower than `pace` or take longer than `seconds`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.bulk.lines import LONGEST
from hub.notifications.addresses import PORTS, URL, listed
from hub.notifications.connections import Arriving, Refused, Route, Unreachable, arriving

ACCEPT = {"Accept": "application/fhir+ndjson"}
PIECE = 1 << 18
Fetch = Callable[[str], Iterable[bytes]]


class CannotFetch(Exception):
    """The text names no host."""


def is_listed(url: str, hosts: Sequence[str]) -> bool:
    """Whether the deployment lists the URL's host."""
    found = URL.fullmatch(url)
    if found is None:
        return False
    parts = urlsplit(url)
    return listed((parts.hostname or "").lower(), parts.port or PORTS[found["scheme"]], hosts)


@dataclass(frozen=True, slots=True)
class Fetching:
    """A file takes `seconds` at most. Nothing may come for `idle` seconds; after that long, `pace` bytes a second
    must have come on average."""

    hosts: Sequence[str]
    most: int
    seconds: float = 3600
    idle: float = 30
    pace: int = 64 << 10

    def __call__(self, url: str) -> Iterator[bytes]:
        """The file, in pieces of whole lines; one at least. Raises CannotFetch, also after some of them."""
        if not is_listed(url, self.hosts):
            raise CannotFetch("its host is none of those that imports may fetch from")
        asked = arriving(url, ACCEPT, self.seconds, self.idle, Route(self.hosts))
        is_here = False
        try:
            with asked as answer:
                is_here = True
                yield from _of_lines(self._checked(answer))
        except (Refused, Unreachable):
            raise CannotFetch("it broke off" if is_here else "its host does not answer") from None

    def _checked(self, answer: Arriving) -> Iterator[bytes]:
        if answer.status != 200:
            raise CannotFetch(f"its host answers {answer.status}")
        began, size = time.monotonic(), 0
        for piece in answer.pieces:
            size += len(piece)
            if size > self.most:
                raise CannotFetch(f"it has more than {self.most >> 20} MB")
            if size < self.pace * (time.monotonic() - began - self.idle):
                raise CannotFetch("its host is too slow")
            yield piece


def _of_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut behind ends of lines; an empty file is one piece."""
    held = bytearray()
    for block in blocks:
        held += block
        if len(held) >= PIECE and (end := held.rfind(b"\n") + 1):
            yield bytes(held[:end])
            del held[:end]
        if len(held) > LONGEST + PIECE:
            raise CannotFetch(f"it has a line of more than {LONGEST >> 20} MB")
    yield bytes(held)
