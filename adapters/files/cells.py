"""Fields of marshmallow schemas for what stands in cells: days, moments.

Rules: docs/files.md; ISO 8601 dates (yyyy-mm-dd) always, other forms only where schema or layout name them.
Refuses (DATE): a day that is not in the calendar, a year of two digits unless its form is named, more than 120
years ago, and days to come unless the field is about plans.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import ValidationError, fields

from hub import clock

OLDEST_YEARS = 120
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)


class Refused(ValidationError):
    """Raised by fields and schema rules that know the reject's code. `what` says what to do, without a value."""

    def __init__(self, code: str, what: str, column: str = "_schema"):
        super().__init__(what, column)
        self.code, self.what, self.column = code, what, column


class Day(fields.Field[datetime.date]):
    """A date. `formats` are further forms, as strptime writes them; `future` allows days to come (an
    authorization's end); `oldest` is the number of years that it may lie back."""

    def __init__(
        self, *, formats: Sequence[str] = (), future: bool = False, oldest: int = OLDEST_YEARS, **options: Any
    ):
        super().__init__(**options)
        self.formats, self.future, self.oldest = tuple(formats), future, oldest

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime.date:
        day = _day(str(value), self.formats)
        _check(day, self.future, self.oldest)
        return day


class Moment(fields.Field[datetime.datetime]):
    """A date with a time, without a zone (the feed names it), such as 2026-02-03 14:05:00. A date alone is
    midnight."""

    def __init__(
        self, *, formats: Sequence[str] = (), future: bool = False, oldest: int = OLDEST_YEARS, **options: Any
    ):
        super().__init__(**options)
        self.formats, self.future, self.oldest = tuple(formats), future, oldest

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime.datetime:
        moment = _moment(str(value), self.formats)
        _check(moment.date(), self.future, self.oldest)
        return moment


def _day(text: str, formats: Sequence[str]) -> datetime.date:
    if _DAY.fullmatch(text):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            raise _no_date() from None
    return _parsed(text, formats).date()


def _moment(text: str, formats: Sequence[str]) -> datetime.datetime:
    if _DAY.fullmatch(text) or _MOMENT.fullmatch(text):
        try:
            return datetime.datetime.fromisoformat(text)
        except ValueError:
            raise _no_date() from None
    return _parsed(text, formats)


def _parsed(text: str, formats: Sequence[str]) -> datetime.datetime:
    for form in formats:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise _no_date()


def _check(day: datetime.date, future: bool, oldest: int) -> None:
    today = clock.now().date()  # of UTC: never behind a Californian one
    if day > today and not future:
        raise Refused("DATE", "The date is to come.")
    if day.year < today.year - oldest or (day.year == today.year - oldest and day < _years_ago(today, oldest)):
        raise Refused("DATE", f"The date is more than {oldest} years ago.")


def _years_ago(day: datetime.date, years: int) -> datetime.date:
    return day.replace(year=day.year - years, day=min(day.day, 28))


def _no_date() -> Refused:
    return Refused("DATE", "Write a date of the calendar as yyyy-mm-dd, or as the layout says.")
