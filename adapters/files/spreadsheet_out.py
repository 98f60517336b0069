"""Tables out: CSV and workbooks whose cells no spreadsheet takes for formulas.

Rules: CWE-1236; OWASP "CSV Injection"; RFC 4180. In CSV a text that begins with = + - @, tab or line end gets an
apostrophe in front, which `as_said` takes away again; numbers stay. In a workbook the cell says that it is text.
"""

import csv
import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
MARK = "'"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
Rows = Iterable[Sequence[Any]]


def neutral(text: str) -> str:
    """The text as a cell of a CSV file that is opened in a spreadsheet."""
    return MARK + text if _is_dangerous(text.lstrip(MARK)) else text


def as_said(text: str) -> str:
    """What `neutral` was given."""
    return text[1:] if text.startswith(MARK) and _is_dangerous(text.lstrip(MARK)) else text


def _is_dangerous(text: str) -> bool:
    bare = text.lstrip(" ")
    return bare.startswith(DANGEROUS) and not _NUMBER.fullmatch(bare)


def write_csv(path: Path, header: Sequence[str], rows: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        for row in _with(header, rows):
            writer.writerow([neutral(as_text(value)) for value in row])


def write_workbook(path: Path, sheets: Mapping[str, tuple[Sequence[str], Rows]]) -> None:
    """Sheets by name, each with its header and rows: streaming."""
    import openpyxl  # takes half a second: who writes no workbook does not wait for it

    book = openpyxl.Workbook(write_only=True)
    for name, (header, rows) in sheets.items():
        sheet = book.create_sheet(name)
        for row in _with(header, rows):
            sheet.append([_cell(sheet, value) for value in row])
    book.save(path)


def as_text(value: Any) -> str:
    """Nothing is an empty cell; dates are ISO dates."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return "" if value is None else str(value)


def printable(text: str) -> str:
    """The text without what XML cannot hold."""
    return _CONTROL.sub("", text)


def _with(header: Sequence[str], rows: Rows) -> Iterable[Sequence[Any]]:
    yield header
    yield from rows


def _cell(sheet: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, printable(value))
    cell.data_type = "s"  # a text that begins with = would be a formula
    if _is_dangerous(value):
        cell.quotePrefix = True  # and stay a text where somebody edits it
    return cell
