"""What a plan is expected to track of ECM outreach each quarter, counted from enrolments and attempts. Pure.

Rules: CalAIM ECM Policy Guide (2021), "Requirement to Track Outreach to Inform ECM Rate Development": five
measures of individuals targeted for ECM, prior to the member's actual enrollment. What DHCS' quarterly workbook
has a row a member for, those enrolled and those discontinued with their reason, is counted behind them, in the
hub's words.
- Targeted: a member's enrolment was `planned` or `waitlist` in the quarter, or somebody tried to reach the member.
- An attempt counts up to the day of enrolment; later, and until the enrolment is over, it is no outreach any more.
- A member counts once, whoever it was merged with. Nothing is guessed: attempts of which no method, time or
  success is said are counted as such.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hub.ecm.attempts import Attempt
from hub.ecm.terms import ENROLLED, FINISHED, METHODS, TARGETED, Node, discontinuation

NOT_SAID = "not said"
HEADER = ("measure", "by", "count")
_QUARTER = re.compile(r"(20\d\d)-?Q([1-4])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quarter:
    """Its days, both included, yyyy-mm-dd."""

    first: str
    last: str

    @classmethod
    def of(cls, text: str) -> "Quarter":
        """Of the form 2026Q3. Raises ValueError."""
        found = _QUARTER.fullmatch(text)
        if found is None:
            raise ValueError("A quarter is written 2026Q3")
        year, month = int(found[1]), 3 * int(found[2]) - 2
        after = date(year + month // 10, (month + 2) % 12 + 1, 1)
        return cls(date(year, month, 1).isoformat(), (after - timedelta(days=1)).isoformat())

    def covers(self, day: str) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Span:
    """A status, from a day until another (empty: still)."""

    status: str
    start: str
    end: str

    def touches(self, quarter: Quarter) -> bool:
        return self.start <= quarter.last and (not self.end or self.end >= quarter.first)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An enrolment of one member."""

    member: str
    spans: tuple[Span, ...]
    reason: str = ""

    @classmethod
    def of(cls, member: str, episode: Node) -> "Enrolled":
        return cls(member, tuple(_spans(episode)), next(iter(discontinuation(episode)), NOT_SAID))


def _spans(episode: Node) -> Iterator[Span]:
    """Of an episode from before the hub kept its history, what it says now."""
    period = episode.get("period") or {}
    usual = {"status": episode.get("status"), "period": {"start": period.get("start", "")}}
    for one in episode.get("statusHistory") or [usual]:
        span = one.get("period", {})
        if span.get("start"):
            yield Span(str(one.get("status")), str(span["start"])[:10], str(span.get("end", ""))[:10])


Row = tuple[str, str, str]


def counts(quarter: Quarter, enrolled: Sequence[Enrolled], attempts: Iterable[tuple[str, Attempt]]) -> list[Row]:
    """The rows behind HEADER. `attempts` with the member of each."""
    by_member: dict[str, list[Enrolled]] = {}
    for one in enrolled:
        by_member.setdefault(one.member, []).append(one)
    found = [
        (member, one)
        for member, one in attempts
        if quarter.covers(one.day) and _is_outreach(one.day, by_member.get(member, ()))
    ]
    targeted = {one.member for one in enrolled if _was(one, TARGETED, quarter)}
    return [*_tracked(found, targeted), *_enrolled(quarter, enrolled)]


def _is_outreach(day: str, of: Iterable[Enrolled]) -> bool:
    """Before the member was enrolled, or on that very day."""
    spans = (span for one in of for span in one.spans if span.status in ENROLLED)
    return not any(span.start < day and (not span.end or day <= span.end) for span in spans)


def _was(one: Enrolled, statuses: frozenset[str], quarter: Quarter) -> bool:
    return any(span.status in statuses and span.touches(quarter) for span in one.spans)


def _tracked(found: Sequence[tuple[str, Attempt]], targeted: set[str]) -> Iterator[Row]:
    reached = {member for member, _ in found}
    methods = Counter(one.method or NOT_SAID for _, one in found)
    minutes = [one.minutes for _, one in found if one.minutes is not None]
    yield "individuals targeted for ECM", "", str(len(targeted | reached))
    yield "individuals with at least one outreach attempt", "", str(len(reached))
    yield "outreach attempts", "", str(len(found))
    for method in (*METHODS, *sorted(methods.keys() - {*METHODS})):
        yield "outreach attempts", method, str(methods[method])
    yield "successful outreach attempts", "", str(sum(one.met is True for _, one in found))
    if unknown := sum(one.met is None for _, one in found):
        yield "successful outreach attempts", NOT_SAID, str(unknown)
    yield "hours of outreach", "", f"{sum(minutes) / 60:.2f}"
    if unknown := len(found) - len(minutes):
        yield "attempts without a time", NOT_SAID, str(unknown)


def _enrolled(quarter: Quarter, enrolled: Sequence[Enrolled]) -> Iterator[Row]:
    yield "members enrolled in ECM", "", str(len({o.member for o in enrolled if _was(o, ENROLLED, quarter)}))
    ended: dict[str, set[str]] = {}
    for one in enrolled:
        if any(span.status == FINISHED and quarter.covers(span.start) for span in one.spans):
            ended.setdefault(one.member, set()).add(one.reason)
    reasons = Counter(reason for said in ended.values() for reason in (said - {NOT_SAID} or said))
    yield "members discontinued from ECM", "", str(len(ended))
    for reason in sorted(reasons):
        yield "members discontinued from ECM", reason, str(reasons[reason])
