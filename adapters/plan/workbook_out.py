"""A panel's return file, outreach tracker, member list or authorization file, from what the caller may see.

Rules: docs/plan-workbooks.md "Out". Rows by the layout's order, as a workbook or CSV; or into the sheet of the
workbook in which the plan sent its list: then every other part of that workbook stays byte for byte.
Refuses (Problem): no such layout, a panel without a provider, a period that is none, a workbook that cannot be
written in place.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from adapters.files.layout_cells import written
from adapters.files.layouts import Layout
from adapters.files.spreadsheet_out import write_csv, write_workbook
from adapters.plan.workbook_choice import layouts_of
from adapters.plan.workbook_fill import filled_in
from adapters.plan.workbook_more import with_more
from adapters.plan.workbook_store import Charts, Tell, nobody
from fhir_mappings.plan.member_patient import cin_system
from fhir_mappings.plan.workbook_chart import Chart, Report
from fhir_mappings.plan.workbook_person import mrn_system
from fhir_mappings.plan.workbook_services_facts import (
    authorized_facts,
    list_facts,
    outreach_facts,
    return_facts,
    support_facts,
)
from hub.access import Access
from hub.feeds.records import Feed, Resource
from hub.problems import Problem

Facts = dict[str, Any]
Rows = Callable[[Chart, Report, Layout], list[Facts]]


def _return(chart: Chart, report: Report, layout: Layout) -> list[Facts]:
    return return_facts(chart, report, with_attempts=layout.column("outreach_date") is not None)


# kind -> the rows of a member
ROWS: Mapping[str, Rows] = {
    "mif": lambda chart, report, layout: list_facts(chart, report),
    "eligibility": lambda chart, report, layout: list_facts(chart, report),
    "asf": lambda chart, report, layout: authorized_facts(chart, report),
    "rtf": _return,
    "activity": _return,
    "otf": lambda chart, report, layout: outreach_facts(chart, report),
    "cs-rtf": lambda chart, report, layout: support_facts(chart, report),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """`feed` is the plan's feed of this kind: it names the layout and the systems of numbers. `panel` is
    `Group/ID`, or `Organization/ID` for a provider whose people are on no panel. `plan` is `Organization/ID`, or
    empty. `into`: the workbook to fill in. `csv`: no workbook."""

    feed: Feed
    panel: str
    start: str
    end: str
    produced: str
    plan: str = ""
    into: Path | None = None
    csv: bool = False


@dataclass(frozen=True, slots=True)
class ReturnFile:
    """`gaps`: what the layout has no word for; `left`: cells with a formula, which stayed as they were; `unread`:
    types that the caller does not read, and whose columns are empty for that."""

    content: bytes
    rows: int
    gaps: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def write_return_file(
    connection: Connection, access: Access, base: str, asked: Asked, tell: Tell = nobody
) -> ReturnFile:
    """`tell` gets what goes into the file, before that is there. Raises Problem."""
    layout = _layout(asked)
    _check(asked)
    charts = Charts(connection, access, base, tell)
    report = _report(charts, asked)
    rows = list(_rows(charts, report, layout, asked))
    if asked.into is None:
        rows = with_more(connection, access, asked.feed, rows)
    with TemporaryDirectory() as folder:
        return replace(_file(Path(folder) / "file", layout, rows, asked), unread=charts.unread)


def _layout(asked: Asked) -> Layout:
    kind, name = asked.feed.kind, asked.feed.layout
    found = [one for one in layouts_of(asked.feed).of(kind) if not name or one.name == name]
    if kind not in ROWS or len(found) != 1:
        names = ", ".join(one.name for one in layouts_of(asked.feed).of(kind))
        raise Problem("value", f"Name one layout of the kind {kind}: {names}", "layout")
    return found[0]


def _check(asked: Asked) -> None:
    try:
        days = [date.fromisoformat(one) for one in (asked.start, asked.end, asked.produced)]
    except ValueError:
        raise Problem("value", "Write the reporting period as two days, yyyy-mm-dd", "period") from None
    if days[0] > days[1]:
        raise Problem("value", "The reporting period ends before it starts", "period")
    if not asked.panel.startswith(("Group/", "Organization/")):
        raise Problem("value", "A panel is Group/ID, or Organization/ID for a provider without one", "panel")


def _report(charts: Charts, asked: Asked) -> Report:
    feed = asked.feed
    provider = asked.panel
    if provider.startswith("Group/"):
        provider = str(charts.must_be(provider).get("managingEntity", {}).get("reference", ""))
        if not provider.startswith("Organization/"):
            raise Problem("value", "The panel names no Organization as its managingEntity", "panel")
    plan = _plan(charts, asked)
    authorizations = str(feed.options.get("authorization_system") or f"{feed.system}/authorization")
    return Report(
        charts.must_be(provider),
        plan,
        asked.start,
        asked.end,
        asked.produced,
        cin_system(feed),
        mrn_system(feed),
        authorizations,
    )


def _plan(charts: Charts, asked: Asked) -> Resource:
    named = asked.plan or str(asked.feed.options.get("plan", ""))
    found = charts.read(named) if named.startswith("Organization/") else None
    return found or {"resourceType": "Organization"}


def _rows(charts: Charts, report: Report, layout: Layout, asked: Asked) -> Iterator[Facts]:
    for patient in charts.members(asked.panel, asked.start):
        yield from ROWS[asked.feed.kind](charts.chart(patient), report, layout)


def _file(path: Path, layout: Layout, rows: list[Facts], asked: Asked) -> ReturnFile:
    if asked.into is not None:
        gaps, left = filled_in(asked.into, path, asked.feed, layout, rows)
        return ReturnFile(path.read_bytes(), len(rows), gaps, left)
    made = written(layout, rows)
    if asked.csv:
        write_csv(path, made.header, made.rows)
    else:
        write_workbook(path, {next(iter(layout.sheets), layout.name)[:31]: (made.header, made.rows)})
    return ReturnFile(path.read_bytes(), len(rows), tuple(sorted(made.gaps)))
