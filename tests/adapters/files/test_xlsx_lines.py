"""Workbooks to lines, and out again: rows C01, C08, C09 and C13 of the catalogue of bad input."""

import datetime
import zipfile
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from adapters.files import xlsx_lines as reader
from adapters.files.spreadsheet_out import as_said, neutral, write_csv, write_workbook
from adapters.files.tables import Line, Look, csv_lines, sheet_names, xlsx_lines
from hub.feeds.records import Reject

BY_DOB = Look(is_header=lambda cells: "DOB" in cells)
TEXTS = ("=1+1", "+1", "+cmd|' /C calc'!A0", "-5", "-x", "@SUM(1)", "\tx", "'=a", "''=a", "'a", "plain", " =1")


def saved(folder: Path, *rows: list[object], epoch_1904: bool = False) -> Path:
    book = openpyxl.Workbook()
    if epoch_1904:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    sheet = book.active
    sheet.title = "MIF"
    for row in rows:
        sheet.append(row)
    book.create_sheet("hidden").sheet_state = "hidden"
    book.save(folder / "sent.xlsx")
    return folder / "sent.xlsx"


def cells(path: Path, look: Look = BY_DOB) -> list[dict[str, str]]:
    return [dict(line.cells) for line in xlsx_lines(path, "MIF", look=look) if isinstance(line, Line)]


def refusal(path: Path, sheet: str = "MIF") -> tuple[str, bool]:
    (found,) = xlsx_lines(path, sheet)
    assert isinstance(found, Reject)
    return found.code, found.whole


@pytest.mark.parametrize("epoch_1904", [False, True])
def test_dates_are_dates_by_either_calendar(tmp_path: Path, epoch_1904: bool) -> None:
    moment = datetime.datetime(1980, 2, 3, 4, 5)
    path = saved(tmp_path, ["DOB", "At"], [datetime.date(1980, 2, 3), moment], epoch_1904=epoch_1904)
    assert cells(path) == [{"DOB": "1980-02-03", "At": "1980-02-03T04:05:00"}]


def test_a_number_is_no_date_and_keeps_the_zeros_that_are_shown(tmp_path: Path) -> None:
    path = saved(tmp_path, ["DOB", "ZIP", "Sum", "Whole"], [29254, 1234, 1.5, 12.0])
    book = openpyxl.load_workbook(path)
    book["MIF"]["B2"].number_format = "00000"
    book.save(path)
    assert cells(path) == [{"DOB": "29254", "ZIP": "01234", "Sum": "1.5", "Whole": "12"}]


def test_a_formula_is_a_text_and_never_what_it_computes(tmp_path: Path) -> None:
    formula = ArrayFormula("B2:B2", "=SUM(A1:A2)")
    path = saved(tmp_path, ["DOB", "Sum"], ['=HYPERLINK("http://example.org")', formula])
    assert cells(path) == [{"DOB": '=HYPERLINK("http://example.org")', "Sum": "=SUM(A1:A2)"}]


def test_the_header_stands_within_the_first_eight_rows_and_rows_end_where_they_like(tmp_path: Path) -> None:
    path = saved(tmp_path, ["Plan"], [], ["a", "b"], [" Name ", "DOB", "x"], ["Sample", "y"], [], ["One", "", "z"])
    found = [line for line in xlsx_lines(path, "MIF", look=BY_DOB) if isinstance(line, Line)]
    assert [(line.number, dict(line.cells)) for line in found] == [
        (5, {"Name": "Sample", "DOB": "y", "x": ""}),
        (7, {"Name": "One", "DOB": "", "x": "z"}),
    ]


def test_the_sheets_that_are_seen_are_named(tmp_path: Path) -> None:
    assert sheet_names(saved(tmp_path, ["DOB"])) == ["MIF"]


def test_a_workbook_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path, ["DOB"], ["1980-02-03"]).rename(tmp_path / "0123abcd")
    assert sheet_names(path) == ["MIF"]
    assert cells(path) == [{"DOB": "1980-02-03"}]


def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(saved(tmp_path, ["DOB"]), "RTF") == ("HEADER_MISSING", True)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY"),
        (b"ID,Name\n1,One\n", "UNSUPPORTED"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "UNSUPPORTED"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "ENCRYPTED"),
        (b"PK\x03\x04 and no more", "UNSUPPORTED"),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "sent.xlsx"
    path.write_bytes(content)
    assert refusal(path) == (code, True)
    names = sheet_names(path)
    assert isinstance(names, Reject)
    assert names.code == code


def with_sheet(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


def test_a_sheet_of_broken_xml_is_refused(tmp_path: Path) -> None:
    assert refusal(with_sheet(saved(tmp_path, ["DOB"]), b"<worksheet><sheetData>")) == ("UNSUPPORTED", True)


def test_entities_that_multiply_are_refused(tmp_path: Path) -> None:
    lol = (
        b'<!DOCTYPE x [<!ENTITY a "'
        + b"ha" * 100
        + b'">'
        + b"".join(
            f'<!ENTITY {new} "{f"&{old};" * 50}">'.encode() for old, new in zip("abcde", "bcdef", strict=True)
        )
    )
    sheet = lol + b"]><worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>"
    sheet += b"<row r='1'><c r='A1' t='inlineStr'><is><t>&f;</t></is></c></row></sheetData></worksheet>"
    assert refusal(with_sheet(saved(tmp_path, ["DOB"]), sheet)) == ("UNSUPPORTED", True)


def test_a_row_number_beyond_any_sheet_is_refused(tmp_path: Path) -> None:
    sheet = b"<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>"
    sheet += b"<row r='2000000000'><c r='A2000000000'><v>1</v></c></row></sheetData></worksheet>"
    assert refusal(with_sheet(saved(tmp_path, ["DOB"]), sheet)) == ("UNSUPPORTED", True)


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_BYTES", 1000)
    assert refusal(saved(tmp_path, ["DOB"])) == ("ZIP_UNSAFE", True)


def test_texts_that_all_sheets_share_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_STRINGS", 10)
    path = saved(tmp_path, ["DOB"])
    with zipfile.ZipFile(path, "a") as archive:
        if "xl/sharedStrings.xml" not in archive.namelist():
            archive.writestr("xl/sharedStrings.xml", "x" * 11)
    assert refusal(path) == ("ZIP_UNSAFE", True)


@pytest.mark.parametrize("text", TEXTS)
def test_no_cell_of_a_csv_is_a_formula_and_all_are_read_back(text: str) -> None:
    assert not neutral(text).lstrip(" ").startswith(("=", "@", "\t")) or text == neutral(text) == "-5"
    assert as_said(neutral(text)) == text


def test_numbers_of_a_csv_stay_as_they_are() -> None:
    assert [neutral(number) for number in ("-5", "+17145550100", "-0.25")] == ["-5", "+17145550100", "-0.25"]


def test_a_csv_that_was_written_is_read_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "out.csv", ["Text", "Day"], ([text, datetime.date(2026, 1, 2)] for text in TEXTS))
    with (tmp_path / "out.csv").open("rb") as stream:
        found = [line for line in csv_lines(stream) if isinstance(line, Line)]
    assert [as_said(line.cells["Text"]) for line in found] == list(TEXTS)
    assert {line.cells["Day"] for line in found} == {"2026-01-02"}


def test_no_cell_of_a_workbook_is_a_formula_and_all_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    write_workbook(path, {"MIF": (["DOB"], [[text] for text in (*TEXTS, "\x07bell")])})
    assert [row["DOB"] for row in cells(path)] == [*TEXTS, "bell"]
    with zipfile.ZipFile(path) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
