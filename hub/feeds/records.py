"""What a reader of files gives, and what a mapping gets: rows, rejects, subjects, persons as a source says them.

Rules: docs/feeds.md. A row is kept as its source said it, under its own key: a file that is read again changes
nothing. Rows with one subject are mapped together, whatever file or order they came in.
Pure: shapes only, for adapters and fhir_mappings to share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Resource = dict[str, Any]
Coding = Mapping[str, str]
ERROR, WARNING = "error", "warning"
DIRECTORY, PERSON, ABOUT = 0, 1, 2  # the stages in which subjects are mapped: what later ones refer to goes first


@dataclass(frozen=True, slots=True)
class Row:
    """One validated row. `kind` is the table it stands in (`Client`, `member`), `key` names it for ever within feed
    and kind, `subject` groups rows that are mapped together, `values` is what JSON holds (dates as ISO text).
    `line` counts from 1, the header too; of X12 it is the segment. `part`: file in a ZIP, or sheet. `deleted`: the
    source took it back."""

    kind: str
    key: str
    subject: str
    values: Mapping[str, Any]
    line: int
    stage: int = ABOUT
    part: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """A line of the reject report. `code` is a word of hub.feeds.reject_codes, `what` says what to do about it;
    neither holds a value of a person. `whole`: nothing of the file is taken."""

    code: str
    line: int = 0
    column: str = ""
    what: str = ""
    part: str = ""
    severity: str = ERROR
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A reader's last word: the file held all rows of these kinds; what it did not name is gone. `within`: only
    rows whose values have these (a county, a plan code)."""

    kinds: frozenset[str]
    within: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AsOf:
    """All that follows in the file was said at this moment: ISO 8601, a day or a time; without a zone the
    feed's."""

    at: str


@dataclass(frozen=True, slots=True)
class Once:
    """What must come once in a feed, whatever file brings it, and was taken: an interchange's control number. The
    feed that a reader is given has those of other files as the option `came_before`."""

    key: str


Given = Row | Reject | Whole | AsOf | Once


@dataclass(frozen=True, slots=True)
class Feed:
    """One sender's files of one kind, as the deployment describes it (docs/feeds.md). `system` is the URI under
    which its own numbers are identifiers. `security`: labels of all that it brings. `options`: what its kind asks
    for. `dated`: how a file's name says its date, as strptime writes it; `by_arrival`: what came later counts,
    whatever it says of itself (hub.feeds.moments)."""

    name: str
    kind: str
    system: str
    layout: str = ""
    atomic: bool = False
    organization: str = ""
    security: tuple[Coding, ...] = ()
    time_zone: str = "America/Los_Angeles"
    options: Mapping[str, Any] = field(default_factory=dict)
    dated: str = ""
    by_arrival: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A row as the hub keeps it, with the file and line that said it last."""

    kind: str
    key: str
    values: Mapping[str, Any]
    file: str
    line: int
    part: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """All rows of one subject of a feed, in order of kind and key."""

    feed: Feed
    key: str
    rows: Sequence[Kept]

    def of(self, kind: str) -> Iterator[Kept]:
        """The rows of a kind that their source has not taken back."""
        return (row for row in self.rows if row.kind == kind and not row.deleted)


@dataclass(frozen=True, slots=True)
class Said:
    """A person as a source says it. `key` is what the source calls them (`CIN`, `PersonalID`), `patient` the
    source's own record as a Patient; its identifiers with a system in `strong` ({system: cin, mbi, mrn, county,
    hmis}) decide who it is. `shared`: its identifiers may stand on a Patient that other sources know, too; not
    those of HMIS or of a Part 2 program. `owner`: this source's word makes the Patient that everybody sees (the
    plan's)."""

    key: str
    patient: Resource
    strong: Mapping[str, str] = field(default_factory=dict)
    shared: bool = True
    owner: bool = False


class Unmapped(Exception):
    """A code that no table has: the subject waits until it is there. `code` only where it looks like a code."""

    def __init__(self, table: str, code: str, where: str):
        super().__init__(table, code, where)
        self.table, self.code, self.where = table, code, where


class Waiting(Exception):
    """The subject waits for something else: `why` without a value of a person, `where` the column."""

    def __init__(self, why: str, where: str = ""):
        super().__init__(why, where)
        self.why, self.where = why, where
