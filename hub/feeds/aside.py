"""What a file says anew stands in files of its own until its end is seen: memory holds some thousand rows of it.

The files have no name, and are gone with the process.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import msgspec

from hub.feeds.kept import Said
from hub.feeds.records import Row

CHUNK = 2000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple).decode


@dataclass(frozen=True, slots=True)
class Aside:
    """Rows that say something new, and those that say again what they said, later."""

    _news: IO[bytes]
    _again: IO[bytes]

    def news(self, one: Said) -> None:
        row = one.row
        place = row.kind, row.key, row.subject, row.line, row.stage, row.part, row.deleted
        _put(self._news, (one.name, one.hash, one.body, one.at, *place))

    def again(self, one: Said) -> None:
        _put(self._again, (one.row.kind, one.name, one.at))

    def all_news(self) -> Iterator[Sequence[Said]]:
        """The values are in the body already."""
        every = (_said(*found) for found in _all(self._news))
        while some := list(islice(every, CHUNK)):
            yield some

    def all_again(self, covered: Mapping[str, int]) -> Iterator[Sequence[tuple[bytes, int]]]:
        """Names and moments; without rows of kinds that were named as a whole at that moment (hub.feeds.wholes)."""
        every = ((name, at) for kind, name, at in _all(self._again) if covered.get(kind) != at)
        while some := list(islice(every, CHUNK)):
            yield some


@contextmanager
def aside_in(folder: Path) -> Iterator[Aside]:
    with TemporaryFile(dir=folder) as news, TemporaryFile(dir=folder) as again:
        yield Aside(news, again)


def _put(file: IO[bytes], what: tuple[Any, ...]) -> None:
    packed = _encode(what)
    file.write(len(packed).to_bytes(4, "big") + packed)


def _all(file: IO[bytes]) -> Iterator[tuple[Any, ...]]:
    file.seek(0)
    while size := file.read(4):
        yield _decode(file.read(int.from_bytes(size, "big")))


def _said(name: bytes, number: int, body: bytes, at: int, kind: str, key: str, subject: str, *place: Any) -> Said:
    return Said(name, number, body, Row(kind, key, subject, {}, *place), at)
