"""v2 DTM/TS -> FHIR date, dateTime and moments. Every date of this source goes through here.

Rules: HL7 v2.8.2 chapter 2A.3.22 (DTM); https://hl7.org/fhir/R4/datatypes.html#dateTime
- A DTM without offset is local time of the facility. In the hour that occurs twice (autumn) the first one is
  meant; in the hour that does not exist (spring) the offset before the jump is used: one moment, never an error.
- Precision is kept: a year stays a year. FHIR cannot write an hour without minutes: such a value keeps its day.
  Missing seconds are written 00, as FHIR allows.
- A birth date is the date as written; it is never moved to another time zone.
Refuses: anything that is no calendar date or no time of day, and offsets past 14 hours (Unreadable, 102).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from fhir_mappings.adt.problems import Unreadable

_DTM = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(\.[0-9]{1,4})?)?)?)?)?)?"
    r"([+-][0-9]{4})?"
)
_DATE_FORMATS = ("", "%04d", "%04d-%02d", "%04d-%02d-%02d")
DAY, MINUTE = 3, 5


@dataclass(frozen=True, slots=True)
class Dtm:
    """A v2 time. `start` is its first moment in written (local) time; `precision` counts the parts given:
    1 year, 2 month, 3 day, 4 hour, 5 minute, 6 second; `fraction` is as written, with its dot."""

    start: datetime
    precision: int
    fraction: str = ""
    offset: timezone | None = None


def read(text: str, where: str) -> Dtm:
    """The DTM in `text`. Raises Unreadable (102) at `where`."""
    match = _DTM.fullmatch(text)
    if match is None:
        raise Unreadable("Not a v2 date or time", where)
    parts = [int(part) for part in match.groups()[:6] if part is not None]
    fraction, offset = match.group(7) or "", match.group(8)
    try:
        start = datetime(*(parts + [1, 1][len(parts) - 1 :] if len(parts) < DAY else parts))  # type: ignore[arg-type]
        return Dtm(start, len(parts), fraction, _offset(offset) if offset else None)
    except ValueError:
        raise Unreadable("No such day or time", where) from None


def _offset(text: str) -> timezone:
    hours, minutes = int(text[1:3]), int(text[3:5])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        raise ValueError(text)
    delta = timedelta(hours=hours, minutes=minutes)
    return timezone(-delta if text[0] == "-" else delta)


def fhir_date(dtm: Dtm) -> str:
    """A FHIR date, as written, no finer than a day."""
    start = dtm.start
    parts = (start.year, start.month, start.day)[: min(dtm.precision, DAY)]
    return _DATE_FORMATS[len(parts)] % parts


def fhir_date_time(dtm: Dtm, zone: tzinfo) -> str:
    """A FHIR dateTime with offset (that of the message, else of `zone`), or a date when no minutes were given."""
    if dtm.precision < MINUTE:
        return fhir_date(dtm)
    text = dtm.start.replace(tzinfo=dtm.offset or zone).isoformat()
    return f"{text[:19]}{dtm.fraction}{text[19:25]}"  # before 1883 zones had seconds, which FHIR cannot write


def moment(dtm: Dtm, zone: tzinfo) -> datetime:
    """The first moment the value can mean, UTC, for ordering. At the ends of the calendar the end itself."""
    fraction = timedelta(seconds=float(dtm.fraction)) if dtm.fraction else timedelta()
    try:
        return dtm.start.replace(tzinfo=dtm.offset or zone).astimezone(UTC) + fraction
    except OverflowError:
        return (datetime.min if dtm.start.year == 1 else datetime.max).replace(tzinfo=UTC)


def fhir_instant(at: datetime) -> str:
    """An aware datetime as a FHIR instant in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
