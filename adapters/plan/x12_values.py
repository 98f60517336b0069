"""Values of X12 elements as rows hold them: dates as ISO text, composites taken apart; what is no value is a
Reject.

Rules: X12.6 data types (D8 CCYYMMDD, RD8 two of them with a hyphen, DT with a time); facts of the DHCS shape: what
stands in REF02 is separated by semicolons, months are CCYYMM (docs/plan-834.md).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from hub import clock
from hub.feeds.records import WARNING, Reject

CIN = re.compile(r"\d{8}[A-Z]", re.ASCII)
USUAL_CIN = re.compile(r"9\d{7}[ACDEFGHMNT-Z]", re.ASCII)  # letters that Los Angeles County says are given out
_AMOUNT = re.compile(r"-?\d{1,12}(\.\d{1,4})?", re.ASCII)
OLDEST = 120  # years


@dataclass(slots=True)
class Reading:
    """The values of one row as they are found, and what is wrong with them."""

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not any(one.severity != WARNING for one in self.rejects)

    def put(self, name: str, value: Any) -> None:
        """Nothing where nothing was said."""
        if value not in ("", None, [], {}):
            self.values[name] = value

    def read(self, name: str, text: str, column: str, as_value: Callable[[str], str | None], line: int = 0) -> None:
        """The value of a text, or a Reject that names the kind of value."""
        if not text:
            return
        value = as_value(text)
        if value is None:
            self.reject(_CODES.get(as_value, "TYPE"), column, line)
        else:
            self.values[name] = value

    def reject(self, code: str, column: str, line: int = 0, what: str = "", severity: str = "error") -> None:
        self.rejects.append(Reject(code, line or self.line, column, what, severity=severity))


def day(text: str) -> str | None:
    """CCYYMMDD -> 2026-01-31. Of a date with a time (CCYYMMDDHHMM) the day."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).isoformat() if text.isdigit() else None
    except ValueError:
        return None


def month(text: str) -> str | None:
    """CCYYMM -> 2026-01."""
    found = day(text + "01") if len(text) == 6 else None
    return found[:7] if found else None


def birth_day(text: str) -> str | None:
    """A day that somebody alive can have been born on."""
    found, today = day(text), clock.now().date()
    if found is None or date.fromisoformat(found) > today:
        return None
    return found if today.year - int(found[:4]) <= OLDEST else None


def amount(text: str) -> str | None:
    return text if _AMOUNT.fullmatch(text) else None


def moment(day_text: str, time_text: str) -> str | None:
    """CCYYMMDD and HHMM[SS…] -> 2026-01-31T08:15:00, the sender's own time."""
    found = day(day_text)
    try:
        time = datetime.strptime(time_text[:4], "%H%M").time() if time_text else None
    except ValueError:
        return None
    return f"{found}T{time.isoformat()}" if found and time else found


_CODES: dict[Callable[[str], str | None], str] = {day: "DATE", month: "DATE", birth_day: "DATE", amount: "TYPE"}
