"""A sheet written in place (issue 6: the other sheets of the workbook stay byte-equal)."""

import datetime
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest
from openpyxl.styles import Font

from adapters.files.filled import CannotFill, fill
from adapters.files.tables import Line, xlsx_lines


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """Two sheets, as plans send them: one to read, one to fill in."""
    book = openpyxl.Workbook()
    sent, asked = book.active, book.create_sheet("RTF CS")
    sent.title = "MIF CS"
    sent.append(["Member Name", "Sum"])
    sent.append(["Sample One", "=1+1"])
    asked.append(["Member Name", "Date", "Status", "Check"])
    asked.append(["Sample One", datetime.date(2026, 1, 2), "", "=A2"])
    asked["C2"].font = Font(bold=True)
    book.save(tmp_path / "plan.xlsx")
    return tmp_path / "plan.xlsx"


def parts(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rows(path: Path) -> list[dict[str, str]]:
    return [dict(line.cells) for line in xlsx_lines(path, "RTF CS") if isinstance(line, Line)]


def test_only_the_sheet_that_is_filled_changes(workbook: Path, tmp_path: Path) -> None:
    before = parts(workbook)
    fill(workbook, tmp_path / "out.xlsx", "RTF CS", {2: {3: "1"}})
    after = parts(tmp_path / "out.xlsx")
    assert list(after) == list(before)
    assert [name for name in before if before[name] != after[name]] == ["xl/worksheets/sheet2.xml"]


def test_what_was_written_is_read_back(workbook: Path) -> None:
    fill(workbook, workbook, "RTF CS", {2: {3: "Enrolled & seen"}, 4: {1: " <Sample> Two", 3: 7}}, like=2)
    assert [row["Status"] for row in rows(workbook)] == ["Enrolled & seen", "7"]
    assert rows(workbook)[1]["Member Name"] == " <Sample> Two"


def test_a_workbook_without_an_ending_is_filled(workbook: Path, tmp_path: Path) -> None:
    kept = workbook.rename(tmp_path / "0123abcd")
    fill(kept, tmp_path / "out.xlsx", "RTF CS", {2: {3: "1"}})
    assert rows(tmp_path / "out.xlsx")[0]["Status"] == "1"


def test_a_new_date_is_a_date_where_its_column_shows_dates(workbook: Path) -> None:
    day = datetime.date(2026, 3, 4)
    fill(workbook, workbook, "RTF CS", {3: {2: day, 3: day}}, like=2)
    sheet = openpyxl.load_workbook(workbook)["RTF CS"]
    assert sheet["B3"].value == datetime.datetime(2026, 3, 4)
    assert sheet["C3"].value == "2026-03-04"


def test_a_cell_keeps_its_style(workbook: Path) -> None:
    fill(workbook, workbook, "RTF CS", {2: {3: "x"}})
    assert openpyxl.load_workbook(workbook)["RTF CS"]["C2"].font.bold


def test_a_formula_is_left_alone_and_named(workbook: Path) -> None:
    assert fill(workbook, workbook, "RTF CS", {2: {4: "x"}}) == ["D2"]
    assert openpyxl.load_workbook(workbook)["RTF CS"]["D2"].value == "=A2"


def test_a_text_that_looks_like_a_formula_stays_a_text(workbook: Path) -> None:
    fill(workbook, workbook, "RTF CS", {2: {3: "=HYPERLINK(1)"}})
    assert rows(workbook)[0]["Status"] == "=HYPERLINK(1)"
    assert b"<f>HYPERLINK" not in parts(workbook)["xl/worksheets/sheet2.xml"]


def test_nothing_empties_a_cell(workbook: Path) -> None:
    fill(workbook, workbook, "RTF CS", {2: {1: None}})
    assert openpyxl.load_workbook(workbook)["RTF CS"]["A2"].value is None


def test_a_sheet_that_is_not_there_is_refused_and_nothing_is_left_behind(workbook: Path) -> None:
    with pytest.raises(CannotFill):
        fill(workbook, workbook.with_name("out.xlsx"), "None", {2: {1: "x"}})
    assert [path.name for path in workbook.parent.iterdir()] == ["plan.xlsx"]


def test_a_sheet_of_an_unknown_shape_is_refused_and_nothing_is_left_behind(workbook: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.xlsx"
    with ZipFile(strange, "w") as archive:
        for name, content in parts(workbook).items():
            archive.writestr(name, content.replace(b"<sheetData>", b"<!-- ? --><sheetData>"))
    with pytest.raises(CannotFill):
        fill(strange, tmp_path / "out.xlsx", "RTF CS", {2: {1: "x"}})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.xlsx", "strange.xlsx"]


def test_xml_that_does_not_end_is_refused(workbook: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.xlsx"
    with ZipFile(strange, "w") as archive:
        for name, content in parts(workbook).items():
            archive.writestr(name, content.replace(b"</row>", b""))
    with pytest.raises(CannotFill):
        fill(strange, tmp_path / "out.xlsx", "RTF CS", {2: {1: "x"}})


def test_a_sheet_whose_names_have_a_prefix_is_filled(workbook: Path) -> None:
    prefixed = parts(workbook)
    sheet = prefixed["xl/worksheets/sheet2.xml"].decode()
    for name in ("worksheet", "sheetData", "row", "c", "v", "f", "is", "t"):
        sheet = sheet.replace(f"<{name}>", f"<x:{name}>").replace(f"</{name}>", f"</x:{name}>")
        sheet = sheet.replace(f"<{name} ", f"<x:{name} ")
    sheet = sheet.replace("xmlns=", "xmlns:x=")
    for name in ("sheetPr", "outlinePr", "pageSetUpPr", "dimension", "sheetViews", "sheetFormatPr", "pageMargins"):
        sheet = sheet.replace(f"<{name}", f"<x:{name}").replace(f"</{name}", f"</x:{name}")
    for name in ("sheetView", "selection"):
        sheet = sheet.replace(f"<{name} ", f"<x:{name} ").replace(f"</{name}>", f"</x:{name}>")
    with ZipFile(workbook, "w") as archive:
        for part, content in prefixed.items():
            archive.writestr(part, sheet if part == "xl/worksheets/sheet2.xml" else content)
    fill(workbook, workbook, "RTF CS", {2: {3: "1"}, 3: {1: "Sample Two"}})
    assert [(row["Member Name"], row["Status"]) for row in rows(workbook)] == [
        ("Sample One", "1"),
        ("Sample Two", ""),
    ]
