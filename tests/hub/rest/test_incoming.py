"""A body that comes in piece by piece is never held, and never longer than it may be."""

import gzip
import io
import tracemalloc
import zlib

import pytest

from hub.problems import Problem
from hub.rest.incoming import pieces

SAID = bytes(range(256)) * 4000  # a megabyte
BOMB = gzip.compress(bytes(64 << 20))


def read(body: bytes, encoding: str = "", most: int = len(SAID)) -> bytes:
    return b"".join(pieces(io.BytesIO(body), encoding, most))


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "x-gzip", " GZIP "])
def test_it_is_what_was_sent(encoding: str) -> None:
    body = gzip.compress(SAID) if "gzip" in encoding.lower() else SAID
    assert read(body, encoding) == SAID


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_no_byte_is_lost_at_the_edges_of_pieces(level: int, size: int) -> None:
    said = (SAID + SAID[::-1])[:size]
    assert read(gzip.compress(said, level), "gzip") == said


@pytest.mark.parametrize(
    ("body", "encoding", "kind"),
    [
        (SAID + b"x", "", "too-long"),
        (gzip.compress(SAID + b"x"), "gzip", "too-long"),
        (gzip.compress(SAID)[:-1], "gzip", "structure"),
        (gzip.compress(SAID) + b"x", "gzip", "structure"),
        (gzip.compress(b"a") + bytes(200_000), "gzip", "structure"),
        (b"", "gzip", "structure"),
        (b"no gzip", "gzip", "structure"),
        (zlib.compress(SAID), "deflate", "media-type"),
    ],
)
def test_what_cannot_be_taken_is_refused(body: bytes, encoding: str, kind: str) -> None:
    with pytest.raises(Problem) as refused:
        read(body, encoding)
    assert refused.value.kind == kind


def test_what_inflates_to_far_more_is_refused_before_it_is_there() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Problem, match="more than 1000000 bytes"):
            read(BOMB, "gzip", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
