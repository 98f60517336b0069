"""Bytes of X12 -> segments, one after another, whatever the size of the file.

Rules: X12.5 (see separators.py); line ends between segments are no part of them. The bytes come in pieces of any
size: the segments are the same.
- What cannot be read is a segment with a `fault` (a word of hub.feeds.reject_codes) and nothing but its name; of an
  ISA, what there is.
- After the end of an interchange, or where an ISA stands inside of one, the separators are read anew.
Refuses: segments longer than 64 KiB (the 5010 guides need less than 4), NUL bytes, other encodings. Where no ISA
stands that can be read, one last segment says so.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from adapters.x12.separators import LENGTH, Separators, separators

CHUNK, LONGEST = 1 << 16, 1 << 16
_BOM, _BLANK = b"\xef\xbb\xbf", " \r\n\t"


class Segment(NamedTuple):
    """`number` counts from 1 in the file. `elements[0]` is the name, `elements[1]` X01."""

    number: int
    elements: tuple[str, ...]
    separators: Separators | None
    fault: str = ""

    @property
    def name(self) -> str:
        return self.elements[0]

    def element(self, place: int) -> str:
        return self.elements[place].strip() if place < len(self.elements) else ""

    def components(self, place: int) -> list[str]:
        return self.element(place).split(self.separators.component) if self.separators else []


def segments(stream: BinaryIO, encoding: str = "utf-8", chunk: int = CHUNK) -> Iterator[Segment]:
    """All segments of a file."""
    return _Reader(stream, encoding, chunk).read()


class _Reader:
    def __init__(self, stream: BinaryIO, encoding: str, chunk: int):
        self.stream, self.encoding, self.chunk = stream, encoding, chunk
        self.held, self.ended, self.number = b"", False, 0

    def read(self) -> Iterator[Segment]:
        self._fill(len(_BOM))
        self.held = self.held.removeprefix(_BOM)
        while self._another():
            found = separators(self.held)
            if found is None:
                yield self._segment(self._text(self.held[:LENGTH]), None, "X12_ENVELOPE")
                return
            yield from self._interchange(found)

    def _interchange(self, by: Separators) -> Iterator[Segment]:
        """Up to its IEA, or to the ISA of the next one, or to the end."""
        yield self._segment(self._text(self.held[: LENGTH - 1]), by)
        self.held, end = self.held[LENGTH:], by.terminator.encode()
        while True:
            block, met, self.held = self.held.rpartition(end)
            text = self._text(block)
            is_plain = text.isascii() and "\0" not in text
            pieces = text.split(by.terminator) if met else []
            for place, piece in enumerate(pieces):
                bare = piece.strip(_BLANK) if piece[:1] in _BLANK or piece[-1] == "\r" else piece
                if bare[:3] == "ISA" and not bare[3:4].isalnum():
                    self._put_back(pieces[place:], by)
                    return
                if bare:
                    yield self._segment(bare, by, is_plain=is_plain)
                if bare[:3] == "IEA":
                    self._put_back(pieces[place + 1 :], by)
                    return
            if self.ended:
                yield from self._rest(by)
                return
            if len(self.held) > LONGEST:
                yield self._segment(self._text(self.held), by, "FIELD_TOO_LONG")
                self._skip(end)
            self._fill(len(self.held) + 1)

    def _segment(self, raw: str, by: Separators | None, fault: str = "", is_plain: bool = False) -> Segment:
        self.number += 1
        if len(raw) > LONGEST:
            fault = "FIELD_TOO_LONG"
        elif not is_plain and not fault:
            fault = self._fault(raw)
        if not fault and by:
            return Segment(self.number, tuple(raw.split(by.element)), by)
        elements = _header(raw) if raw.startswith("ISA") else (_name(raw),)
        return Segment(self.number, elements, by, fault)

    def _fault(self, raw: str) -> str:
        try:
            size = len(raw.encode(self.encoding))
        except UnicodeEncodeError:
            return "ENCODING"
        return "FIELD_TOO_LONG" if size > LONGEST else "NUL" if "\0" in raw else ""

    def _text(self, raw: bytes) -> str:
        """Bytes that are none in this encoding become surrogates: the segment that has them is found by them."""
        return raw.decode(self.encoding, "surrogateescape")

    def _rest(self, by: Separators) -> Iterator[Segment]:
        """What follows the last terminator: some leave out that of IEA, all else is cut off."""
        rest, self.held = self._text(self.held).strip(_BLANK), b""
        if rest:
            yield self._segment(rest, by, "" if rest.startswith("IEA") else "X12_SEGMENT")

    def _another(self) -> bool:
        """Whether anything but line ends follows; then as much as an ISA needs."""
        while True:
            self.held = self.held.lstrip(_BLANK.encode())
            if len(self.held) >= LENGTH or self.ended:
                return bool(self.held)
            self._fill(LENGTH)

    def _fill(self, least: int) -> None:
        while len(self.held) < least and not self.ended:
            more = self.stream.read(self.chunk)
            self.held, self.ended = self.held + more, not more

    def _skip(self, terminator: bytes) -> None:
        """Forget what is held, up to the next terminator."""
        self.held = b""
        while not self.ended:
            self._fill(1)
            _, met, after = self.held.partition(terminator)
            self.held = after
            if met:
                return

    def _put_back(self, pieces: list[str], by: Separators) -> None:
        again = by.terminator.join([*pieces, ""]).encode(self.encoding, "surrogateescape")
        self.held = again + self.held


def _header(raw: str) -> tuple[str, ...]:
    """As much of an ISA that cannot be read as there is: whom to answer, and about which interchange."""
    return tuple(raw[:LENGTH].split(raw[3])) if len(raw) > 3 else ("ISA",)


def _name(raw: str) -> str:
    """The name of a segment that cannot be read: its first letters and digits, three at most."""
    name = raw[:3]
    return name if name.isascii() and name.isalnum() else "?"
