"""How clocks run: what is counted, what a pause does, how they stand."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.problems import CannotStart
from hub.referrals.clock_table import CLOCKS, EVENTS, ClockRow, clock_rows
from hub.referrals.clocks import Calendar, Pause, Run, ends, runs, standing
from hub.referrals.clocks_page import page

DOCS = Path(__file__).parents[3] / "docs"
HERE = ZoneInfo("America/Los_Angeles")
CALENDAR = Calendar(HERE)
ROWS = {row.name: row for row in CLOCKS}


def at(text: str) -> datetime:
    """Local time, such as `11-23 09:00`, of 2026."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}").replace(tzinfo=HERE)


def run(name: str, start: str, *pauses: tuple[str, str | None]) -> Run:
    kept = tuple(Pause(at(low), at(high) if high else None, "Waits for the member") for low, high in pauses)
    return Run(ROWS[name], 1, at(start), "plan-asked", pauses=kept)


def due(of: Run) -> datetime:
    return ends(of, of.row.length, CALENDAR)


def test_the_page_of_clocks_is_printed_from_the_tables() -> None:
    """When this fails: .venv/bin/python -m hub.referrals.clocks_page > docs/clocks.md"""
    assert (DOCS / "clocks.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("authorization", "11-02 09:00", "11-10 00:00"),  # Mon 2 -> Tue, Wed, Thu, Fri, Mon 9
        ("authorization", "11-06 23:30", "11-17 00:00"),  # a Friday night; Veterans Day is on Wednesday
        ("authorization", "11-07 12:00", "11-17 00:00"),  # a Saturday, nothing else
        ("authorization", "11-23 09:00", "12-03 00:00"),  # over Thanksgiving and the day after
        ("authorization-expedited", "11-25 16:00", "11-28 16:00"),  # hours know no holiday
        ("assignment", "11-23 09:00", "12-10 00:00"),
        ("provider-change", "01-31 10:00", "03-03 00:00"),
        ("reassessment", "03-15 10:00", "09-16 00:00"),
        ("reassessment", "02-28 10:00", "08-29 00:00"),
    ],
)
def test_a_clock_is_due_when_its_rule_says(name: str, start: str, end: str) -> None:
    assert due(run(name, start)) == at(end)


def test_six_months_after_the_last_of_august_are_the_last_of_february() -> None:
    assert due(run("reassessment", "08-31 10:00")) == datetime(2027, 3, 1, tzinfo=HERE)


def test_the_day_that_the_clocks_change_has_its_hours() -> None:
    """72 hours are 72 hours, also over the night of 1 November that has 25."""
    assert due(run("authorization-expedited", "10-30 12:00")) == at("11-02 11:00")


def test_a_whole_day_of_a_pause_is_not_counted_and_a_part_of_one_is() -> None:
    assert due(run("authorization", "11-02 09:00", ("11-03 10:00", "11-03 16:00"))) == at("11-10 00:00")
    assert due(run("authorization", "11-02 09:00", ("11-03 10:00", "11-05 16:00"))) == at("11-11 00:00")
    assert due(run("authorization", "11-02 09:00", ("11-03 00:00", "11-04 00:00"))) == at("11-11 00:00")


def test_hours_of_a_pause_are_left_out_to_the_second() -> None:
    paused = run("authorization-expedited", "11-02 09:00", ("11-02 10:00", "11-02 12:30"))
    assert due(paused) == at("11-05 11:30")


def test_a_clock_that_stands_still_is_due_at_no_time() -> None:
    how = standing(run("authorization", "11-02 09:00", ("11-03 10:00", None)), at("11-20 09:00"), CALENDAR)
    assert (how.state, how.due, how.next) == ("paused", None, None)


@pytest.mark.parametrize(
    ("now", "state", "following"),
    [
        ("11-02 10:00", "running", "11-07 00:00"),
        ("11-08 10:00", "due", "11-10 00:00"),
        ("11-10 00:00", "late", "11-11 00:00"),
        ("11-11 00:00", "escalated", None),
    ],
)
def test_a_clock_is_due_then_late_then_escalated(now: str, state: str, following: str | None) -> None:
    how = standing(run("authorization", "11-02 09:00"), at(now), CALENDAR)
    assert (how.state, how.next) == (state, at(following) if following else None)


