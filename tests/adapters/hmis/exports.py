"""HMIS exports in their true shape, by arguments, in invented data: every file, every column, a row of Export.csv.

`files` are the rows that a test speaks of, by file; each has only the columns that matter. Columns that may not be
empty get a value.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from adapters.hmis.columns import FILES, Column, columns
from adapters.hmis.read_export import read
from hub.feeds.records import Feed, Given, Kept, Reject, Row, Subject

Rows = Mapping[str, Sequence[Mapping[str, str]]]
CREATED = "2026-03-01 09:00:00"
DEFAULTS = {
    "DateCreated": CREATED, "DateUpdated": CREATED, "UserID": "u-1", "ExportID": "exp-1", "SourceType": "1",
    "ExportDate": "2026-04-01 06:00:00", "ExportStartDate": "2025-04-01", "ExportEndDate": "2026-03-31",
    "SoftwareName": "Exampleware", "ExportPeriodType": "3", "ExportDirective": "2", "HashStatus": "1",
    "ImplementationID": "EXAMPLE-COC", "VictimServiceProvider": "0", "OrganizationID": "org-1",
    "OrganizationName": "Example Shelter Organization", "ProjectID": "p-es", "ProjectName": "Example Shelter",
    "OperatingStartDate": "2020-01-01", "ContinuumProject": "1", "PersonalID": "c-1", "NameDataQuality": "1",
    "SSNDataQuality": "99", "DOBDataQuality": "1", "EnrollmentID": "e-1", "EntryDate": "2026-02-01",
    "HouseholdID": "h-1", "VeteranStatus": "0", "InformationDate": "2026-02-15", "DataCollectionStage": "1",
    "ExitDate": "2026-03-01", "Destination": "99", "DateProvided": "2026-02-15", "EventDate": "2026-02-15",
    "AssessmentDate": "2026-02-15", "AssessmentLocation": "Example Access Point",
}  # fmt: skip
FEED = Feed("example-hmis", "hmis", "https://hmis.example/coc")
ORGANIZATION = {"OrganizationID": "org-1"}
SHELTER = {"ProjectID": "p-es", "ProjectType": "0"}
CLIENT = {"PersonalID": "c-1", "FirstName": "Robin", "LastName": "Testperson-Alder", "DOB": "1980-02-15"}
ENROLLMENT = {"EnrollmentID": "e-1", "PersonalID": "c-1", "ProjectID": "p-es", "LivingSituation": "116"}
USUAL: Rows = {"Organization": [ORGANIZATION], "Project": [SHELTER], "Client": [CLIENT], "Enrollment": [ENROLLMENT]}


def texts(
    files: Rows,
    *,
    version: str = "2026",
    export: Mapping[str, str] | None = None,
    quoted: bool = False,
    bom: bool = False,
) -> dict[str, bytes]:
    """The 24 files by name."""
    said = {"ExportID": "exp-1", "CSVVersion": f"{version} v1.0", **(export or {})}
    given = {"Export": [said], **files}
    mark = b"\xef\xbb\xbf" if bom else b""
    return {f"{file}.csv": mark + _text(file, given.get(file, ()), version, quoted) for file in FILES}


def _text(file: str, rows: Sequence[Mapping[str, str]], version: str, quoted: bool) -> bytes:
    out = io.StringIO()
    found = columns(file, version)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow([column.name for column in found])
    writer.writerows([[_cell(file, column, row) for column in found] for row in rows])
    return out.getvalue().encode()


def _cell(file: str, column: Column, row: Mapping[str, str]) -> str:
    if column.name in row:
        return row[column.name]
    if not column.required:
        return ""
    if column.name == FILES[file][0].name:
        return f"{file.lower()}-1"
    return DEFAULTS.get(column.name, "0" if column.type == "I" else "x")


def zipped(path: Path, found: Mapping[str, bytes]) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, text in found.items():
            archive.writestr(name, text)
    return path


def folder(path: Path, found: Mapping[str, bytes]) -> Path:
    path.mkdir()
    for name, text in found.items():
        (path / name).write_bytes(text)
    return path


def given(path: Path, feed: Feed = FEED) -> list[Given]:
    return list(read(path, feed))


def kept(rows: Sequence[Given], feed: Feed = FEED) -> dict[str, Subject]:
    """What the hub would keep of these rows, by subject; the last row of a key counts."""
    last: dict[tuple[str, str], tuple[str, Kept]] = {}
    for row in rows:
        if isinstance(row, Row):
            held = Kept(row.kind, row.key, row.values, "export.zip", row.line, row.part, row.deleted)
            last[row.kind, row.key] = (row.subject, held)
    subjects: dict[str, list[Kept]] = {}
    for _, (subject, held) in sorted(last.items()):
        subjects.setdefault(subject, []).append(held)
    return {key: Subject(feed, key, found) for key, found in subjects.items()}


def said(tmp_path: Path, files: Rows, feed: Feed = FEED, **options: object) -> dict[str, Subject]:
    """Written, read and kept. Nothing of it may be refused."""
    path = zipped(tmp_path / "export.zip", texts(files, **options))  # type: ignore[arg-type]
    rows = given(path, feed)
    assert [one for one in rows if isinstance(one, Reject) and one.code != "EMPTY"] == []
    return kept(rows, feed)
