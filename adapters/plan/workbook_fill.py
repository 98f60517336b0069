"""Facts into the sheet of a workbook that the plan sent: the member's row where it has one, else a new one.

Rules: docs/plan-workbooks.md "In place"; adapters/files/filled.py (what is not written stays byte for byte).
A member's row is found by CIN or the plan's record number. What nobody says leaves its cell as it is. Several
facts of one member take its rows in order, then new ones behind the last.
Refuses (Problem): no sheet with this layout; what cannot be written in place.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl

from adapters.files.filled import CannotFill, fill
from adapters.files.layout_cells import cell, placed
from adapters.files.layouts import Column, Layout
from adapters.plan.workbook_choice import choice
from hub.feeds.records import Feed, Reject
from hub.problems import Problem

Facts = Mapping[str, Any]
WHO = ("cin", "mrn")


@dataclass(slots=True)
class _Sheet:
    """`free`: the rows of each member that are not filled yet; `last` the last row with anything in it."""

    columns: list[tuple[int, Column]]
    first: int = 0
    last: int = 0
    free: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    taken: set[int] = field(default_factory=set)

    def row(self, facts: Facts) -> int:
        for fact in WHO:
            for number in self.free.get((fact, _plain(facts.get(fact))), ()):
                if number not in self.taken:
                    return self._take(number)
        self.last += 1
        return self._take(self.last)

    def _take(self, number: int) -> int:
        self.taken.add(number)
        return number


def filled_in(
    source: Path, target: Path, feed: Feed, layout: Layout, rows: Sequence[Facts]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Writes `source` with these rows to `target`. Gives what the layout has no word for, and the cells that were
    left alone. Raises Problem."""
    chosen = choice(source, feed.kind, replace(feed, layout=layout.name))
    if isinstance(chosen, Reject):
        raise Problem("value", f"The workbook cannot be filled in: {chosen.what}", "file")
    if not chosen.sheet:
        raise Problem("value", "Only a workbook (.xlsx) is filled in", "file")
    sheet = _sheet(source, chosen.sheet, chosen.header, layout)
    gaps: set[str] = set()
    cells = {sheet.row(facts): dict(_cells(layout, sheet, facts, gaps)) for facts in rows}
    try:
        left = fill(source, target, chosen.sheet, cells, like=sheet.first)
    except (CannotFill, BadZipFile, ValueError) as error:
        raise Problem("value", f"The workbook cannot be filled in: {error}", "file") from None
    return tuple(sorted(gaps)), tuple(left)


def _cells(layout: Layout, sheet: _Sheet, facts: Facts, gaps: set[str]) -> Iterator[tuple[int, Any]]:
    for place, column in sheet.columns:
        value = cell(layout, column, facts, gaps)
        if value is not None:
            yield place, value


def _sheet(source: Path, name: str, header: Sequence[str], layout: Layout) -> _Sheet:
    sheet = _Sheet(list(placed(layout, header)))
    who = {place: column.fact for place, column in sheet.columns if column.fact in WHO}
    for number, row in _rows(source, name):
        texts = [" ".join(str(value).split()) if value is not None else "" for value in row]
        if not sheet.first:
            sheet.first = number + 1 if tuple(texts) == tuple(header) else 0
        elif any(texts):
            for place, fact in who.items():
                if place <= len(texts) and (known := _plain(texts[place - 1])):
                    sheet.free[fact, known].append(number)
        if any(texts):
            sheet.last = number
    return sheet


def _rows(source: Path, name: str) -> Iterator[tuple[int, Sequence[Any]]]:
    book = openpyxl.load_workbook(source, read_only=True)
    try:
        book[name].reset_dimensions()
        yield from enumerate(book[name].iter_rows(values_only=True), 1)
    finally:
        book.close()


def _plain(value: Any) -> str:
    """A number as two people write it alike."""
    return "".join(char for char in str(value or "").upper() if char.isalnum())
