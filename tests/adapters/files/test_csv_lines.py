"""CSV to lines: rows C01, C03, C04, C07, C08 of the catalogue of bad input."""

import io
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from adapters.files.tables import Line, Look, csv_lines
from hub.feeds.records import WARNING, Reject


def read(content: bytes, **options: object) -> list[Line | Reject]:
    return list(csv_lines(io.BytesIO(content), **options))  # type: ignore[arg-type]


def lines(content: bytes, **options: object) -> list[tuple[int, list[str]]]:
    return [(line.number, list(line.cells.values())) for line in read(content, **options) if isinstance(line, Line)]


def rejects(content: bytes, **options: object) -> list[tuple[str, int]]:
    return [(found.code, found.line) for found in read(content, **options) if isinstance(found, Reject)]


@pytest.mark.parametrize("content", [b"", b"\r\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    (found,) = read(content)
    assert isinstance(found, Reject)
    assert (found.code, found.whole) == ("EMPTY", True)


def test_a_header_alone_is_no_rows_and_a_warning() -> None:
    (found,) = read(b"ID,Name\r\n")
    assert isinstance(found, Reject)
    assert (found.code, found.severity, found.whole) == ("EMPTY", WARNING, False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_all_systems_are_read(end: bytes) -> None:
    assert lines(end.join([b"ID,Name", b"1,One", b"2,Two"])) == [(2, ["1", "One"]), (3, ["2", "Two"])]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    (line,) = read(b"\xef\xbb\xbfID,Name\n1,One\n")
    assert isinstance(line, Line)
    assert list(line.cells) == ["ID", "Name"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused_as_a_whole(codec: str) -> None:
    (found,) = read("ID,Name\n1,One\n".encode(codec))
    assert isinstance(found, Reject)
    assert (found.code, found.whole) == ("ENCODING", True)


def test_bad_utf_8_costs_its_row_and_is_reported_with_its_byte() -> None:
    content = b"\xef\xbb\xbfID,Name\n1,One\n2,\xe9\n3,\xc3\xa9\n"
    bad = next(found for found in read(content) if isinstance(found, Reject))
    assert (bad.code, bad.line) == ("ENCODING", 3)
    assert f"byte {content.index(0xE9, 3)} " in bad.what
    assert lines(content) == [(2, ["1", "One"]), (4, ["3", "é"])]


def test_bytes_of_windows_are_read_where_the_layout_says_so() -> None:
    assert lines(b"ID,Name\n1,\xe9\n", encoding="cp1252") == [(2, ["1", "é"])]


def test_quotes_commas_and_line_ends_within_quotes_are_read() -> None:
    content = b'ID,Note\r\n1,"a ""b"", c\r\nd"\r\n2,e\r\n'
    assert lines(content) == [(2, ["1", 'a "b", c\r\nd']), (4, ["2", "e"])]


def test_a_quote_that_is_not_closed_costs_its_row_only() -> None:
    content = b'ID,Name\n1,"One\n2,Two\n3,Three\n4,"Four"\n5,Five\n'
    assert rejects(content) == [("QUOTES", 2)]
    assert [number for number, _ in lines(content)] == [3, 4, 5, 6]


def test_a_quote_that_the_end_of_the_file_closes_costs_its_row_only() -> None:
    content = b'ID,Name\n1,"One\n2,Two\n'
    assert rejects(content) == [("QUOTES", 2)]
    assert lines(content) == [(3, ["2", "Two"])]


def test_text_after_a_closing_quote_is_refused() -> None:
    assert rejects(b'ID,Name\n1,"One"x\n2,Two\n') == [("QUOTES", 2)]


@pytest.mark.parametrize("sign", [b"\0", b"\x07", b"\x1b"])
def test_nul_and_control_characters_cost_their_row(sign: bytes) -> None:
    content = b"ID,Name\n1,O" + sign + b"ne\n2,Two\n"
    assert rejects(content) == [("NUL", 2)]
    assert lines(content) == [(3, ["2", "Two"])]


def test_nul_in_a_later_line_of_a_record_costs_one_reject() -> None:
    assert rejects(b'ID,Note\n1,"a\nb\0"\n2,c\n') == [("NUL", 2)]


@pytest.mark.parametrize("length", [131_073, 1_100_000, 3_000_000])
def test_a_long_cell_costs_its_row(length: int) -> None:
    content = b"ID,Name\n1," + b"x" * length + b"\n2,Two\n3,\xff\n"
    assert rejects(content) == [("FIELD_TOO_LONG", 2), ("ENCODING", 4)]
    assert lines(content) == [(3, ["2", "Two"])]
    told = read(content)[-1]
    assert isinstance(told, Reject)
    assert f"byte {content.index(0xFF)} " in told.what  # places are true after it, too


def test_the_longest_cell_is_read() -> None:
    ((_, cells),) = lines(b'ID,Note\n1,"' + b"x\n" * 65_536 + b'"\n')
    assert len(cells[1]) == 131_072


def test_a_record_without_an_end_does_not_fill_the_memory() -> None:
    content = io.BytesIO(b'ID,Note\n"' + b'a\n","' * 400_000)
    found = csv_lines(content)
    tracemalloc.start()
    first = next(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(first, Reject)
    assert first.code == "FIELD_TOO_LONG"
    assert peak < 150 << 20


def test_cells_are_known_by_their_column_in_whatever_order() -> None:
    (line,) = read(b"Name,ID\nOne,1\n")
    assert isinstance(line, Line)
    assert line.cells["ID"] == "1"


def test_rows_of_another_width_are_refused() -> None:
    content = b"ID,Name\n1\n2,Two,more\n3,Three,,\n"
    assert rejects(content) == [("COLUMN_COUNT", 2), ("COLUMN_COUNT", 3)]
    assert lines(content) == [(4, ["3", "Three"])]  # empty cells at the end say nothing


def test_empty_rows_are_passed_over_and_counted() -> None:
    assert lines(b"ID,Name\n\n,\n1,One\n") == [(4, ["1", "One"])]


def test_two_columns_of_one_name_are_refused() -> None:
    (found,) = read(b"ID,Name,Name\n1,a,b\n")
    assert isinstance(found, Reject)
    assert (found.code, found.column, found.whole) == ("HEADER_REPEATED", "Name", True)


def test_two_columns_of_one_name_are_numbered_where_the_layout_says_so() -> None:
    (line,) = read(b"City,City,\n1,2,\n", look=Look(repeats=True))
    assert isinstance(line, Line)
    assert line.cells == {"City": "1", "City (2)": "2"}


def test_the_header_is_found_after_titles() -> None:
    content = b"Report of a plan\n\nprinted today,\nID,Name\n1,One\n"
    assert lines(content, look=Look(is_header=lambda cells: "ID" in cells)) == [(5, ["1", "One"])]


def test_a_header_after_the_eighth_row_is_not_looked_for() -> None:
    content = b"x\n" * 8 + b"ID\n1\n"
    assert rejects(content, look=Look(is_header=lambda cells: "ID" in cells)) == [("HEADER_MISSING", 8)]


def test_nothing_is_read_after_a_header_that_is_refused() -> None:
    refusal = Reject("HEADER_MISSING", 1, "CIN", whole=True)
    assert read(b"ID\n1\n", look=Look(expects=lambda names: [refusal])) == [refusal]


@pytest.mark.parametrize(("content", "allowed"), [(b"a|b\n1|x,y\n", ",|"), (b"a\tb\n1\tx,y\n", ",\t|")])
def test_another_delimiter_is_taken_where_the_layout_allows_it(content: bytes, allowed: str) -> None:
    assert lines(content, delimiters=allowed) == [(2, ["1", "x,y"])]


def test_without_a_layout_the_delimiter_is_a_comma() -> None:
    (line,) = read(b"a|b\n1|2\n")
    assert isinstance(line, Line)
    assert line.cells == {"a|b": "1|2"}


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"ID,N\n1,a\n2,b\nTRL,2\n", []),
        (b"ID,N\n1,a\n2,b\nTRL,3\n", [("COUNT", 4)]),
        (b"ID,N\n1,a\nTRL,x\n", [("COUNT", 3)]),
        (b"ID,N\n1,a\n2,b\n", [("COUNT", 0)]),
        (b"ID,N\n1\n2,b\nTRL,2\n", [("COLUMN_COUNT", 2)]),
    ],
)
def test_a_trailer_counts_the_rows(content: bytes, codes: list[tuple[str, int]]) -> None:
    assert rejects(content, look=Look(trailer="TRL")) == codes


def test_an_archive_that_breaks_in_the_middle_refuses_the_file() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise zlib.error
            return super().read(8)

    (found,) = list(csv_lines(Broken(b"ID,Name\n1,One\n")))
    assert isinstance(found, Reject)
    assert (found.code, found.whole) == ("CHECKSUM", True)


def test_a_large_file_is_read_in_little_memory() -> None:
    class Endless(io.RawIOBase):
        def __init__(self, rows: int) -> None:
            self.parts: Iterator[bytes] = (b"1,Sample\n" * 10_000 for _ in range(rows // 10_000))
            self.started = False

        def read(self, size: int = -1) -> bytes:
            if not self.started:
                self.started = True
                return b"ID,Name\n"
            return next(self.parts, b"")

    tracemalloc.start()
    count = sum(1 for _ in csv_lines(Endless(200_000)))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 20 << 20
