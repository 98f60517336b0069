"""A table's rows by the names of its header, for CSV and workbooks alike.

Rules: docs/files.md. The header is the first row that looks like one, within the first eight that are not empty;
empty rows are passed over. Columns are known by name, never by place.
Refuses: a file without a header, two columns of one name (unless the layout numbers them), what the caller
misses in the header, rows with more or fewer cells than the header, a trailer that counts otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hub.feeds.records import WARNING, Reject

HEADER_WITHIN = 8
IsHeader = Callable[[Sequence[str]], bool]
Expects = Callable[[Sequence[str]], Iterable[Reject]]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table. `number` is where it begins in its file, from 1; `cells` by the header's text."""

    number: int
    cells: Mapping[str, Any]


class Record(NamedTuple):
    """A row before its cells have names."""

    number: int
    cells: Sequence[str]


def not_empty(cells: Sequence[str]) -> bool:
    return any(cells)


def nothing_more(names: Sequence[str]) -> Iterable[Reject]:
    return ()


@dataclass(frozen=True, slots=True)
class Look:
    """What a table looks like. `is_header` knows the header's row; `expects` says what is missing in it or unknown
    (Columns.header does); `repeats` calls the second column `City` `City (2)` instead of refusing the file;
    `ragged` rows end with their last filled cell; `trailer` is the first cell of a last row whose second one
    counts the rows."""

    is_header: IsHeader = not_empty
    expects: Expects = nothing_more
    repeats: bool = False
    ragged: bool = False
    trailer: str = ""


class Table:
    """Gives the lines of one table. `width` is that of its header, None before it was met."""

    def __init__(self, look: Look):
        self.look = look
        self.width: int | None = None
        self._names: tuple[str, ...] = ()
        self._looked_at = self._rows = 0
        self._counted: int | None = None

    def lines(self, records: Iterable[Record | Reject]) -> Iterator[Line | Reject]:
        """Ends after a reject of the whole file."""
        for record in records:
            for given in self._given(record):
                yield given
                if isinstance(given, Reject) and given.whole:
                    return
        yield from self._end()

    def _given(self, record: Record | Reject) -> Iterable[Line | Reject]:
        if isinstance(record, Reject):
            self._rows += 1  # a trailer counts it, too
            return (record,)
        if not any(record.cells):
            return ()
        if self.width is None:
            return self._head(record)
        if self.look.trailer and record.cells[0] == self.look.trailer:
            return self._trailer(record)
        self._rows += 1
        return (self._line(record),)

    def _head(self, record: Record) -> Iterable[Reject]:
        self._looked_at += 1
        if not self.look.is_header(record.cells):
            return (headless(record.number),) if self._looked_at == HEADER_WITHIN else ()
        cells = _trimmed(record.cells)
        self._names = _named(cells)
        self.width = len(cells)
        if not self.look.repeats and len(set(cells)) < len(cells) and (twice := _twice(cells)):
            return (_repeated(record.number, twice),)
        return self.look.expects(self._names)

    def _line(self, record: Record) -> Line | Reject:
        number, cells = record
        width = len(self._names)
        if len(cells) != width:
            if any(cells[width:]) or (len(cells) < width and not self.look.ragged):
                return miscounted(number)
            cells = [*cells[:width], *[""] * (width - len(cells))]
        return Line(number, dict(zip(self._names, cells, strict=True)))

    def _trailer(self, record: Record) -> Iterable[Reject]:
        said = record.cells[1].strip() if len(record.cells) > 1 else ""
        self._counted = int(said) if said.isascii() and said.isdigit() else -1
        return () if self._counted == self._rows else (_wrong_count(record.number),)

    def _end(self) -> Iterator[Reject]:
        if self.width is None:
            yield headless(0) if self._looked_at else empty()
        elif self.look.trailer and self._counted is None:
            yield _wrong_count(0)
        elif not self._rows:
            yield Reject("EMPTY", what="The file has a header and no rows.", severity=WARNING)


def empty() -> Reject:
    return Reject("EMPTY", what="The file is empty. Send it again.", whole=True)


def headless(number: int) -> Reject:
    what = f"None of the first {HEADER_WITHIN} rows is the header that this kind of file has."
    return Reject("HEADER_MISSING", number, what=what, whole=True)


def miscounted(number: int) -> Reject:
    what = "The row has more or fewer cells than the header; perhaps a quote is not closed."
    return Reject("COLUMN_COUNT", number, what=what)


def _repeated(number: int, column: str) -> Reject:
    what = "Two columns have this name. Give each its own."
    return Reject("HEADER_REPEATED", number, column, what, whole=True)


def _wrong_count(number: int) -> Reject:
    what = "The trailer is missing, or counts other rows than there are: the file is not complete."
    return Reject("COUNT", number, what=what, whole=True)


def _trimmed(cells: Sequence[str]) -> list[str]:
    """The names without the empty cells after the last one."""
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _twice(names: Sequence[str]) -> str:
    return next((name for at, name in enumerate(names) if name and name in names[:at]), "")


def _named(cells: Sequence[str]) -> tuple[str, ...]:
    """One name for each column: those without one are called by their place, repeated ones numbered."""
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        times = sum(cell == before for before in cells[: place - 1])
        names.append(f"(column {place})" if not cell else f"{cell} ({times + 1})" if times else cell)
    return tuple(names)
