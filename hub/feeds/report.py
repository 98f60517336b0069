"""The reject report: as CSV for who sent the file, as an OperationOutcome for who asks by FHIR.

Rules: https://hl7.org/fhir/R4/operationoutcome.html. A line says where and what to do; no value of a row.
"""

import csv
import io
from collections.abc import Iterable, Iterator

from hub.feeds.files import File
from hub.feeds.records import ERROR, Reject, Resource
from hub.feeds.reject_codes import REJECT_CODES

COLUMNS = ("file", "part", "line", "column", "severity", "code", "what")
MOST_ISSUES = 1000
_ISSUE = {
    "REQUIRED": "required",
    "CODE": "code-invalid",
    "DUPLICATE_KEY": "duplicate",
    "UNSUPPORTED": "not-supported",
    "TOO_MANY_BAD": "too-costly",
    "ENCODING": "structure",
    "REFERENCE": "not-found",
}


def as_csv(file: File, rejects: Iterable[Reject]) -> Iterator[str]:
    """Line by line, the header first."""
    yield _line(COLUMNS)
    for one in rejects:
        yield _line((file.name, one.part, one.line or "", one.column, one.severity, one.code, words(one)))


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_plain(cell) for cell in cells])
    return out.getvalue()


def _plain(cell: object) -> object:
    """A spreadsheet must not take it for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def words(one: Reject) -> str:
    return one.what or REJECT_CODES.get(one.code, "")


def as_outcome(file: File, rejects: Iterable[Reject]) -> Resource:
    """At most so many issues; the last one says that there are more."""
    issues: list[Resource] = []
    for one in rejects:
        if len(issues) == MOST_ISSUES:
            more = {"severity": "information", "code": "incomplete", "diagnostics": "There are more: ask for CSV"}
            issues.append(more)
            break
        issues.append(_issue(one))
    if not issues:
        issues = [{"severity": "information", "code": "informational", "diagnostics": "Nothing was refused"}]
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(one: Reject) -> Resource:
    place = " ".join(filter(None, (one.part, f"line {one.line}" if one.line else "", one.column)))
    issue: Resource = {
        "severity": "error" if one.severity == ERROR else "warning",
        "code": _ISSUE.get(one.code, "invalid"),
        "details": {"text": one.code},
        "diagnostics": f"{place}: {words(one)}" if place else words(one),
    }
    return issue | ({"expression": [place]} if place else {})
