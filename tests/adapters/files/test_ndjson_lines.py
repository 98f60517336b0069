"""NDJSON to lines."""

import io
from decimal import Decimal

from adapters.files.tables import Line, ndjson_lines
from hub.feeds.records import Reject


def test_each_line_is_an_object() -> None:
    found = list(ndjson_lines(io.BytesIO(b'\xef\xbb\xbf{"a": 72.50}\n\n{"b": {"c": 1}}')))
    assert found == [Line(1, {"a": Decimal("72.50")}), Line(3, {"b": {"c": 1}})]


def test_a_bad_line_costs_itself() -> None:
    content = (
        b'{"a": 1}\n[1]\n{"a":\n{"a": "\xff"}\n' + b"[" * 9999 + b'\n{"a": "' + b"x" * (5 << 20) + b'"}\n{"a": 2}\n'
    )
    found = list(ndjson_lines(io.BytesIO(content)))
    assert [(one.code, one.line) for one in found if isinstance(one, Reject)] == [
        ("TYPE", 2),
        ("TYPE", 3),
        ("ENCODING", 4),
        ("TYPE", 5),
        ("FIELD_TOO_LONG", 6),
    ]
    assert [line.number for line in found if isinstance(line, Line)] == [1, 7]


def test_an_empty_file_is_refused() -> None:
    (found,) = ndjson_lines(io.BytesIO(b"\n"))
    assert isinstance(found, Reject)
    assert (found.code, found.whole) == ("EMPTY", True)
