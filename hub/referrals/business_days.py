"""The days on which people work in California. Pure.

Rules: California Government Code section 19853 (a), (b): the holidays of the state's offices; one that falls on a
Sunday is kept on Monday, Veterans Day on a Saturday on Friday, any other on a Saturday not at all. What the
Governor appoints, and what a plan keeps besides, a deployment adds (`holidays` of referrals.toml).
Section 6700 lists more days, such as June 19 and September 9, on which offices are open: who counts them as days of
work never comes late.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6
DAY = timedelta(days=1)
VETERANS = (11, 11)
# (month, day)
FIXED = ((1, 1), (3, 31), (7, 4), VETERANS, (12, 25))
# month, which one (-1: the last), day of the week, days after it
MOVING: tuple[tuple[int, int, int, int], ...] = (
    (1, 3, MONDAY, 0),  # Dr. Martin Luther King, Jr. Day
    (2, 3, MONDAY, 0),  # Presidents' Day
    (5, -1, MONDAY, 0),  # Memorial Day
    (9, 1, MONDAY, 0),  # Labor Day
    (11, 4, THURSDAY, 0),  # Thanksgiving Day
    (11, 4, THURSDAY, 1),  # the day after it
)
IsFree = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Workdays:
    """`more` are days on which nobody works, beside weekends and the state's holidays."""

    more: Collection[date] = ()

    def is_work(self, day: date) -> bool:
        return day.weekday() < SATURDAY and day not in holidays(day.year) and day not in self.more

    def after(self, day: date) -> Iterator[date]:
        """The days of work that follow a day."""
        while True:
            day += DAY
            if self.is_work(day):
                yield day


@cache
def holidays(year: int) -> frozenset[date]:
    """The days of a year on which the state's offices are closed."""
    return frozenset((*_fixed(year), *(_moving(year, *row) for row in MOVING)))


def _fixed(year: int) -> Iterator[date]:
    for month, number in FIXED:
        day = date(year, month, number)
        if day.weekday() == SUNDAY:
            yield day + DAY
        elif day.weekday() == SATURDAY and (month, number) == VETERANS:
            yield day - DAY
        else:
            yield day


def _moving(year: int, month: int, which: int, weekday: int, after: int) -> date:
    first = date(year, month, 1)
    start = first + timedelta(days=(weekday - first.weekday()) % 7)
    found = [day for week in range(5) if (day := start + timedelta(weeks=week)).month == month]
    return found[which - 1 if which > 0 else which] + after * DAY
