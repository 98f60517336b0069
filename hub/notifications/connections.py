"""One POST to a stranger's server: to a checked address, without redirects, within a time, reading little.

Rules: OWASP Server-Side Request Forgery prevention; RFC 9110. Each name is looked up once for a connection, every
address found must be fit, and the connection goes to that address and no other (a name that changes its answer
between check and use gains nothing). Host header, SNI and certificate stay those of the name.
Refuses: what hub.notifications.addresses refuses; redirects (their 3xx is the answer); certificates that do not
fit; waiting beyond the given time, however slowly bytes trickle; more than 64 KB of an answer.
No proxy, no cookie and no credential of this machine is used: each POST has its own session.
Ceiling: the name server's own time limits come on top of the given time.
"""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from hub.notifications.addresses import is_public, listed, refusal

MOST_ANSWER = 65536
MOST_ADDRESSES = 4
OURS = {"User-Agent": "CalAIM-FHIR-Hub", "Accept-Encoding": "identity", "Connection": "close"}
Lookup = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


class Refused(Exception):
    """The hub must not call this address; the text names no host."""


class Unreachable(Exception):
    """No HTTP answer; the text is the kind of the failure."""


def looked_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


@dataclass(frozen=True, slots=True)
class Route:
    """`allowed` are the listed hosts; `verify` a CA bundle, or True for the usual certificate authorities."""

    allowed: Sequence[str] = ()
    lookup: Lookup = looked_up
    verify: str | bool = True

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses to connect to. Raises Refused, also where only one of several is unfit."""
        found = self.lookup(host, port)
        if not listed(host.lower(), port, self.allowed) and not all(is_public(address) for address in found):
            raise Refused("The endpoint's name leads to an address that is not public")
        return found[:MOST_ADDRESSES]

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to the first address that answers. Raises Refused or OSError."""
        found = self.addresses(host, port)
        for place, address in enumerate(found, 1):
            try:
                return socket.create_connection((address, port), seconds / len(found))
            except OSError:
                if place == len(found):
                    raise
        raise OSError("The name has no address")


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float, route: Route) -> int:
    """The HTTP status that a receiver answers. Raises Refused or Unreachable."""
    if why := refusal(url, route.allowed):
        raise Refused(why)
    with _Cut(seconds) as cut, requests.Session() as session:
        session.trust_env = False
        session.headers.clear()
        pinned = _Pinned(lambda host, port, wait: cut.watched(route.connect(host, port, wait)))
        session.adapters.clear()
        session.mount("https://", pinned)
        session.mount("http://", pinned)
        try:
            answer = session.post(
                url,
                data=body,
                headers={**OURS, **headers},
                timeout=seconds,
                allow_redirects=False,
                stream=True,
                verify=route.verify,
            )
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            raise Unreachable(type(error).__name__) from None
        with answer:
            if cut.over:  # an answer cut off within its headers still looks like one
                raise Unreachable("Timeout")
            _drain(answer)
            return answer.status_code


def _drain(answer: requests.Response) -> None:
    """Read the answer's body, so that a receiver can end its sending in peace; what it says does not count."""
    left = MOST_ANSWER
    with suppress(HTTPError, OSError):
        while left > 0 and (chunk := answer.raw.read1(left, decode_content=False)):
            left -= len(chunk)


class _Cut:
    """Shuts a connection down when its time is up, whatever it is doing: a socket's own timeout starts anew with
    every byte."""

    def __init__(self, seconds: float):
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self.over = False

    def __enter__(self) -> "_Cut":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._twin is not None:
                self._twin.close()
                self._twin = None

    def watched(self, connection: socket.socket) -> socket.socket:
        # a twin, because TLS takes the connection's own file descriptor away
        with self._lock:
            self._twin = connection.dup()
        if self.over:
            self._end()
        return connection

    def _end(self) -> None:
        self.over = True
        with self._lock, suppress(OSError):
            if self._twin is not None:
                self._twin.shutdown(socket.SHUT_RDWR)


class _Pinned(HTTPAdapter):
    """requests over connections that `connect` makes."""

    def __init__(self, connect: Connect):
        self._connect = connect
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._connect),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._connect),
        }


def _pool(pool: type, connection: type, connect: Connect) -> Any:
    def new_connection(self: Any) -> socket.socket:
        return connect(self.host, self.port, self.timeout)

    pinned = type(f"Pinned{connection.__name__}", (connection,), {"_new_conn": new_connection})
    return type(f"Pinned{pool.__name__}", (pool,), {"ConnectionCls": pinned})
