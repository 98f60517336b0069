"""A HUD HMIS CSV export, as a ZIP or a folder -> rows, file after file, with bounded memory.

Rules: HMIS CSV Format Specifications FY2024 and FY2026 (columns.csv). Export.csv is read first and decides how the
others are read. A row with a DateDeleted was taken back. ExportID is left off: it is another one in each export and
says nothing of the row.
All rows about one client are one subject, all about one project another. What an enrolment has to know of its
project (its type, whose it is) is a row of the client, too, EnrollmentProject: an export of changes may bring an
enrolment without its project.
A full export of which a file was read without a bad row replaces what that file said before.
Refuses: exports without Export.csv, Client.csv, Enrollment.csv, Project.csv, and full ones in which one of them is
empty; rows that name a row which a full export does not have (REFERENCE). A row that is refused for something else
can still be named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from adapters.files.columns import Columns, Values, plain
from adapters.files.tables import Line, Look, csv_lines
from adapters.hmis.columns import DATE, EXPORT, FILES, MOMENT, columns, key_of
from adapters.hmis.export_row import PART, Export, export_of
from adapters.hmis.members import Open, opened
from adapters.hmis.schemas import schema
from hub.feeds.records import DIRECTORY, ERROR, PERSON, WARNING, AsOf, Feed, Given, Reject, Row, Whole

NEEDED = ("Client", "Enrollment", "Project")
# whose subject a row belongs to: the column that names it
OF_PROJECT: Final = ("Project", "ProjectCoC", "Funder", "Inventory", "Affiliation", "HMISParticipation",
                     "CEParticipation")  # fmt: skip
ALONE: Final[Mapping[str, str]] = {"Organization": "OrganizationID", "User": "UserID"}
SUBJECTS: Final[Mapping[str, tuple[str, int, str]]] = {
    **{file: (file.lower(), DIRECTORY, column) for file, column in ALONE.items()},
    **dict.fromkeys(OF_PROJECT, ("project", DIRECTORY, "ProjectID")),
    **{file: ("client", PERSON, "PersonalID") for file in FILES if "PersonalID" in {c.name for c in FILES[file]}},
}
ENROLLMENT_PROJECT = "EnrollmentProject"
# what an enrolment has to know of its project
FACTS = ("ProjectID", "OrganizationID", "ProjectName", "ProjectType", "TargetPopulation", "VictimServiceProvider")
HASH_SCHEME = "HashScheme"  # of a client of a hashed export, as hub.identity.hashed names it
MOST_OF_EXPORT = 100  # rows and rejects of Export.csv that are looked at
Note = Callable[[Line], None]
_REFERENCE = "The row names a row that the export does not have: send both."


def _nothing(line: Line) -> None:
    """Nobody refers to this file's rows."""


def read(path: Path, feed: Feed) -> Iterator[Given]:
    """All that the export says; raises nothing."""
    with opened(path) as found:
        if isinstance(found, Reject):
            yield found
            return
        yield from _read(found, feed)


def _read(found: Mapping[str, Open], feed: Feed) -> Iterator[Given]:
    missing = [file for file in (EXPORT, *NEEDED) if _name(file) not in found]
    if missing:
        what = "The export does not have this file. Send the whole export."
        yield from (Reject("LAYOUT_UNKNOWN", what=what, part=f"{file}.csv", whole=True) for file in missing)
        return
    export, told = _export(found[_name(EXPORT)], feed)
    yield from told
    if export is not None:
        yield AsOf(export.made)
        yield from _strangers(found)
        yield from Reading(found, export).rows()


def _name(file: str) -> str:
    return f"{file}.csv".casefold()


def _strangers(found: Mapping[str, Open]) -> Iterator[Reject]:
    known = {_name(file) for file in FILES}
    for name in sorted(found.keys() - known):
        yield Reject("UNSUPPORTED", what="No file of the HMIS CSV; it was not read.", part=name, severity=WARNING)
    for file in FILES:
        if _name(file) not in found:
            what = "The export does not have this file: nothing is new in it, and nothing is gone."
            yield Reject("LAYOUT_UNKNOWN", what=what, part=f"{file}.csv", severity=WARNING)


def _export(open_: Open, feed: Feed) -> tuple[Export | None, list[Reject]]:
    """Export.csv has the same columns in both versions."""
    given = list(islice(_values(EXPORT, open_, "2026"), MOST_OF_EXPORT))
    told = [one for one in given if isinstance(one, Reject)]
    rows = [one for one in given if not isinstance(one, Reject)]
    if any(one.severity == ERROR for one in told):
        return None, [*told, _of_export("UNSUPPORTED", "Without its row nobody knows what the export is.")]
    if len(rows) != 1:
        return None, [*told, _of_export("COUNT", "Export.csv must have exactly one row.")]
    export, found = export_of(rows[0][1], rows[0][0].number, feed)
    return export, [*told, *found]


def _of_export(code: str, what: str) -> Reject:
    return Reject(code, what=what, part=PART, whole=True)


def _values(
    file: str, open_: Open, version: str, hashed: bool = False, note: Note = _nothing
) -> Iterator[tuple[Line, Values] | Reject]:
    """The rows of a file, and what is wrong with it. `note` sees each line, good or bad."""
    found = Columns(schema(file, version, hashed), more=True)
    dates = _Dates(file, version)
    part = f"{file}.csv"
    with open_() as stream:
        for line in csv_lines(stream, look=Look(expects=found.header)):
            if isinstance(line, Reject):
                yield replace(line, part=part)
                continue
            note(line)
            made = found.row(line)
            if isinstance(made, list):
                yield from (replace(one, part=part) for one in made)
                continue
            yield from dates.strange(line, part)
            made.pop("ExportID", None)
            yield line, made


