"""X12 834 (005010X220A1) in the shape of DHCS -> rows: plan, members, coverages.

Rules: docs/plan-834.md. The file is read twice: judged (adapters/x12/examination.py), then taken member by member.
- A member whose segments are wrong, or whose facts cannot be, is rejected, and only that member.
- An `enrolled` row says that a member was added or known (INS03 001, 021, 025, 030): a termination (024) of
  somebody who never was waits for it (fhir_mappings/plan/x12_834.py).
- A full file (BGN08 4 or RX, or BGN02 beginning with one of the feed's `full_names`) says that its plan has no
  other members; not where a member of it was rejected, or a count is wrong: who is missing then may be in it.
Refuses: other versions; members by the rules of x12_834_member.py and x12_834_coverage.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.plan import x12_834_coverage as hd
from adapters.plan import x12_834_member as ins
from adapters.plan.x12_values import Reading, moment
from adapters.x12.blocks import HEADER, Block, blocks
from adapters.x12.envelopes import Taken, keys_taken
from adapters.x12.examination import Blocks, Rules, examined, rules_of
from adapters.x12.made import made_of
from adapters.x12.rejects import envelope_rejects, segment_reject
from adapters.x12.segments import Segment
from hub.feeds.records import DIRECTORY, PERSON, WARNING, AsOf, Feed, Given, Once, Reject, Row, Whole

TAKEN = Taken("BE", "834", frozenset(("005010X220A1",)))
_FULL = frozenset(("4", "RX"))
_KNOWN = frozenset(("001", "021", "025", "030"))
_PADDING = ".."  # names are filled up with dots in the DHCS shape


def _kind_of(segment: Segment) -> str:
    return "member" if segment.name == "INS" else ""


_MEMBER = frozenset(("member",))
BLOCKS = Blocks(_kind_of, own=_MEMBER, repeats=_MEMBER)


def rules(feed: Feed) -> Rules:
    return rules_of(TAKEN, BLOCKS, feed.options)


def read(path: Path, feed: Feed) -> Iterator[Given]:
    """Rows and rejects; a Whole at the end of a full file."""
    how = rules(feed)
    found = examined(path, how)
    yield from envelope_rejects(found)
    yield from map(Once, keys_taken(found))
    state = _State(feed, is_whole=found.is_right, made=made_of(found))
    for block in blocks(path, how, found):
        yield from state.header(block) if block.kind == HEADER else state.member(block)
    yield from state.end()


@dataclass(slots=True)
class _State:
    """The header of the set that is read, and whether the file may say who is gone. `made`: when each set was
    made, by its envelope; `said`: as of when each plan's first set was."""

    feed: Feed
    is_whole: bool
    made: Mapping[int, str]
    said: dict[str, str] = field(default_factory=dict)
    plan: str = ""
    plans: dict[str, bool] = field(default_factory=dict)  # plan -> full
    declared: int | None = None
    line: int = 0
    count: int = 0

    def header(self, block: Block) -> Iterator[Given]:
        yield from self._counted()
        told = {segment.element(1): segment for segment in block.segments if segment.name == "N1"}
        begun = next((segment for segment in block.segments if segment.name == "BGN"), None)
        self.line, self.count = block.line, 0
        at = self.made.get(block.ordinal) or (moment(begun.element(3), begun.element(4)) if begun else "") or ""
        if at:
            yield AsOf(at)
        self.declared = next((_count(s) for s in block.segments if s.name == "QTY" and s.element(1) == "TO"), None)
        self.plan = told["IN"].element(4) if "IN" in told else ""
        if not self.plan:
            yield Reject("REQUIRED", block.line, "N1*IN", "the plan's number (N104)")
        elif self.plan not in self.plans:
            yield _plan(told["IN"])
        self.said.setdefault(self.plan, at)
        self.plans[self.plan] = self.plans.get(self.plan, True) and _is_full(begun, self.feed)

    def member(self, block: Block) -> Iterator[Given]:
        self.count += 1
        if block.wrong or block.too_long or not self.plan:
            self.is_whole = False
            if block.wrong:
                yield segment_reject(block.wrong)
            elif block.too_long:
                yield Reject("X12_SEGMENT", block.line, "INS", "more segments than a member can have")
            return
        for given in _rows(block.segments, self.plan, self.feed):
            if isinstance(given, Reject) and given.severity != WARNING:
                self.is_whole = False
            yield given

    def end(self) -> Iterator[Given]:
        yield from self._counted()
        if not self.plans or not all(self.plans.values()):
            return
        if self.is_whole:
            for plan in self.plans:
                yield from [AsOf(self.said[plan])] if self.said[plan] else []
                yield Whole(frozenset(("member",)), {"plan": plan})
        else:
            yield Reject("NOT_WHOLE", what="nobody is taken to be gone", severity=WARNING)

    def _counted(self) -> Iterator[Reject]:
        if self.declared is not None and self.declared != self.count:
            self.is_whole = False
            yield Reject("COUNT", self.line, "QTY*TO", "not as many members as it says", severity=WARNING)
        self.declared = None


def _rows(segments: list[Segment], plan: str, feed: Feed) -> Iterator[Given]:
    """A member and their coverages. Without the member there are none."""
    first = next((place for place, one in enumerate(segments) if one.name == "HD"), len(segments))
    person = ins.member(segments[:first], plan, feed)
    yield from person.rejects
    if not person.is_good:
        return
    key = ins.key_of(person, feed)
    yield Row("member", key, key, person.values, person.line, PERSON)
    if person.values["maintenance"] in _KNOWN:
        yield Row("enrolled", key, key, {}, person.line, PERSON)
    yield from _coverage_rows(hd.coverages(segments[first:], person.values), key)


def _coverage_rows(readings: list[Reading], member: str) -> Iterator[Given]:
    """The last word on a coverage counts, where one member has two."""
    rows: dict[str, Row] = {}
    for reading in readings:
        yield from reading.rejects
        if reading.is_good:
            key = hd.key_of(reading.values, member)
            deleted = reading.values["maintenance"] == hd.TAKEN_BACK
            rows[key] = Row("coverage", key, member, reading.values, reading.line, PERSON, deleted=deleted)
    yield from rows.values()


def _plan(segment: Segment) -> Row:
    key, name = segment.element(4), segment.element(2)
    told = name.rstrip(".") if name.endswith(_PADDING) else name
    return Row(
        "plan",
        key,
        f"plan:{key}",
        {"number": key, "qualifier": segment.element(3), "name": told},
        segment.number,
        DIRECTORY,
    )


def _is_full(begun: Segment | None, feed: Feed) -> bool:
    names = tuple(feed.options.get("full_names", ()))
    return begun is not None and (begun.element(8) in _FULL or begun.element(2).startswith(names))


def _count(segment: Segment) -> int | None:
    text = segment.element(2)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
