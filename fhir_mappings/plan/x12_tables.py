"""Code tables of the plan's X12 files: shipped rows, and a deployment's own beside them.

Rules: docs/plan-834.md, docs/plan-837.md say what each holds. The folder that the feed names (`tables`) may have
files of the same names: their rows replace all shipped rows of the same key. A changed file counts at once.
Refuses: a file with other columns (ValueError).
"""

import csv
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from hub.feeds.records import Feed

SHIPPED = Path(__file__).parent / "code_tables"
Rows = Sequence[Mapping[str, str]]

# file -> its columns that are the key
KEYS: Mapping[str, tuple[str, ...]] = {
    "x12_hcp_status": ("status",),
    "x12_race": ("code",),
    "x12_language": ("kind", "code"),
    "x12_county": ("code",),
    "x12_visit_kind": ("kind",),
    "x12_services": ("hcpcs", "modifier"),
}


def rows(feed: Feed, table: str) -> Mapping[tuple[str, ...], Rows]:
    """By key, each with all its rows in order."""
    folder = str(feed.options.get("tables", ""))
    own = Path(folder) / f"{table}.csv" if folder else None
    changed = own.stat().st_mtime_ns if own and own.is_file() else 0
    return _rows(table, own if changed else None, changed)


@lru_cache(maxsize=64)
def _rows(table: str, own: Path | None, changed: int) -> Mapping[tuple[str, ...], Rows]:
    shipped = _read(SHIPPED / f"{table}.csv", table)
    return {**shipped, **_read(own, table, shipped)} if own else shipped


def _read(
    path: Path, table: str, like: Mapping[tuple[str, ...], Rows] | None = None
) -> dict[tuple[str, ...], Rows]:
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        columns = set(reader.fieldnames or ())
        expected = {name for found in (like or {}).values() for row in found for name in row} or columns
        if not set(KEYS[table]) <= columns or columns != expected:
            raise ValueError(f"{path.name}: other columns than the shipped table")
        found: dict[tuple[str, ...], Rows] = {}
        for row in reader:
            key = tuple(row[name] for name in KEYS[table])
            found[key] = [*found.get(key, ()), row]
        return found


def has_code(feed: Feed, table: str, code: str) -> bool:
    """Whether a table has a row for a code that it lacked once."""
    return table in KEYS and any(key[-1] == code for key in rows(feed, table))
