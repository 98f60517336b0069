"""Which messages a person means: by number, range, state, source, feed, kind of reason, time of arrival.

A kind of reason is the reason without the code at its end: `The code has no row in table 0005`.
Refuses: numbers that are no numbers and ranges that run backwards (ValueError).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_

from hub.store.tables import inbox

Range = tuple[int, int]
_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,20}")  # as adapters write one behind a reason


@dataclass(frozen=True, slots=True)
class Which:
    """What is empty chooses nothing away. `since` (inclusive) and `until` (exclusive) are microseconds."""

    ranges: tuple[Range, ...] = ()
    states: tuple[str, ...] = ()
    source: str | None = None
    feed: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def is_everything(self) -> bool:
        return self == Which()

    def conditions(self) -> list[ColumnElement[bool]]:
        """For the inbox's table, all of them together."""
        found: list[ColumnElement[bool]] = []
        if self.ranges:
            found.append(or_(*(inbox.c.seq.between(low, high) for low, high in self.ranges)))
        if self.states:
            found.append(inbox.c.state.in_(self.states))
        for column, value in ((inbox.c.source, self.source), (inbox.c.feed, self.feed)):
            if value is not None:
                found.append(column == value)
        if self.reason is not None:
            found.append(inbox.c.reason.startswith(self.reason, autoescape=True))
        if self.since is not None:
            found.append(inbox.c.received >= self.since)
        if self.until is not None:
            found.append(inbox.c.received < self.until)
        return found


def ranges(words: Sequence[str]) -> tuple[Range, ...]:
    """`17` and `120-180` as ranges. Raises ValueError."""
    found = []
    for word in words:
        match = _RANGE.fullmatch(word)
        if match is None:
            raise ValueError(f"{word} is no number and no range such as 120-180")
        low, high = int(match[1]), int(match[2] or match[1])
        if high < low:
            raise ValueError(f"{word} runs backwards")
        found.append((low, high))
    return tuple(found)


def reason_kind(reason: str) -> str:
    """The reason without the code at its end."""
    kind, _, last = reason.rpartition(": ")
    return kind if kind and _CODE.fullmatch(last) else reason
