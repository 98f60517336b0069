"""One request to a stranger's server: to a checked address, without redirects, within a time, reading little.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import PoolManager

from hub.notifications.addresses import is_public, listed, refusal

MOST_ANSWER = 65536
BLOCK = 1 << 16  # bytes of an answer that is read as it comes
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


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` are its first bytes; `is_whole`: there were no more, and none was lost."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float, route: Route) -> int:
    """The HTTP status that a receiver answers. Raises Refused or Unreachable."""
    return exchange("POST", url, body, headers, seconds, route).status


def exchange(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    seconds: float,
    route: Route,
    most: int = MOST_ANSWER,
) -> Answer:
    """One request and its answer. Raises Refused or Unreachable."""
    with _sent(method, url, body, headers, seconds, seconds, route) as (answer, cut):
        found, is_whole = _read(answer, most)
        return Answer(answer.status_code, answer.headers, found, is_whole and not cut.over)


@dataclass(frozen=True, slots=True)
class Arriving:
    """An answer whose body is read as it comes, once."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


@contextmanager
def arriving(url: str, headers: Mapping[str, str], seconds: float, idle: float, route: Route) -> Iterator[Arriving]:
    """A GET: the answer is over after `seconds`, and after `idle` seconds in which nothing came. Raises Refused or
    Unreachable, also out of `pieces` where the body is not whole."""
    with _sent("GET", url, None, headers, seconds, idle, route) as (answer, cut):
        yield Arriving(answer.status_code, answer.headers, _pieces(answer, cut))


@contextmanager
def _sent(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    seconds: float,
    idle: float,
    route: Route,
) -> Iterator[tuple[requests.Response, "_Cut"]]:
    if why := refusal(url, route.allowed):
        raise Refused(why)
    with (
        _Cut(seconds) as cut,
        _Pinned(lambda host, port, wait: cut.watched(route.connect(host, port, wait))) as door,
    ):
        try:
            # no session: it would follow redirects, keep cookies and look for proxies
            asked = requests.Request(method, url, headers={**OURS, **headers}, data=body).prepare()
            answer = door.send(asked, stream=True, timeout=idle, verify=route.verify)
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            raise Unreachable(type(error).__name__) from None
        with answer:
            if cut.over:  # an answer cut off within its headers still looks like one
                raise Unreachable("Timeout")
            yield answer, cut


def _pieces(answer: requests.Response, cut: "_Cut") -> Iterator[bytes]:
    size = 0
    try:
        while piece := answer.raw.read1(BLOCK, decode_content=False):
            size += len(piece)
            yield piece
    except (HTTPError, OSError) as error:
        raise Unreachable(type(error).__name__) from None
    if cut.over or _announced(answer) not in (None, size):
        raise Unreachable("IncompleteRead")


def _announced(answer: requests.Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _read(answer: requests.Response, most: int) -> tuple[bytes, bool]:
    """Its body up to `most` bytes, so that a receiver can end its sending in peace; and whether that is all."""
    found = bytearray()
    with suppress(HTTPError, OSError):
        while len(found) < most and (chunk := answer.raw.read1(most - len(found), decode_content=False)):
            found += chunk
        announced = _announced(answer)
        return bytes(found), len(found) < most if announced is None else len(found) == announced
    return bytes(found), False


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

    def __enter__(self) -> "_Pinned":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = _Pools(self._connect)


class _Pools(PoolManager):
    """What it makes connects by `connect`, and in no other way."""

    def __init__(self, connect: Connect):
        super().__init__(num_pools=1, maxsize=1)
        self._connect = connect
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def _new_pool(self, *args: Any, **kwargs: Any) -> Any:
        pool = super()._new_pool(*args, **kwargs)
        pool.connects = self._connect  # type: ignore[attr-defined]
        return pool


class _ByRoute:
    """A connection that `connects` makes. A mix-in: urllib3 has a class for http and one for https."""

    connects: Connect
    host: str
    port: int
    timeout: Any

    def _new_conn(self) -> socket.socket:
        return self.connects(self.host, self.port, self.timeout)


class _HttpConnection(_ByRoute, HTTPConnection):
    """Without TLS."""


class _HttpsConnection(_ByRoute, HTTPSConnection):
    """With TLS."""


class _PoolByRoute:
    """Its connections are made by what the pool was given."""

    connects: Connect

    def _new_conn(self) -> Any:
        made: Any = super()._new_conn()  # type: ignore[misc]
        made.connects = self.connects
        return made


class _HttpPool(_PoolByRoute, HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(_PoolByRoute, HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
