"""How a clock runs: from events and pauses to when it is due, and how it stands. Pure.

Rules: the row's (hub.referrals.clock_table). Days are days of the deployment's time zone.
- Business days: the day of the start is none; the clock is due at the end of the last day. A day on which it stood
  still from beginning to end is none; one on which it ran for a while is one, so that no pause makes it longer than
  it was.
- Hours run by the hour, pauses to the second. Days and months are those of the calendar, each whole day of a pause
  adds one; they end at the end of a day.
Times are aware datetimes.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hub.referrals.business_days import DAY, Workdays
from hub.referrals.clock_table import BUSINESS_DAYS, DAYS, HOURS, ClockRow

RUNNING, PAUSED, DUE, LATE, ESCALATED = "running", "paused", "due", "late", "escalated"
MET, MET_LATE = "met", "met-late"
STATES = (RUNNING, PAUSED, DUE, LATE, ESCALATED, MET, MET_LATE)
Events: TypeAlias = Mapping[str, Sequence[datetime]]  # by name of EVENTS, in order


@dataclass(frozen=True, slots=True)
class Pause:
    """`end` is None while it lasts; `why` in the words of who paused."""

    start: datetime
    end: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where days begin, and on which people work."""

    zone: ZoneInfo
    workdays: Workdays = field(default_factory=Workdays)

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        return datetime.combine(day + DAY, time(), self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a clock: from `start`, by `by`, until `stop` or still. `number` counts the runs of a referral."""

    row: ClockRow
    number: int
    start: datetime
    by: str
    stop: datetime | None = None
    stopped_by: str = ""
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands: its state; when it is due (None while it is paused, as nobody knows); when its state
    changes next by itself; the days that were counted."""

    state: str
    due: datetime | None
    next: datetime | None
    days: tuple[date, ...] = ()


def runs(row: ClockRow, events: Events, pauses: Iterable[Pause]) -> list[Run]:
    """The runs of a row: it starts at each of its events that finds it stopped."""
    starts = sorted((at, name) for name in row.start for at in events.get(name, ()))
    stops = sorted((at, name) for name in row.stop for at in events.get(name, ()))
    found: list[Run] = []
    for at, name in starts:
        last = found[-1] if found else None
        if last and (last.stop is None or at < last.stop):
            continue
        # what happens at one moment stops what ran and starts what runs then
        over = next(((end, by) for end, by in stops if end > at or (end == at and by not in row.start)), None)
        stop, by = over or (None, "")
        kept = tuple(one for one in _within(pauses, at, stop)) if row.pauses else ()
        found.append(Run(row, len(found) + 1, at, name, stop, by, kept))
    return found


def _within(pauses: Iterable[Pause], start: datetime, stop: datetime | None) -> Iterator[Pause]:
    """The parts of pauses that fall into a run."""
    for one in pauses:
        low = max(one.start, start)
        high = one.end if stop is None else min(one.end or stop, stop)
        if high is None or low < high:
            yield Pause(low, high, one.why)


def standing(run: Run, now: datetime, calendar: Calendar) -> Standing:
    """How it stands at a moment."""
    at = run.stop or now
    if run.stop is None and run.pauses and run.pauses[-1].end is None:
        return Standing(PAUSED, None, None, tuple(_days(run, at, calendar)))
    due = ends(run, run.row.length, calendar)
    days = tuple(one for one in _days(run, due, calendar) if one <= calendar.day(at))
    if run.stop is not None:
        return Standing(MET if run.stop <= due else MET_LATE, due, None, days)
    steps = _steps(run, due, calendar)
    state = next((name for name, moment in reversed(steps) if now >= moment), RUNNING)
    return Standing(state, due, next((moment for _, moment in steps if now < moment), None), days)


def _steps(run: Run, due: datetime, calendar: Calendar) -> list[tuple[str, datetime]]:
    """When it comes to be due, late and escalated by itself."""
    row = run.row
    warned = ends(run, max(row.length - row.warn, 0), calendar) if row.warn else due
    return [(DUE, warned), (LATE, due), (ESCALATED, ends(run, row.length + row.escalate, calendar))]


def ends(run: Run, length: int, calendar: Calendar) -> datetime:
    """The end of so many units of the row, its pauses left out."""
    pauses = [(one.start, one.end) for one in run.pauses if one.end is not None]
    if run.row.unit == HOURS:
        return _hours(run.start, timedelta(hours=length), pauses)
    first = calendar.day(run.start)
    still = _whole_days(pauses, calendar)
    if run.row.unit == BUSINESS_DAYS:
        if not length:
            return run.start
        worked = (day for day in calendar.workdays.after(first) if day not in still)
        return calendar.end_of(next(islice(worked, length - 1, None)))
    last = first + length * DAY if run.row.unit == DAYS else _months(first, length)
    day = first
    while day < last:
        day += DAY
        if day in still:
            last += DAY
    return calendar.end_of(last)


def _hours(start: datetime, left: timedelta, pauses: Iterable[tuple[datetime, datetime]]) -> datetime:
    at = start.astimezone(UTC)  # in a zone of its own an hour of the night may count twice, or not at all
    for low, high in sorted(pauses):
        if at + left <= low:
            break
        left -= max(low - at, timedelta())
        at = max(at, high)
    return at + left


def _whole_days(pauses: Iterable[tuple[datetime, datetime]], calendar: Calendar) -> set[date]:
    """The days on which it stood still from beginning to end."""
    found: set[date] = set()
    for low, high in pauses:
        day = calendar.day(low)
        if low.astimezone(calendar.zone).time() != time():
            day += DAY
        while calendar.end_of(day) <= high:
            found.add(day)
            day += DAY
    return found


def _months(first: date, months: int) -> date:
    """The same day so many months later; the last one of a month that has it not."""
    years, month = divmod(first.month - 1 + months, 12)
    year = first.year + years
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


def _days(run: Run, until: datetime, calendar: Calendar) -> Iterator[date]:
    """The business days that were counted until a moment."""
    if run.row.unit != BUSINESS_DAYS:
        return
    pauses = [(one.start, one.end or until) for one in run.pauses]
    still = _whole_days(pauses, calendar)
    last = calendar.day(until - timedelta(microseconds=1))
    for day in calendar.workdays.after(calendar.day(run.start)):
        if day > last:
            return
        if day not in still:
            yield day
