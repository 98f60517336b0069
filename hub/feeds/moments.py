"""When a row was said: of two sayings the one that was said later counts, in whatever order their files came.

Rules: docs/feeds.md "Said when". The moment is, in this order, what the file says inside (AsOf), a date in its name
by the feed's `dated`, its arrival; for a feed that goes by arrival only that. A moment without a zone is of the
feed's. Of two that were said at one moment the one that comes later counts. Pure.
Refuses: a moment of more than a day after the arrival. It is a clock or a finger that is wrong, and would outdo all
that comes after it; the arrival counts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub import clock
from hub.feeds.records import Feed

DAY = timedelta(days=1) // clock.MICROSECOND
_DIGITS: Mapping[str, str] = {"%Y": r"\d{4}", **dict.fromkeys(("%y", "%m", "%d", "%H", "%M", "%S"), r"\d{2}")}
_WORD = re.compile("%.?")


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one file. `name` is its own, `arrived` when it came."""

    feed: Feed
    name: str
    arrived: int

    def otherwise(self) -> int:
        """Where the file does not say."""
        by_name = "" if self.feed.by_arrival else date_in(self.feed.dated, self.name)
        return self.told(by_name) or self.arrived

    def told(self, text: str) -> int | None:
        """None where this is no moment, or one to come."""
        found = None if self.feed.by_arrival else _micros(text, self.feed.time_zone)
        return found if found is not None and found <= self.arrived + DAY else None


def _micros(text: str, zone: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
        return clock.micros((found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def date_in(form: str, name: str) -> str:
    """The date of a name, as ISO 8601; empty where the form is not in it."""
    found = _pattern(form).search(name) if form else None
    try:
        return datetime.strptime(found[0], form).isoformat() if found else ""
    except ValueError:
        return ""


def _pattern(form: str) -> re.Pattern[str]:
    """Raises ValueError for a form without year and month, or with something else of strptime's."""
    words = _WORD.findall(form)
    if not {"%Y", "%y"} & {*words} or "%m" not in words or len({*words}) < len(words) or {*words} - _DIGITS.keys():
        raise ValueError(form)
    texts = map(re.escape, _WORD.split(form))
    return re.compile(
        "".join(f"{text}{_DIGITS.get(word, '')}" for text, word in zip(texts, [*words, ""], strict=True))
    )


def check(form: str) -> None:
    """Raises ValueError."""
    if form:
        _pattern(form)
