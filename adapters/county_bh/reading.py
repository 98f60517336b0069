"""A county's table, from a file or a ZIP of files, as rows of a schema.

Rules: docs/files.md (how tables are read), docs/county-bh.md (columns). A county that writes its headers, codes or
dates otherwise says so in its feed: `columns` = {theirs: ours}, `words` = {column: {theirs: ours}}, `dates` = forms
as strptime has them.
Refuses: see adapters.files.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from marshmallow import Schema

from adapters.files.archives import Member, safe_members
from adapters.files.columns import Columns
from adapters.files.lines import Line, Look
from adapters.files.tables import csv_lines
from hub.feeds.records import Feed, Given, Reject, Row

Values = dict[str, Any]
Rows = Callable[[Values, int, str], Iterable[Row | Reject]]  # of a line: its values, its number, the part


def columns_of(schema: type[Schema], feed: Feed) -> Columns:
    options = feed.options
    return Columns(
        schema, options.get("columns", {}), codes=options.get("words", {}), dates=tuple(options.get("dates", ()))
    )


def tables(path: Path, schema: type[Schema], feed: Feed, rows: Rows) -> Iterator[Given]:
    """The rows of each CSV in the file. A part is named where the file is an archive."""
    for member in safe_members(path):
        if isinstance(member, Reject):
            yield member
        else:
            yield from table(member, path, columns_of(schema, feed), rows)


def table(member: Member, path: Path, columns: Columns, rows: Rows) -> Iterator[Given]:
    part = part_of(member, path)
    with member.open() as stream:
        for found in columns.rows(lines(stream, columns)):
            if isinstance(found, Reject):
                yield in_part(found, part)
            else:
                line, values = found
                yield from rows(values, line.number, part)


def lines(stream: BinaryIO, columns: Columns) -> Iterator[Line | Reject]:
    return csv_lines(stream, look=Look(columns.knows, columns.header))


def part_of(member: Member, path: Path) -> str:
    return "" if member.name == path.name else member.name


def in_part(reject: Reject, part: str) -> Reject:
    return Reject(reject.code, reject.line, reject.column, reject.what, part, reject.severity, reject.whole)


def key_of(*parts: Any) -> str:
    """A row's key: a bar in a part must not make two rows one."""
    return "|".join(str(part or "").replace("\\", "\\\\").replace("|", "\\|") for part in parts)
