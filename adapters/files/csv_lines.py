"""CSV -> lines, row by row, whatever the file's size.

Rules: RFC 4180 (quotes, embedded line ends), by the csv module, strictly; UTF-8 with or without a byte order mark.
A row that cannot be read costs that row: after a quote that is not closed reading goes on with the next line of the
file, and bytes that are no UTF-8 are reported with their place.
Refuses: UTF-16 and UTF-32 (the whole file); rows with NUL or other control characters, with a cell or line over the
limits, with quotes that do not pair.
"""

import csv
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile

from adapters.files.lines import Line, Look, Record, Table, empty, miscounted
from hub.feeds.records import Reject

CHUNK = 1 << 18
LONGEST_CELL = 131_072  # characters
LONGEST_LINE = 1 << 20  # bytes
LONGEST_RECORD = 1 << 20  # characters, of all its lines
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
UTF8_MARK = b"\xef\xbb\xbf"
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
ENCODINGS = ("utf-8", "cp1252")
PLAIN = Look()
WHAT = {
    "ENCODING": "The row holds bytes that are no UTF-8, from byte {offset} of the file on.",
    "NUL": "The row holds a NUL or another control character.",
    "FIELD_TOO_LONG": "The row has a cell of more than 131,072 characters; perhaps a quote is not closed.",
    "QUOTES": "The row's quotes do not pair. Write a quote inside of quotes twice.",
}


def csv_lines(
    stream: BinaryIO, *, look: Look = PLAIN, delimiters: str = ",", encoding: str = "utf-8"
) -> Iterator[Line | Reject]:
    """The lines of a table. Of several `delimiters` the one that stands most often in the first lines is taken.
    `encoding` is utf-8 or, where a layout says so, cp1252."""
    table = Table(look)
    try:
        head = stream.read(CHUNK)
        if refused := _unreadable(head):
            yield refused
            return
        start = head.removeprefix(UTF8_MARK)
        chunks = chain((start,), iter(lambda: stream.read(CHUNK), b""))
        lines = _Lines(_physical(chunks, encoding, len(head) - len(start)))
        yield from table.lines(_records(lines, _delimiter(head, delimiters), table))
    except (BadZipFile, zlib.error, EOFError):
        yield Reject("CHECKSUM", what="The archive is damaged. Send it again.", whole=True)


def _unreadable(head: bytes) -> Reject | None:
    if not head.removeprefix(UTF8_MARK).strip():
        return empty()
    if head.startswith(WIDE_MARKS) or head[:1000].count(0) > len(head[:1000]) // 4:
        return Reject("ENCODING", what="The file is UTF-16 or binary. Save it as UTF-8.", whole=True)
    return None


def _delimiter(head: bytes, allowed: str) -> str:
    first = b"".join(head.splitlines()[:8])
    return max(allowed, key=lambda mark: first.count(mark.encode()))


class _Physical(NamedTuple):
    """A line of the file; `fault` is a reject's code, `offset` where in the file it lies."""

    number: int
    text: str
    fault: str = ""
    offset: int = 0


class _Lines:
    """Gives the csv module line by line, and remembers which ones the record at hand is made of."""

    def __init__(self, source: Iterator[_Physical]):
        self._source = source
        self._again: deque[_Physical] = deque()
        self.of_record: list[_Physical] = []
        self.fault: _Physical | None = None
        self.size = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source)
        self.of_record.append(line)
        self.size += len(line.text)
        if self.size > LONGEST_RECORD:
            raise csv.Error("record limit")
        if line.fault and self.fault is None:
            self.fault = line
        return line.text

    def begin(self) -> None:
        self.of_record, self.fault, self.size = [], None, 0

    def read_again(self) -> None:
        """All lines but the first of a record that is none."""
        self._again.extendleft(reversed(self.of_record[1:]))


def _records(lines: _Lines, delimiter: str, table: Table) -> Iterator[Record | Reject]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _torn(lines, "FIELD_TOO_LONG" if "limit" in str(error) else "QUOTES")
            continue
        yield _record(lines, cells, table.width)


def _record(lines: _Lines, cells: list[str], width: int | None) -> Record | Reject:
    first = lines.of_record[0]
    if len(lines.of_record) > 1 and width is not None and len(cells) != width:
        return _torn(lines, "COLUMN_COUNT")
    if lines.fault:
        return _reject(first.number, lines.fault.fault, lines.fault.offset)
    if lines.size > LONGEST_CELL and max(map(len, cells)) > LONGEST_CELL:
        return _reject(first.number, "FIELD_TOO_LONG")
    return Record(first.number, cells)


def _torn(lines: _Lines, code: str) -> Reject:
    """The first line of what is no record; the others are read again."""
    first = lines.of_record[0]
    lines.read_again()
    return _reject(first.number, first.fault or code, first.offset)


def _reject(number: int, code: str, offset: int = 0) -> Reject:
    return Reject(code, number, what=WHAT[code].format(offset=offset)) if code in WHAT else miscounted(number)


def _physical(chunks: Iterable[bytes], encoding: str, offset: int) -> Iterator[_Physical]:
    for number, (raw, length) in enumerate(_raw(chunks), 1):
        yield _decoded(raw, number, offset, encoding)
        offset += length


def _raw(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Lines with their ends and their lengths; of one that is too long, its beginning."""
    rest, dropped = b"", 0
    for chunk in chunks:
        lines = (rest + chunk).splitlines(keepends=True)
        unfinished = b"" if lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            yield line, len(line) + dropped
            dropped = 0
        rest, dropped = unfinished[: LONGEST_LINE + 1], dropped + len(unfinished[LONGEST_LINE + 1 :])
    if rest:
        yield rest, len(rest) + dropped


def _decoded(raw: bytes, number: int, offset: int, encoding: str) -> _Physical:
    if len(raw) > LONGEST_LINE:
        return _Physical(number, "\n", "FIELD_TOO_LONG", offset)
    if found := CONTROL.search(raw):
        return _Physical(number, _anyhow(raw, encoding), "NUL", offset + found.start())
    try:
        return _Physical(number, raw.decode(encoding))
    except UnicodeDecodeError as error:
        return _Physical(number, _anyhow(raw, encoding), "ENCODING", offset + error.start)


def _anyhow(raw: bytes, encoding: str) -> str:
    """Text in which the quotes are where they were."""
    return raw.decode(encoding, "surrogateescape")
