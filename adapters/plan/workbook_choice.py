"""Which sheet of a workbook a kind of file stands in, and which layout it has: by the header, or nobody knows.

Rules: docs/plan-workbooks.md. A sheet of the layout's name goes before one whose name holds it, and that before the
only sheet of a file. The header stands in the first eight rows. A feed may name its layout.
Refuses (LAYOUT_UNKNOWN): no layout that fits, or several that fit alike. Of a row that looks like a header the
columns that no layout has are named: they are no data of a person.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.files.layouts import Layout, Layouts, layouts_in
from adapters.files.lines import Line, Look
from adapters.files.spreadsheet_out import as_said
from adapters.files.tables import csv_lines, sheet_names, xlsx_lines
from hub.feeds.records import Feed, Reject

log = logging.getLogger("hub.feeds")
SHIPPED = Path(__file__).parent / "layouts"
ZIP_START, OLE_START = b"PK", b"\xd0\xcf"
NAMED, LIKE, ALONE, NOT = 3, 2, 1, 0


@dataclass(frozen=True, slots=True)
class Choice:
    """`sheet` is empty for a CSV file. `header` is the header's row as it is written."""

    layout: Layout
    sheet: str
    header: tuple[str, ...]
    fits: tuple[int, tuple[int, int]] = (0, (0, 0))


def layouts_of(feed: Feed) -> Layouts:
    """The shipped ones and the deployment's (HUB_LAYOUTS). Raises ValueError."""
    own = str(feed.options.get("layouts") or "")
    return layouts_in(SHIPPED, *([Path(own)] if own else ()))


def choice(path: Path, kind: str, feed: Feed) -> Choice | Reject:
    """The sheet and layout of a file of this kind."""
    try:
        layouts = layouts_of(feed)
    except (ValueError, OSError) as error:
        log.error("layouts cannot be read: %s", error)
        return _unknown("A layout of this hub cannot be read; its log says which.")
    candidates = [one for one in layouts.of(kind) if not feed.layout or one.name == feed.layout]
    if not candidates:
        return _unknown(
            "There is no layout of this name and kind." if feed.layout else "No layout is of this kind."
        )
    sheets = sheets_of(path)
    if isinstance(sheets, Reject):
        return sheets
    return _best(path, sheets, candidates, layouts)


def _best(path: Path, sheets: Sequence[str], candidates: Sequence[Layout], layouts: Layouts) -> Choice | Reject:
    is_alone = len(sheets) == 1
    near = [sheet for sheet in sheets if any(_nearness(layout, sheet, is_alone) for layout in candidates)]
    first = {sheet: _first_rows(path, sheet) for sheet in near}  # each look costs all texts of the workbook
    fitting = [one for sheet in near for one in _choices(first[sheet], sheet, candidates, is_alone)]
    best = max((one.fits for one in fitting), default=None)
    found = [one for one in fitting if one.fits == best]
    if len({one.layout.name for one in found}) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted({one.layout.name for one in found}))
        return _unknown(f"Several layouts fit: {names}. Let the feed name one.")
    return _strangers([row for rows in first.values() for row in rows], candidates, layouts)


def _choices(
    rows: Sequence[Sequence[str]], sheet: str, candidates: Sequence[Layout], is_alone: bool
) -> Iterator[Choice]:
    for layout in candidates:
        header = next((row for row in rows if layout.has_header(row)), None)
        if header is not None and (nearness := _nearness(layout, sheet, is_alone)):
            yield Choice(layout, sheet, tuple(header), (nearness, layout.coverage(header)))


def _nearness(layout: Layout, sheet: str, is_alone: bool) -> int:
    if layout.has_sheet(sheet):
        return NAMED
    if layout.is_like_sheet(sheet):
        return LIKE
    return ALONE if is_alone else NOT


def sheets_of(path: Path) -> list[str] | Reject:
    """The names of a workbook's sheets; of anything else one without a name."""
    with path.open("rb") as stream:
        start = stream.read(2)
    return sheet_names(path) if start in (ZIP_START, OLE_START) else [""]


def lines_of(path: Path, sheet: str, look: Look) -> Iterator[Line | Reject]:
    if sheet:
        yield from xlsx_lines(path, sheet, look=look)
        return
    with path.open("rb") as stream:
        for line in csv_lines(stream, look=look, delimiters=",\t;|"):
            yield line if isinstance(line, Reject) else Line(line.number, _as_said(line.cells))


def _as_said(cells: Mapping[str, str]) -> Mapping[str, str]:
    """Without the marks that keep a spreadsheet from calculating."""
    return {name: as_said(text) for name, text in cells.items()}


def _first_rows(path: Path, sheet: str) -> list[list[str]]:
    """The rows among which the header must be."""
    rows: list[list[str]] = []

    def look_at(cells: Sequence[str]) -> bool:
        rows.append([" ".join(cell.split()) for cell in cells])
        return False

    for _ in lines_of(path, sheet, Look(is_header=look_at)):
        pass
    return rows


def _strangers(rows: Sequence[Sequence[str]], candidates: Sequence[Layout], layouts: Layouts) -> Reject:
    """What stands in the way: the columns that the nearest layout lacks, or that there is no header at all."""
    known = {name for layout in layouts.by_name.values() for name in layout.by_header()}
    headers = [row for row in rows if sum(1 for _ in candidates[0].fitting(row)) or _knows(row, layouts)]
    if not known or not headers:
        return _unknown("None of the first eight rows is a header that a layout of this kind has.")
    header = max(headers, key=lambda row: max(len(one.fitting(row)) for one in candidates))
    layout = max(candidates, key=lambda one: len(one.fitting(header)))
    missing = [c.header for c in layout.columns if c.required and c not in layout.fitting(header).values()]
    told = f"Nearest is {layout.name}. It lacks: {', '.join(layout.unknown(header)[:20]) or 'nothing'}."
    return _unknown(f"{told} The file lacks: {', '.join(missing) or 'one of its keys'}."[:256])


def _knows(row: Sequence[str], layouts: Layouts) -> bool:
    return any(layout.fitting(row) for layout in layouts.by_name.values())


def _unknown(what: str) -> Reject:
    return Reject("LAYOUT_UNKNOWN", what=what, whole=True)
