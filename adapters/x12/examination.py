"""A file of X12 read once to judge it: envelopes, and each transaction set against its guide.

Rules: verdicts.py (codes), envelopes.py, guide_check.py
- A set is read in blocks (a member, a claim; `Blocks` says where one begins). What is wrong in a block that
  stands for itself is its own fault: the set is taken without it (IK501 E). Wrong anywhere else, the set is
  rejected.
- A segment that must be there is missed when the next one comes: at the start of a block, the block before it
  lacks it.
Memory: a word for each wrong block, none for the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapters.x12.envelopes import Envelopes, Taken
from adapters.x12.guide_check import GuideCheck, Told
from adapters.x12.segments import Segment, segments
from adapters.x12.verdicts import Examined, Finding, TransactionSet

Block = tuple[int, str]  # number of its first segment, kind
_MISSING, _MOST = "3", 6000  # a block of more segments is too long, whatever they say


@dataclass(frozen=True, slots=True)
class Blocks:
    """`kind_of` names the block that a segment begins, or says "" where it begins none. `own`: kinds that stand for
    themselves; `repeats`: those that fit the guide or not, whatever stands before them."""

    kind_of: Callable[[Segment], str]
    own: frozenset[str]
    repeats: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """How the files of a kind are judged. `full`: against the guide, too. `tolerates_counts`: what a
    trailer counts wrongly is taken, and named. `seen`: keys of interchanges that came in other files."""

    taken: Taken
    blocks: Blocks
    full: bool = True
    encoding: str = "utf-8"
    tolerates_counts: bool = False
    seen: frozenset[str] = frozenset()


def rules_of(taken: Taken, blocks: Blocks, options: Mapping[str, Any]) -> Rules:
    """A feed's `validate` (`envelope` leaves out the guide), `encoding` (`latin-1`, else UTF-8) and `counts`
    (`warn` takes what is counted wrongly); and what came in its other files (hub.feeds.records.Once)."""
    encoding = "latin-1" if options.get("encoding") == "latin-1" else "utf-8"
    full, tolerates = options.get("validate", "full") != "envelope", options.get("counts") == "warn"
    return Rules(taken, blocks, full, encoding, tolerates, options.get("came_before", frozenset()))


def examine(path: Path, rules: Rules) -> Examined:
    """Every interchange with its faults."""
    envelopes, watch = Envelopes(rules.taken, rules.seen, rules.tolerates_counts), _Watch(rules)
    with path.open("rb") as stream:
        for segment in segments(stream, rules.encoding):
            before = len(envelopes.transaction.findings) if envelopes.transaction else 0
            one = envelopes.take(segment)
            if one:
                version = envelopes.group.version if envelopes.group else ""
                watch.see(segment, one, one.findings[before:] if segment.fault else [], version)
    return envelopes.end()


@dataclass(slots=True)
class _Watch:
    """Which block stands open, with its segments, and the guide of its set."""

    rules: Rules
    checks: dict[str, GuideCheck] = field(default_factory=dict)
    check: GuideCheck | None = None
    block: Block = (0, "")
    previous: Block = (0, "")
    held: list[Told] = field(default_factory=list)

    def see(self, segment: Segment, one: TransactionSet, found: list[Finding], version: str) -> None:
        if segment.name == "ST":
            self._begin(one, version)
        kind = self.rules.blocks.kind_of(segment)
        if kind or segment.name == "SE":
            self._end_block(one, segment)
        if kind:
            self.previous, self.block = self.block, (segment.number, kind)
        for finding in found:
            self._blame(one, finding, self.block)
        if self.check and not segment.fault and len(self.held) < _MOST:
            self.held.append((segment.number, one.count, segment.elements))
        if segment.name == "SE":
            self._end_block(one, segment)

    def _begin(self, one: TransactionSet, version: str) -> None:
        self.block, self.previous, self.check, self.held = (0, ""), (0, ""), None, []
        if self.rules.full and not one.faults:
            self.check = self._guide(one.version or version)
        if self.check:
            self.check.begin()

    def _end_block(self, one: TransactionSet, segment: Segment) -> None:
        if self.check and self.held and segment.separators:
            first, is_trailer = self.held[0][0], self.held[0][2][0] == "SE"
            repeats = self.block[1] in self.rules.blocks.repeats and not is_trailer
            for finding in self.check.check(self.held, repeats, segment.separators.component):
                one.find(finding)
                is_late = finding.number == first and finding.code == _MISSING and not finding.element
                self._blame(one, finding, self.previous if is_late and not is_trailer else self.block)
        self.held = []

    def _guide(self, version: str) -> GuideCheck | None:
        if version not in self.checks:
            self.checks[version] = GuideCheck(self.rules.taken.group, version)
        return self.checks[version] if self.checks[version].knows else None

    def _blame(self, one: TransactionSet, finding: Finding, block: Block) -> None:
        number, kind = block
        if kind in self.rules.blocks.own:
            one.wrong.setdefault(number, finding)
        else:
            one.fault("5")


def examined(path: Path, rules: Rules) -> Examined:
    """The same, remembered: rows and answers are made of one judgement. It is not to be changed."""
    state = path.stat()
    return _remembered(path, state.st_size, state.st_mtime_ns, rules)


@lru_cache(maxsize=2)
def _remembered(path: Path, size: int, changed: int, rules: Rules) -> Examined:
    return examine(path, rules)
