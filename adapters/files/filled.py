"""Cells of one sheet written in place: every other part of the workbook stays as it was, byte for byte.

Rules: ECMA-376 part 1, 18.3.1 (rows and cells in order, texts inline: 18.3.1.53). Plans send a workbook whose
sheets belong together, and take one sheet of it back (facts: return transmission files). openpyxl would write
all of it anew and lose what it does not know, so the sheet's XML is cut and put together here.
A cell keeps its style; a new one takes that of the row `like`. Dates are serials where the style shows a date,
ISO text elsewhere. Texts are texts: none becomes a formula.
Refuses (CannotFill): no such sheet, XML of a shape that no spreadsheet program writes. Cells with a formula are
left alone, and named to the caller.
"""

import datetime
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZipFile

import openpyxl
from openpyxl.styles.numbers import is_date_format
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.datetime import to_excel

from adapters.files.spreadsheet_out import as_text, printable

Cells = Mapping[int, Mapping[int, Any]]  # row -> column -> value, from 1
_DATA = re.compile(r"<(\w+:)?sheetData\b")
_FORMULA = re.compile(r"<(?:\w+:)?f\b")
_PLACE = re.compile(r'\br="([A-Z]*)(\d+)"')
_STYLE = re.compile(r'\bs="(\d+)"')
_SPANS = re.compile(r'\bspans="[^"]*"')
_SHAPE = "The sheet's XML is of a shape that is not written in place."
_FOREIGN = ("<!--", "<![CDATA[", "<!DOCTYPE")


class CannotFill(Exception):
    """Why the sheet cannot be written."""


@dataclass(slots=True)
class _Sheet:
    """`dates` are the styles that show a date; `prefix` is that of the XML's names."""

    part: str
    epoch: datetime.datetime
    dates: frozenset[int]
    prefix: str = ""
    styles: dict[int, str] = field(default_factory=dict)  # column -> style of a new cell
    left: list[str] = field(default_factory=list)


def fill(source: Path, target: Path, sheet: str, cells: Cells, like: int = 0) -> list[str]:
    """Write `source` with these cells to `target` (which may be the same file), at once. Gives the cells that were
    left alone, such as `C7`, because they hold a formula. None as a value empties a cell."""
    found = _sheet(source, sheet)
    waiting = target.with_name(f".{target.name}.part")
    try:
        with ZipFile(source) as old, ZipFile(waiting, "w") as new:
            for info in old.infolist():
                content = old.read(info)
                new.writestr(info, _filled(content, found, cells, like) if info.filename == found.part else content)
        os.replace(waiting, target)
    finally:
        waiting.unlink(missing_ok=True)
    return found.left


def _sheet(source: Path, sheet: str) -> _Sheet:
    with source.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(stream, read_only=True)
        if sheet not in book.sheetnames:
            raise CannotFill("The workbook has no sheet of this name.")
        part = book[sheet]._worksheet_path.removeprefix("/")
        return _Sheet(part, book.epoch, frozenset(_date_styles(book)))


def _date_styles(book: Any) -> Iterator[int]:
    formats = dict(enumerate(book._number_formats, 164))
    for place, style in enumerate(book._cell_styles):
        known = openpyxl.styles.numbers.BUILTIN_FORMATS.get(style.numFmtId, "General")
        if is_date_format(formats.get(style.numFmtId, known)):
            yield place


def _filled(content: bytes, sheet: _Sheet, cells: Cells, like: int) -> bytes:
    text = content.decode("utf-8")
    if any(sign in text for sign in _FOREIGN) or (found := _DATA.search(text)) is None:
        raise CannotFill(_SHAPE)
    sheet.prefix = found[1] or ""
    _, old, whole = next(_elements(text, f"{sheet.prefix}sheetData"))
    rows = _rows(old, sheet.prefix)
    like_row = rows.get(like, ("", ""))[1]
    sheet.styles = {place: style for place, (_, style) in _placed(like_row, sheet.prefix).items() if style}
    for number in cells:
        rows[number] = _row(number, *rows.get(number, (f' r="{number}"', "")), cells[number], sheet)
    data = "".join(_tag(sheet.prefix, "row", *rows[number]) for number in sorted(rows))
    before, _, after = text.partition(whole)
    return (before + _tag(sheet.prefix, "sheetData", "", data) + after).encode()


def _elements(text: str, tag: str) -> Iterator[tuple[str, str, str]]:
    """Attributes, content and all of each element that stands in the text, in one walk. Raises CannotFill."""
    opening, closing, at = f"<{tag}", f"</{tag}>", 0
    while (start := text.find(opening, at)) >= 0:
        head = text.find(">", start)
        attributes = text[start + len(opening) : head]
        end = head if attributes.endswith("/") else text.find(closing, head)
        if head < 0 or end < 0:
            raise CannotFill(_SHAPE)
        at = end + (1 if end == head else len(closing))
        if not attributes or attributes[0] in " \t\r\n/":  # not a longer name
            yield attributes.removesuffix("/"), text[head + 1 : end], text[start:at]


def _rows(data: str, prefix: str) -> dict[int, tuple[str, str]]:
    """Row -> its attributes and its content."""
    found = {}
    for attributes, content, _ in _elements(data, f"{prefix}row"):
        if (place := _PLACE.search(attributes)) is None:
            raise CannotFill("A row of the sheet does not say its number.")
        found[int(place[2])] = (attributes, content)
    return found


def _row(number: int, attributes: str, content: str, values: Mapping[int, Any], sheet: _Sheet) -> tuple[str, str]:
    cells = _placed(content, sheet.prefix)
    for column, value in values.items():
        old, style = cells.get(column, ("", sheet.styles.get(column, "")))
        name = f"{get_column_letter(column)}{number}"
        if _FORMULA.search(old):
            sheet.left.append(name)
        else:
            cells[column] = (_cell(name, value, style, sheet), style)
    return _SPANS.sub("", attributes), "".join(cells[column][0] for column in sorted(cells))


def _placed(content: str, prefix: str) -> dict[int, tuple[str, str]]:
    """Column -> the cell's XML and its style."""
    found = {}
    for attributes, _, whole in _elements(content, f"{prefix}c"):
        place, style = _PLACE.search(attributes), _STYLE.search(attributes)
        if place is None:
            raise CannotFill("A cell of the sheet does not say its place.")
        found[column_index_from_string(place[1])] = (whole, style[1] if style else "")
    return found


def _cell(name: str, value: Any, style: str, sheet: _Sheet) -> str:
    attributes = f' r="{name}"' + (f' s="{style}"' if style else "")
    if value is None or value == "":
        return _tag(sheet.prefix, "c", attributes, "")
    if isinstance(value, datetime.date) and style and int(style) in sheet.dates:
        value = to_excel(value, sheet.epoch)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _tag(sheet.prefix, "c", attributes, _tag(sheet.prefix, "v", "", str(value)))
    text = _tag(sheet.prefix, "t", ' xml:space="preserve"', escape(printable(as_text(value))))
    return _tag(sheet.prefix, "c", f'{attributes} t="inlineStr"', _tag(sheet.prefix, "is", "", text))


def _tag(prefix: str, name: str, attributes: str, content: str) -> str:
    if not content:
        return f"<{prefix}{name}{attributes}/>"
    return f"<{prefix}{name}{attributes}>{content}</{prefix}{name}>"
