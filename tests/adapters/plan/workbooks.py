"""Files of the plan for tests: tables as people and programs write them, and what becomes of their rows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from adapters.plan.kinds_workbooks import FILE_KINDS_WORKBOOKS
from conformance.validation import structure
from hub.feeds.kinds import FileKind
from hub.feeds.records import Feed, Kept, Reject, Resource, Row, Said, Subject, Whole

KINDS: Mapping[str, FileKind] = {kind.name: kind for kind in FILE_KINDS_WORKBOOKS}
SYSTEM = "https://plan.example/lists"
PROVIDER = "9000000019"
MIF = {
    "Member First Name": "Inventia",
    "Member Last Name": "Samplewood",
    "Medical Record Number (MRN)": "MRN-0001",
    "MCP_CIN": "91234567A",
    "Member Gender Code": "F",
    "Member Date of Birth": "05/01/1980",
    "Member Residential Address": "1 Nowhere Street",
    "Member Residential City": "Example City",
    "Member Resdidential Zip Code": "90000",
    "Primary Phone Number": "555-0100",
    "Authorization Number": "AUTH-1",
    "Authorization Start Date": "01/01/2026",
    "Authorizatin End Date": "06/30/2026",
    "Tier": "2",
}


def feed(kind: str, **options: Any) -> Feed:
    named = {name: options.pop(name) for name in ("layout", "organization", "system") if name in options}
    return Feed("test-" + kind, kind, named.pop("system", SYSTEM), options=options, **named)


def book(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    made.save(path)
    return path


def table(*rows: Mapping[str, Any]) -> list[list[Any]]:
    """The rows under the header of the first one."""
    header = list(rows[0])
    return [header, *([row.get(name) for name in header] for row in rows)]


def given(path: Path, of: Feed) -> tuple[list[Row], list[Reject], list[Whole]]:
    every = list(KINDS[of.kind].read(path, of))
    return (
        [one for one in every if isinstance(one, Row)],
        [one for one in every if isinstance(one, Reject)],
        [one for one in every if isinstance(one, Whole)],
    )


def subjects(rows: Sequence[Row], of: Feed) -> Iterator[Subject]:
    """As the hub keeps them: of one key the last row."""
    found: dict[str, dict[tuple[str, str], Kept]] = defaultdict(dict)
    for row in rows:
        kept = Kept(row.kind, row.key, row.values, "file.xlsx", row.line, row.part, row.deleted)
        found[row.subject][row.kind, row.key] = kept
    for key, each in found.items():
        yield Subject(of, key, [each[name] for name in sorted(each)])


def mapped(rows: Sequence[Row], of: Feed) -> tuple[list[Said], list[Resource]]:
    """What the rows say of whom, and what they become: valid R4."""
    persons, made = [], []
    kind = KINDS[of.kind]
    for subject in subjects(rows, of):
        who = kind.said(subject)
        persons += [who] if who else []
        made += kind.resources(subject, "Patient/one" if who else "")
    for resource in [*made, *(who.patient for who in persons)]:
        assert list(structure.validate(_resolved(resource))) == [], resource
    return persons, made


def _resolved(node: Any) -> Any:
    """As it is after the transaction led its conditional references to somebody."""
    if isinstance(node, dict):
        return {name: _resolved(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_resolved(value) for value in node]
    return f"{node.partition('?')[0]}/one" if isinstance(node, str) and "?identifier=" in node else node


def one(resources: Sequence[Resource], kind: str) -> Resource:
    (found,) = [resource for resource in resources if resource["resourceType"] == kind]
    return found
