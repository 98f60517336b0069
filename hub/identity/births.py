"""Birth dates as sources say them: whole, in part, or invented, and how two of them agree.

Rules: FHIR date (https://hl7.org/fhir/R4/datatypes.html#date) may be a year or a month; HUD 3.03.2 DOBDataQuality 2
means that the date may be invented, mostly as 1 January (facts.md §1.2).
Refuses nothing: a date that no calendar has, or of a year before EARLIEST, is no date (None).
"""

import re
from dataclasses import dataclass
from datetime import date

EARLIEST = 1880
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?", re.ASCII)
GENERATION = 14  # years between a parent and a child who bears the same name


@dataclass(frozen=True, slots=True)
class Birth:
    """`month` and `day` are 0 where nothing is said of them."""

    year: int
    month: int = 0
    day: int = 0

    @property
    def whole(self) -> bool:
        return self.day > 0

    @property
    def usual_default(self) -> bool:
        """1 January, which is written where only the year is known."""
        return self.month == 1 and self.day == 1

    @property
    def text(self) -> str:
        return f"{self.year:04d}{self.month:02d}{self.day:02d}"


def birth(text: str) -> Birth | None:
    """Of `1980`, `1980-02` or `1980-02-29`; what follows the day (a time) is left off."""
    found = _DATE.match(text)
    if found is None or int(found[1]) < EARLIEST:
        return None
    year, month, day = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    return Birth(year, month, day)


def agreement(one: Birth, other: Birth) -> str:
    """A level of weights.csv, field `birth`; the same whichever comes first."""
    if one.whole and other.whole:
        return _of_days(one, other)
    if one.year != other.year:
        return "different"
    return "year" if 0 in (one.month, other.month) else "month" if one.month == other.month else "different"


def _of_days(one: Birth, other: Birth) -> str:
    if one == other:
        return "default" if one.usual_default else "same"
    if one.usual_default or other.usual_default:
        return "year" if one.year == other.year else "different"
    if (one.year, one.month, one.day) == (other.year, other.day, other.month):
        return "turned"
    return _of_slips(one, other)


def _of_slips(one: Birth, other: Birth) -> str:
    """One digit, or two neighbours that changed places; many years apart it is rather a parent and a child."""
    apart = abs(one.year - other.year)
    if _slipped(one.text, other.text):
        return "generation" if apart >= GENERATION else "digit"
    if apart == 1 and (one.month, one.day) == (other.month, other.day):
        return "digit"
    return "month" if (one.year, one.month) == (other.year, other.month) else "different"


def _slipped(one: str, other: str) -> bool:
    places = [at for at in range(8) if one[at] != other[at]]
    if len(places) == 2:
        first, second = places
        return second == first + 1 and one[first] == other[second] and one[second] == other[first]
    return len(places) == 1
