"""A clock explains itself: from when, by which rule, what was left out, what was counted, when it is due. Pure.

Rules: the row's own source (hub.referrals.clock_table), and hub.referrals.clocks for how is counted. It says
nothing of anybody: no names, no reason beyond the words with which somebody paused it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hub import clock
from hub.referrals.clock_table import BUSINESS_DAYS, EVENTS
from hub.referrals.clocks import Calendar, Run, Standing
from hub.referrals.terms import Resource

HOW = {
    "business-days": "Business days: the day of the start is none, nor are weekends, the holidays of California's "
    "offices and days on which it stood still from beginning to end; it is due at the end of the last one.",
    "hours": "Hours, without those of pauses.",
    "days": "Days of the calendar, without whole days of pauses; it is due at the end of the last one.",
    "months": "Months of the calendar, without whole days of pauses; it is due at the end of the day.",
}


def explained(run: Run, how: Standing, calendar: Calendar) -> Resource:
    """As Parameters: values for machines, and `text` for people."""
    row = run.row
    parts: list[Resource] = [
        _part("clock", "Code", row.name),
        _part("meaning", "String", row.meaning),
        _part("rule", "String", row.source),
        _part("length", "String", f"{row.length} {row.unit}"),
        _part("counting", "String", HOW[row.unit]),
        _part("state", "Code", how.state),
        _part("start", "DateTime", _utc(run.start)),
        _part("started-by", "String", EVENTS[run.by]),
        *_pauses(run),
        *(_part("counted-day", "Date", day.isoformat()) for day in how.days),
        *([_part("due", "DateTime", _utc(how.due))] if how.due else []),
        *([_part("stop", "DateTime", _utc(run.stop))] if run.stop else []),
        *([_part("stopped-by", "String", EVENTS[run.stopped_by])] if run.stopped_by else []),
        *([_part("next-change", "DateTime", _utc(how.next))] if how.next else []),
        _part("time-zone", "String", str(calendar.zone)),
        _part("text", "String", " ".join(_sentences(run, how, calendar))),
    ]
    return {"resourceType": "Parameters", "parameter": parts}


def _pauses(run: Run) -> Iterator[Resource]:
    for one in run.pauses:
        end = [_part("end", "DateTime", _utc(one.end))] if one.end else []
        why = [_part("reason", "String", one.why)] if one.why else []
        yield {"name": "pause", "part": [_part("start", "DateTime", _utc(one.start)), *end, *why]}


def _sentences(run: Run, how: Standing, calendar: Calendar) -> Iterator[str]:
    row = run.row
    yield f"{row.meaning} ({row.source})."
    yield f"It started on {_local(run.start, calendar)}: {EVENTS[run.by].lower()}."
    for one in run.pauses:
        until = f"until {_local(one.end, calendar)}" if one.end else "and stands still"
        yield f"It was paused on {_local(one.start, calendar)} {until}."
    if row.unit == BUSINESS_DAYS:
        yield f"{len(how.days)} of {row.length} business days were counted."
    if how.due:
        yield f"It {'was' if run.stop else 'is'} due on {_local(how.due, calendar)}."
    if run.stop:
        yield f"It was stopped on {_local(run.stop, calendar)}: {EVENTS[run.stopped_by].lower()}."
    yield f"It is {how.state}."


def _part(name: str, kind: str, value: Any) -> Resource:
    return {"name": name, f"value{kind}": value}


def _utc(moment: datetime) -> str:
    return clock.instant(clock.micros(moment))


def _local(moment: datetime, calendar: Calendar) -> str:
    return moment.astimezone(calendar.zone).strftime("%Y-%m-%d %H:%M")