def test_what_was_done_in_time_is_met_and_what_was_not_says_so() -> None:
    base = run("authorization", "11-02 09:00")
    for stop, state in (("11-09 23:59", "met"), ("11-10 00:01", "met-late")):
        how = standing(replace(base, stop=at(stop), stopped_by="authorized"), at("12-01 09:00"), CALENDAR)
        assert (how.state, how.next) == (state, None)


def test_a_clock_counts_the_days_that_it_tells() -> None:
    how = standing(run("authorization", "11-09 09:00"), at("11-16 12:00"), CALENDAR)
    assert [day.day for day in how.days] == [10, 12, 13, 16]


def test_a_clock_starts_anew_with_each_of_its_events_that_finds_it_stopped() -> None:
    happened = {"authorized": [at("01-05 09:00")], "assessed": [at("02-05 09:00"), at("06-05 09:00")]}
    found = runs(ROWS["reassessment"], happened, ())
    assert [(one.number, one.by, one.stop) for one in found] == [
        (1, "authorized", at("02-05 09:00")),
        (2, "assessed", at("06-05 09:00")),
        (3, "assessed", None),
    ]


def test_a_pause_counts_as_far_as_it_falls_into_a_run_and_only_where_the_row_wants_it() -> None:
    happened = {"plan-asked": [at("11-02 09:00")], "authorized": [at("11-05 09:00")]}
    long = (Pause(at("11-01 09:00"), at("11-03 09:00"), ""), Pause(at("11-04 09:00"), None, ""))
    [found] = runs(ROWS["authorization"], happened, long)
    assert [(one.start, one.end) for one in found.pauses] == [
        (at("11-02 09:00"), at("11-03 09:00")),
        (at("11-04 09:00"), at("11-05 09:00")),
    ]
    [other] = runs(replace(ROWS["authorization"], pauses=False), happened, long)
    assert other.pauses == ()


moments = st.integers(0, 60 * 24 * 60).map(lambda minutes: at("10-01 00:00") + timedelta(minutes=minutes))


@given(st.sampled_from(CLOCKS), moments, moments, moments)
def test_no_pause_brings_a_clock_forward_and_none_is_longer_than_itself(
    row: ClockRow, start: datetime, low: datetime, high: datetime
) -> None:
    low, high = sorted((max(low, start), max(high, start)))
    plain = Run(row, 1, start, "requested")
    paused = replace(plain, pauses=(Pause(low, high),)) if low < high else plain
    later: timedelta = ends(paused, row.length, CALENDAR) - ends(plain, row.length, CALENDAR)
    assert timedelta() <= later <= (high - low) * 3 + timedelta(days=6)
    assert ends(plain, row.length, CALENDAR) > start


@pytest.mark.parametrize("row", CLOCKS, ids=lambda row: row.name)
def test_each_row_says_where_its_rule_stands(row: ClockRow) -> None:
    assert "Policy Guide" in row.source
    assert {*row.start, *row.stop} <= EVENTS.keys()


CONTRACT: dict[str, Any] = {
    "name": "first-outreach",
    "meaning": "The provider begins",
    "start": ["provider-accepted"],
    "stop": ["begun", "closed"],
    "length": 5,
    "unit": "business-days",
    "acts": "provider",
    "source": "Contract of 2026, section 4",
}


def test_a_contract_adds_a_row_or_replaces_one() -> None:
    rows = clock_rows([CONTRACT, CONTRACT | {"name": "assignment", "length": 3, "services": ["ecm"]}])
    assert [row.name for row in rows] == [*(row.name for row in CLOCKS), "first-outreach"]
    changed = next(row for row in rows if row.name == "assignment")
    assert (changed.length, changed.services, changed.source) == (3, ("ecm",), "Contract of 2026, section 4")


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": "weeks"},
        {"start": ["begun", "invented"]},
        {"start": "begun"},
        {"length": 0},
        {"length": "5"},
        {"acts": "nobody"},
        {"invented": 1},
        {"pauses": "yes"},
    ],
    ids=lambda wrong: next(iter(wrong)) + str(next(iter(wrong.values()))),
)
def test_a_row_that_cannot_be_used_keeps_the_hub_from_starting(wrong: dict[str, Any]) -> None:
    with pytest.raises(CannotStart, match="first-outreach"):
        clock_rows([CONTRACT | wrong])


def test_a_row_says_all_that_a_clock_needs() -> None:
    for name in CONTRACT:
        with pytest.raises(CannotStart):
            clock_rows([{key: value for key, value in CONTRACT.items() if key != name}])
