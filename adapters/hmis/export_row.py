"""Export.csv: the one row that says what the other files are.

Rules: HMIS CSV Format Specifications: exactly one row; ExportDirective 1 delta, 2 full, 3 other; ExportPeriodType 1
updated, 3 reporting period, 4 other; HashStatus 1 clear, 2 SHA-1, 3 other, 4 SHA-256. The exact CSVVersion of each
point release is not published: `2024 v1.3` and `2026 v1.0` were seen, so the year decides.
A full export replaces what the feed had only where it is of a reporting period; all others add to it.
Refuses the whole export: none or several rows, another year, a HashStatus of which nobody says what it hashes, the
ImplementationID of somebody else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.hmis.columns import VERSIONS
from hub.feeds.records import WARNING, Feed, Reject
from hub.identity.hashed import UNHASHED, configured, scheme_of
from hub.problems import Problem

FULL, DELTA = "2", "1"
REPORTING_PERIOD = "3"
IMPLEMENTATION, HASHES = "implementation", "hmis_hashes"  # options of the feed
_YEAR = re.compile(r"\s*(?:FY\s?)?(20[0-9]{2})(?![0-9])", re.IGNORECASE)
PART = "Export.csv"


@dataclass(frozen=True, slots=True)
class Export:
    """`scheme`: how names are hashed (hub.identity.hashed), empty where they are not. `replaces`: what a file does
    not name is gone. `made` is its ExportDate."""

    version: str
    scheme: str
    replaces: bool
    made: str


def version_of(said: str, layout: str) -> str:
    """The year of the specification: `2026 v1.0` -> 2026. Empty for another one; without CSVVersion the feed's."""
    found = _YEAR.match(said)
    year = found[1] if found else "" if said else layout
    return year if year in VERSIONS else ""


def export_of(values: Mapping[str, Any], line: int, feed: Feed) -> tuple[Export | None, list[Reject]]:
    """What the row says, and what is wrong with it."""
    told = [*_strange(values, line, feed)]
    version = version_of(values.get("CSVVersion", ""), feed.layout)
    if not version:
        what = f"The CSVVersion must begin with {' or '.join(VERSIONS)}; a feed without one names its layout."
        return None, [*told, _refused("UNSUPPORTED", line, "CSVVersion", what)]
    try:
        scheme = _scheme(int(values["HashStatus"]), feed)
    except Problem as problem:
        return None, [*told, _refused("UNSUPPORTED", line, "HashStatus", str(problem))]
    replaces = values["ExportDirective"] == FULL and values["ExportPeriodType"] == REPORTING_PERIOD
    found = None if any(one.whole for one in told) else Export(version, scheme, replaces, str(values["ExportDate"]))
    return found, told


def _scheme(status: int, feed: Feed) -> str:
    """Raises Problem."""
    if status == UNHASHED:
        return ""
    return scheme_of(status, configured(str(feed.options.get(HASHES, ""))))


def _strange(values: Mapping[str, Any], line: int, feed: Feed) -> list[Reject]:
    found = []
    wanted = str(feed.options.get(IMPLEMENTATION, ""))
    if wanted and values["ImplementationID"] != wanted:
        what = "The export is of another HMIS implementation: its PersonalIDs are other people's."
        found.append(_refused("IDENTIFIER", line, "ImplementationID", what))
    if values["ExportDirective"] not in (FULL, DELTA):
        found.append(_kept_open(line, "ExportDirective"))
    elif values["ExportDirective"] == FULL and values["ExportPeriodType"] != REPORTING_PERIOD:
        found.append(_kept_open(line, "ExportPeriodType"))
    return found


def _refused(code: str, line: int, column: str, what: str) -> Reject:
    return Reject(code, line, column, what, PART, whole=True)


def _kept_open(line: int, column: str) -> Reject:
    what = "This is no full export of a reporting period: what it does not name stays as it was."
    return Reject("UNSUPPORTED", line, column, what, PART, WARNING)
