"""A file of an import, fetched from a host that the deployment lists.

Rules: OWASP Server-Side Request Forgery prevention (hub.notifications.connections: pinned address, no redirects, no
credentials of this machine). The list is asked once more when the file is fetched.
Refuses (CannotFetch): hosts that are not listed, other answers than 200, files past `most` bytes or broken off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.bulk.importing import CannotFetch
from hub.notifications.addresses import PORTS, URL, listed
from hub.notifications.connections import Refused, Route, Unreachable, exchange

SECONDS = 300
ACCEPT = {"Accept": "application/fhir+ndjson"}


def is_listed(url: str, hosts: Sequence[str]) -> bool:
    """Whether the deployment lists the URL's host."""
    found = URL.fullmatch(url)
    if found is None:
        return False
    parts = urlsplit(url)
    return listed((parts.hostname or "").lower(), parts.port or PORTS[found["scheme"]], hosts)


@dataclass(frozen=True, slots=True)
class Fetching:
    hosts: Sequence[str]
    most: int

    def __call__(self, url: str) -> bytes:
        """The file. Raises CannotFetch."""
        if not is_listed(url, self.hosts):
            raise CannotFetch("its host is none of those that imports may fetch from")
        try:
            answer = exchange("GET", url, None, ACCEPT, SECONDS, Route(self.hosts), self.most + 1)
        except (Refused, Unreachable):
            raise CannotFetch("its host does not answer") from None
        if answer.status != 200:
            raise CannotFetch(f"its host answers {answer.status}")
        if len(answer.body) > self.most:
            raise CannotFetch(f"it has more than {self.most >> 20} MB")
        if not answer.is_whole:
            raise CannotFetch("it broke off")
        return answer.body
