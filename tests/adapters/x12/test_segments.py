"""Bytes become segments, whatever the pieces they come in (adapters/x12/segments.py)."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.x12.segments import LONGEST, Segment, segments
from tests.adapters.x12.made import file_834, text

FILE = file_834(["BGN*00*1*20261101", "REF*38*MEDI-CAL"], ["BGN*00*2*20261101"])
PIECES = st.lists(
    st.sampled_from([*FILE, "ISA*00", "IEA*1", "", "NM1*IL*1*Ñ", "\0", "A" * 300, "\r\n"]), max_size=12
)


def read(content: bytes, chunk: int = 1 << 16) -> list[Segment]:
    return list(segments(io.BytesIO(content), chunk=chunk))


def faults(content: bytes) -> list[tuple[str, str]]:
    return [(one.name, one.fault) for one in read(content) if one.fault]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), PIECES)
def test_any_split_of_the_stream_gives_the_same_segments(chunk: int, more: list[str]) -> None:
    content = text([*FILE, *more], "~")
    assert read(content, chunk) == read(content)


@pytest.mark.parametrize("end", ["~", "~\n", "~\r\n", "~\r\n\r\n"])
def test_line_ends_between_segments_are_no_part_of_them(end: str) -> None:
    assert [one.elements for one in read(text(FILE, end))] == [one.elements for one in read(text(FILE, "~"))]


def test_segments_are_counted_from_one() -> None:
    assert [one.number for one in read(text(FILE))] == [*range(1, len(FILE) + 1)]


def test_separators_are_those_of_the_isa() -> None:
    content = text(FILE, "~").replace(b"*", b"|").replace(b"~", b"\n")
    assert [one.elements for one in read(content)] == [one.elements for one in read(text(FILE))]


def test_each_interchange_has_separators_of_its_own() -> None:
    other = text(FILE, "~").replace(b"*", b"|").replace(b"~", b"!")
    found = read(text(FILE) + b"\n" + other)
    assert [one.elements for one in found[: len(FILE)]] == [one.elements for one in found[len(FILE) :]]


def test_an_isa_inside_of_an_interchange_begins_another_one() -> None:
    cut = text(FILE[:5], "~")
    other = text(FILE, "~").replace(b"*", b"|")
    assert [one.name for one in read(cut + other)] == [one.name for one in (*read(cut), *read(other))]


def test_the_last_terminator_may_be_missing() -> None:
    content = text(FILE, "~").removesuffix(b"~")
    assert [one.elements for one in read(content)] == [one.elements for one in read(text(FILE))]


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert read(b"\xef\xbb\xbf" + text(FILE)) == read(text(FILE))


@pytest.mark.parametrize(
    ("piece", "fault"),
    [
        (b"NM1*IL*1*\0", "NUL"),
        (b"NM1*IL*1*\xff\xfe", "ENCODING"),
        (b"NM1*" + b"X" * (LONGEST + 1), "FIELD_TOO_LONG"),
        (b"NM1*" + b"X" * (5 * LONGEST), "FIELD_TOO_LONG"),
    ],
)
def test_a_segment_that_cannot_be_read_is_named_and_all_others_are_there(piece: bytes, fault: str) -> None:
    lines = text(FILE, "~").split(b"~")
    content = b"~".join([*lines[:4], piece, *lines[4:]])
    found = read(content)
    assert [(one.name, one.fault) for one in found if one.fault] == [("NM1", fault)]
    assert [one.elements for one in found if not one.fault] == [one.elements for one in read(text(FILE))]


def test_a_file_that_ends_in_the_middle_of_a_segment_says_so() -> None:
    assert faults(text(FILE[:4], "~") + b"REF*38*MED") == [("REF", "X12_SEGMENT")]


@pytest.mark.parametrize(
    "broken",
    [
        b"ISA*00*short~",
        text(FILE).replace(b"ISA*00*          ", b"ISA*00*         ", 1),
        text(FILE).replace(b"*T*:~", b"*T**~", 1),
        text(FILE).replace(b"*T*:~", b"*T*A~", 1),
        text(FILE).replace(b"*T*:~", b"*T*^~", 1),
        b"This is no X12 at all, however long it may be. " * 10,
    ],
)
def test_what_is_no_isa_is_one_last_segment(broken: bytes) -> None:
    assert [one.fault for one in read(broken)] == ["X12_ENVELOPE"]


def test_nothing_has_no_segments() -> None:
    assert read(b"") == read(b"\r\n\r\n") == []
