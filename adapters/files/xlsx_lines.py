"""A sheet of a workbook -> lines.

Rules: ECMA-376 (Office Open XML), by openpyxl, streaming. Cells are text: dates as yyyy-mm-dd (where the cell is a
date; its serial is resolved by the workbook's own epoch), numbers as written, with the zeros in front that a format
such as 00000 shows. A formula is the text of its formula: nothing is evaluated, and no value that somebody else
computed is believed.
Refuses, as a whole: what is no workbook, what is encrypted, the older format .xls, an unsafe ZIP, a missing sheet.
"""

import datetime
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from adapters.files.archives import unsafe
from adapters.files.lines import Line, Look, Record, Table
from hub.feeds.records import Reject

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PART = "EncryptedPackage".encode("utf-16-le")
LAST_ROW = 1_048_576  # of a sheet
MAX_BYTES = 1 << 30  # unpacked
MAX_STRINGS = 64 << 20  # bytes of the texts that all sheets share: these alone are held in memory
PLAIN = Look()
BROKEN = (BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError, OSError)


def sheet_names(path: Path) -> list[str] | Reject:
    """The names of the visible sheets, in order; or why there are none."""
    if refused := _no_workbook(path):
        return refused
    try:
        with _opened(path) as book:
            return [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    except BROKEN:
        return _damaged()


def xlsx_lines(path: Path, sheet: str, *, look: Look = PLAIN) -> Iterator[Line | Reject]:
    """The lines of the sheet of this name."""
    if refused := _no_workbook(path):
        yield refused
        return
    look = Look(look.is_header, look.expects, look.repeats, ragged=True, trailer=look.trailer)
    yield from Table(look).lines(_records(path, sheet))


def _records(path: Path, sheet: str) -> Iterator[Record | Reject]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl names features that it does not know
            yield from _rows(path, sheet)
    except BROKEN:
        yield _damaged()


def _rows(path: Path, sheet: str) -> Iterator[Record | Reject]:
    with _opened(path) as book:
        if sheet not in (found.title for found in book.worksheets):
            yield Reject("HEADER_MISSING", part=sheet, what="The workbook has no sheet of this name.", whole=True)
            return
        found = book[sheet]
        found.reset_dimensions()  # what the file says of them may be wrong
        for number, row in enumerate(found.iter_rows(), 1):
            if number > LAST_ROW:
                yield _damaged()
                return
            yield Record(number, [_text(cell) for cell in row])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """By its content: the hub keeps files without their endings."""
    import openpyxl  # takes half a second: who reads no workbook does not wait for it

    with path.open("rb") as stream:
        book = openpyxl.load_workbook(stream, read_only=True)
        try:
            yield book
        finally:
            book.close()


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return _written(value, cell)


def _written(value: Any, cell: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(getattr(value, "text", value))  # an array formula


def _number(value: int | float, number_format: str) -> str:
    if value != int(value):
        return repr(value)
    digits = str(int(value))
    return digits.zfill(len(number_format)) if set(number_format) == {"0"} else digits


def _no_workbook(path: Path) -> Reject | None:
    with path.open("rb") as stream:
        start = stream.read(8)
    if not start:
        return Reject("EMPTY", what="The file is empty. Send it again.", whole=True)
    if start == OLE:
        return _ole(path)
    return unsafe(path, MAX_BYTES, {"xl/sharedstrings.xml": MAX_STRINGS})


def _ole(path: Path) -> Reject:
    if _holds(path, ENCRYPTED_PART):
        return Reject("ENCRYPTED", what="The workbook has a password. Send it without one.", whole=True)
    return Reject("UNSUPPORTED", what="The workbook is of the older format .xls. Save it as .xlsx.", whole=True)


def _holds(path: Path, wanted: bytes) -> bool:
    before = b""
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            if wanted in before + chunk:
                return True
            before = chunk[-len(wanted) :]
    return False


def _damaged() -> Reject:
    return Reject(
        "UNSUPPORTED", what="The file is no workbook, or a damaged one. Save it again as .xlsx.", whole=True
    )
