"""Reading an X12 file of a test without the hub: rows, rejects, and what the subjects become."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.plan.kinds_x12 import FILE_KINDS_X12
from hub.feeds.records import Feed, Given, Kept, Reject, Resource, Row, Said, Subject, Whole
from tests.adapters.x12.made import text

SYSTEM = "https://plan.example/feed"
PATIENT = "Patient/example"
KINDS = {kind.name: kind for kind in FILE_KINDS_X12}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader gave, in order."""

    given: list[Given]
    feed: Feed

    @property
    def rows(self) -> list[Row]:
        return [one for one in self.given if isinstance(one, Row)]

    @property
    def rejects(self) -> list[tuple[str, str]]:
        """(code, column) of errors."""
        return [(one.code, one.column) for one in self.given if isinstance(one, Reject) and one.severity == "error"]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        return [(one.code, one.column) for one in self.given if isinstance(one, Reject) and one.severity != "error"]

    @property
    def wholes(self) -> list[Whole]:
        return [one for one in self.given if isinstance(one, Whole)]

    def of(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row.kind == kind]

    def one(self, kind: str) -> Mapping[str, Any]:
        (row,) = self.of(kind)
        return row.values


def feed(kind: str = "plan-834", **options: Any) -> Feed:
    return Feed("example", kind, SYSTEM, options=options)


def heard(path: Path, of: Feed) -> Heard:
    return Heard(list(KINDS[of.kind].read(path, of)), of)


def read(tmp_path: Path, segments: Iterable[str] | bytes, of: Feed | None = None) -> Heard:
    path = tmp_path / "in.x12"
    path.write_bytes(segments if isinstance(segments, bytes) else text(segments))
    return heard(path, of or feed())


@dataclass(slots=True)
class Keeping:
    """What the hub would keep of several files: the newest row of each key."""

    feed: Feed
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    def take(self, rows: Iterable[Row]) -> "Keeping":
        for row in rows:
            self.rows[(row.kind, row.key)] = row
        return self

    def subjects(self) -> Iterator[Subject]:
        by_key: dict[str, list[Row]] = {}
        for _, row in sorted(self.rows.items()):
            by_key.setdefault(row.subject, []).append(row)
        for key, rows in sorted(by_key.items()):
            yield Subject(self.feed, key, [_kept(row) for row in rows])

    def subject(self, key: str) -> Subject:
        return next(one for one in self.subjects() if one.key == key)

    def resources(self) -> list[Resource]:
        kind = KINDS[self.feed.kind]
        return [resource for subject in self.subjects() for resource in kind.resources(subject, PATIENT)]

    def said(self, key: str) -> Said | None:
        return KINDS[self.feed.kind].said(self.subject(key))


def became(what: Heard) -> list[Resource]:
    return Keeping(what.feed).take(what.rows).resources()


def of_type(resources: Iterable[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if one["resourceType"] == kind]


def _kept(row: Row) -> Kept:
    return Kept(row.kind, row.key, row.values, "in.x12", row.line, row.part, row.deleted)
