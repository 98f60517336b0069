"""What a proxy still sends when the request was refused already.

Who asks is settled before a body is read (docs/adr/0005), and so is what is too large. A server that closes such a
connection with bytes unread resets it, and the reset overtakes the answer: the proxy takes the node for dead
(nginx: 502, and `max_fails`), for everybody. RFC 9112 section 9.6: read on for a while, then close.

So what a trusted proxy still sends is read and thrown away before the answer leaves. It has the whole body by then
(nginx: proxy_request_buffering), and is done in milliseconds. One that has not may keep its thread waiting: half of
the threads may wait for such, no more. A stranger who connects himself is not waited for, nor who was told to send
nothing before `100 Continue`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import BoundedSemaphore
from typing import Any

PLACE_SECONDS = 0.5  # for others to be done
MOST_BYTES = 64 << 20  # nginx stops before: client_max_body_size in deploy/nginx.conf
PIECE = 1 << 16
BODIED = ("POST", "PUT", "PATCH")

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Incoming:
    """A request's body, which knows whether all of it was read. Its length is None where it comes in chunks."""

    def __init__(self, stream: Any, length: int | None):
        self._stream, self._left = stream, length
        self.ended = False

    def read(self, size: int | None = None) -> bytes:
        return self._seen(self._stream.read() if size is None or size < 0 else self._stream.read(size), size)

    def readline(self, size: int | None = None) -> bytes:
        return self._seen(self._stream.readline(), size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _seen(self, piece: bytes, asked: int | None) -> bytes:
        if self._left is not None:
            self._left -= len(piece)
        self.ended = self.ended or (not piece and asked != 0) or self._left == 0
        return piece


class Lingering:
    """A WSGI application around another one, which `threads` threads serve."""

    def __init__(self, app: Wsgi, is_proxy: Callable[[Environ], bool], threads: int):
        self._app, self._is_proxy = app, is_proxy
        self._places = BoundedSemaphore(max(1, threads // 2))

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not (_has_body(environ) and self._is_proxy(environ)):
            return self._app(environ, start_response)
        length = environ.get("CONTENT_LENGTH", "")
        incoming = Incoming(environ["wsgi.input"], int(length) if length.isdecimal() else None)
        environ["wsgi.input"] = incoming
        told: list[str] = []

        def start(status: str, *more: Any) -> Any:
            told.append(status)
            return start_response(status, *more)

        answer = self._app(environ, start)
        if not incoming.ended and _is_over(environ, told):
            self._read_on(incoming)
        return answer

    def _read_on(self, incoming: Incoming) -> None:
        if not self._places.acquire(timeout=PLACE_SECONDS):
            return
        left = MOST_BYTES
        try:
            with suppress(Exception):  # the proxy left: nobody waits for the answer
                while not incoming.ended and left > 0:
                    left -= len(incoming.read(PIECE))
        finally:
            self._places.release()


def _has_body(environ: Environ) -> bool:
    """And somebody brought it: `X-Forwarded-For` is what a proxy adds."""
    if "HTTP_X_FORWARDED_FOR" not in environ or "HTTP_EXPECT" in environ:
        return False
    return environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def _is_over(environ: Environ, told: list[str]) -> bool:
    """Whether nobody will read the body any more."""
    return environ["REQUEST_METHOD"] not in BODIED or bool(told and told[-1][:1] in "45")
