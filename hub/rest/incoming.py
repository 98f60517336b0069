"""A body as it comes in: whole, or piece by piece for who has no room for all of it.

Rules: RFC 9110 8.4 (Content-Encoding).
Refuses (Problem): another encoding than gzip (`media-type`), more than may be (`too-long`), also where it inflates
to that, and gzip that is none, is cut off, or is followed by something (`structure`).
"""

import zlib
from collections.abc import Iterator
from typing import IO, Any

from hub.problems import Problem
from hub.rest.rendering import GZIP

PIECE = 1 << 16


def whole(request: Any) -> bytes:
    """The body of a Flask request. One in chunks does not say how long it is, and the framework cuts it off at the
    limit without a word. Raises Problem where it may have been cut."""
    body: bytes = request.get_data(cache=False)
    most = request.max_content_length
    if request.content_length is None and most is not None and len(body) >= most:
        raise Problem("too-long", f"The body is {most} bytes or more")
    return body


def pieces(stream: IO[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """`most` bytes in all, without their encoding. Raises Problem, before a piece that is too much."""
    left = most
    for piece in _opened(stream, encoding.strip().lower()):
        left -= len(piece)
        if left < 0:
            raise Problem("too-long", f"The body is more than {most} bytes")
        yield piece


def _opened(stream: IO[bytes], encoding: str) -> Iterator[bytes]:
    if encoding in ("", "identity"):
        return _read(stream)
    if encoding in ("gzip", "x-gzip"):
        return _inflated(_read(stream))
    raise Problem("media-type", "Content-Encoding is gzip, or none", "Content-Encoding")


def _read(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    opener = zlib.decompressobj(GZIP)
    for piece in packed:
        while piece and not opener.eof:
            try:
                yield opener.decompress(piece, PIECE)
            except zlib.error:
                raise Problem("structure", "The body is not gzip", "Content-Encoding") from None
            piece = opener.unconsumed_tail
        if opener.unused_data or (piece and opener.eof):
            break
    yield opener.flush()
    if not opener.eof or opener.unused_data or next(packed, b""):
        raise Problem("structure", "The gzip body is cut off, or something follows it", "Content-Encoding")
