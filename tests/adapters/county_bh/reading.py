"""Reading invented county files in tests."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from adapters.county_bh.kinds import FILE_KINDS
from hub.feeds.records import ERROR, WARNING, Feed, Given, Kept, Reject, Resource, Row, Subject

FILES = Path(__file__).parent / "files"
KINDS = {kind.name: kind for kind in FILE_KINDS}
SYSTEM = "https://county.invalid/bh"
FEED = Feed("county", "county", SYSTEM)
NPI = "1234567893"


def read(path: Path, kind: str = "county", feed: Feed = FEED) -> list[Given]:
    return list(KINDS[kind].read(path, feed))


def written(path: Path, good: dict[str, str], *changes: dict[str, str]) -> Path:
    """A CSV of rows that differ from a good one."""
    out = StringIO()
    names = list(dict.fromkeys(name for change in changes for name in {**good, **change}))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**good, **change} for change in changes)
    path.write_text(out.getvalue())
    return path


def rejects(given: Sequence[Given], severity: str = ERROR) -> list[tuple[str, int, str]]:
    found = [one for one in given if isinstance(one, Reject) and one.severity == severity]
    return [(one.code, one.line, one.column) for one in found]


def warnings(given: Sequence[Given]) -> list[tuple[str, int, str]]:
    return rejects(given, WARNING)


def rows(given: Sequence[Given]) -> list[Row]:
    return [one for one in given if isinstance(one, Row)]


def subjects(given: Sequence[Given], feed: Feed = FEED) -> list[Subject]:
    """What the rows are, kept."""
    found: dict[str, list[Kept]] = {}
    for row in rows(given):
        made = Kept(row.kind, row.key, row.values, "invented", row.line, row.part, row.deleted)
        found.setdefault(row.subject, []).append(made)
    return [Subject(feed, key, some) for key, some in found.items()]


def resources(given: Sequence[Given], kind: str, feed: Feed = FEED) -> list[Resource]:
    patient = "Patient/p1"
    return [one for subject in subjects(given, feed) for one in KINDS[kind].resources(subject, patient)]


def bundle(*found: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{one.get('id', '')}", "resource": one} for one in found]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}