class _Dates:
    """Tells once of each column whose dates are not written as HUD says."""

    def __init__(self, file: str, version: str):
        self._left = [one.name for one in columns(file, version) if one.type in (DATE, MOMENT)]

    def strange(self, line: Line, part: str) -> list[Reject]:
        cells = line.cells
        found = [name for name in self._left if (cell := cells.get(name)) and cell.strip()[4:5] != "-"]
        if not found:
            return []
        self._left = [name for name in self._left if name not in found]
        what = "Dates of this column are not written yyyy-mm-dd; they were read as month, day and year."
        return [Reject("DATE", line.number, name, what, part, WARNING) for name in found]


@dataclass(slots=True)
class Reading:
    """One export. `clients`, `enrollments`: hashes of what rows may refer to; `projects`: what enrolments have to
    know of them, and the line; `clean`: the files without a bad row."""

    found: Mapping[str, Open]
    export: Export
    clients: set[int] = field(default_factory=set)
    enrollments: set[int] = field(default_factory=set)
    victims: dict[str, str] = field(default_factory=dict)
    projects: dict[str, tuple[Values, int]] = field(default_factory=dict)
    clean: set[str] = field(default_factory=set)

    def rows(self) -> Iterator[Given]:
        for file in FILES:
            if file != EXPORT and _name(file) in self.found:
                yield from self._file(file)
        if self.export.replaces:
            more = {ENROLLMENT_PROJECT} if {"Enrollment", "Project"} <= self.clean else set()
            yield Whole(frozenset(self.clean | more))

    def _file(self, file: str) -> Iterator[Given]:
        bad = good = 0
        for given in self._given(file):
            bad += isinstance(given, Reject) and given.severity == ERROR
            good += isinstance(given, Row)
            yield given
        if self.export.replaces and file in NEEDED and not good:
            what = "A full export without a row would end all that is known."
            yield Reject("EMPTY", what=what, part=f"{file}.csv", whole=True)
        elif not bad:
            self.clean.add(file)
        elif self.export.replaces:
            what = "The file has bad rows: what it does not name stays as it was."
            yield Reject("COUNT", what=what, part=f"{file}.csv", severity=WARNING)

    def _given(self, file: str) -> Iterator[Given]:
        hashed, note = bool(self.export.scheme), self._notes(file)
        for given in _values(file, self.found[_name(file)], self.export.version, hashed, note):
            if isinstance(given, Reject):
                yield given
            elif self.export.replaces and (column := self._lost(file, given[1])):
                yield Reject("REFERENCE", given[0].number, column, _REFERENCE, f"{file}.csv")
            else:
                yield from self._rows(file, *given)

    def _rows(self, file: str, line: Line, values: Values) -> Iterator[Row]:
        noun, stage, owner = SUBJECTS[file]
        subject, deleted, name = f"{noun}|{values[owner]}", "DateDeleted" in values, values[key_of(file)]
        if file == "Client" and self.export.scheme:
            values[HASH_SCHEME] = self.export.scheme
        elif file in ("Organization", "Project"):
            self._describe(file, line, values)
        yield Row(file, name, subject, values, line.number, stage, f"{file}.csv", deleted)
        if file == "Enrollment" and (project := self.projects.get(values["ProjectID"])):
            facts, number = project
            yield Row(ENROLLMENT_PROJECT, name, subject, facts, number, stage, "Project.csv", deleted)

    def _notes(self, file: str) -> Note:
        """What others refer to: also rows that are refused for something else."""
        if file == "Client":
            return lambda line: self.clients.add(hash(_cell(line.cells, "PersonalID")))
        if file == "Enrollment":
            return lambda line: self.enrollments.add(_pair(line.cells))
        return _nothing

    def _describe(self, file: str, line: Line, values: Values) -> None:
        """What is said of an organization is said of its projects, too."""
        if file == "Organization":
            self.victims[values["OrganizationID"]] = values["VictimServiceProvider"]
            return
        if (victims := self.victims.get(values["OrganizationID"])) is not None:
            values["VictimServiceProvider"] = victims
        facts = {name: values[name] for name in FACTS if name in values}
        self.projects[values["ProjectID"]] = (facts, line.number)

    def _lost(self, file: str, values: Values) -> str:
        """The column that names what is not there; empty where all is."""
        if file == "Enrollment":
            if values["ProjectID"] not in self.projects:
                return "ProjectID"
            return "" if hash(values["PersonalID"]) in self.clients else "PersonalID"
        if "EnrollmentID" in values:
            return "" if _pair(values) in self.enrollments else "EnrollmentID"
        return ""


def _pair(cells: Mapping[str, Any]) -> int:
    """An enrolment is one of one person."""
    return hash((_cell(cells, "EnrollmentID"), _cell(cells, "PersonalID")))


def _cell(cells: Mapping[str, Any], column: str) -> str:
    """By the column's name, however its letters are written."""
    found = cells.get(column)
    if found is None:
        found = next((cell for name, cell in cells.items() if plain(name) == plain(column)), "")
    return str(found).strip()
