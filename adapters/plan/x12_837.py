"""X12 837P and 837I (005010X222A1, 005010X223A2) -> rows: a claim as it was told, each time it was told.

Rules: docs/plan-837.md; loops 2000A (billing provider), 2000B (subscriber), 2300 (claim), 2400 (line)
- The file is read twice: judged (adapters/x12/examination.py), then taken claim by claim.
- Every telling of a claim is a row of its own; what is told under the same number (CLM01) is one subject. A
  replacement or void (CLM05-3 7 or 8) that names another number (REF*F8) says so to that claim's subject.
Refuses: other versions; claims without number, member or day; patients who are not the subscriber (Medi-Cal has
none).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from adapters.plan.x12_837_claim import claim
from adapters.plan.x12_837_parties import Parties
from adapters.x12.blocks import HEADER, Block, blocks
from adapters.x12.envelopes import Taken, keys_taken
from adapters.x12.examination import Blocks, Rules, examined, rules_of
from adapters.x12.made import made_of
from adapters.x12.rejects import envelope_rejects, segment_reject
from adapters.x12.segments import Segment
from hub.feeds.records import AsOf, Feed, Given, Once, Reject, Row

TAKEN = Taken("HC", "837", frozenset(("005010X222A1", "005010X223A2")))
_LEVELS = {"20": "provider", "22": "subscriber", "23": "patient"}
_OF_ANOTHER = frozenset(("6", "7", "8"))


def _kind_of(segment: Segment) -> str:
    if segment.name == "HL":
        return _LEVELS.get(segment.element(3), "")
    return "claim" if segment.name == "CLM" else ""


BLOCKS = Blocks(_kind_of, frozenset(("subscriber", "patient", "claim")))


def rules(feed: Feed) -> Rules:
    return rules_of(TAKEN, BLOCKS, feed.options)


def read(path: Path, feed: Feed) -> Iterator[Given]:
    how = rules(feed)
    found = examined(path, how)
    yield from envelope_rejects(found)
    yield from map(Once, keys_taken(found))
    state, made = _State(feed), made_of(found)
    for block in blocks(path, how, found):
        if block.kind == HEADER and made[block.ordinal]:
            yield AsOf(made[block.ordinal])
        yield from state.take(block)


@dataclass(slots=True)
class _State:
    """Whom the claim that comes is of. `broken`: the subscriber's own segments are wrong, and with them the
    claims."""

    feed: Feed
    parties: Parties = field(default_factory=Parties)
    broken: bool = False

    def take(self, block: Block) -> Iterator[Given]:
        if block.wrong:
            yield segment_reject(block.wrong)
        if block.kind == "claim":
            yield from self._claim(block)
            return
        self.broken = bool(block.wrong)
        if block.kind == HEADER:
            self.parties = Parties()
        self.parties.take(block.kind, block.segments)

    def _claim(self, block: Block) -> Iterator[Given]:
        if block.wrong:
            return
        if block.too_long:
            yield Reject("X12_SEGMENT", block.line, "CLM", "more segments than a claim can have")
        elif self.broken:
            yield Reject("REFERENCE", block.line, "HL*22", "the subscriber's segments are wrong")
        else:
            yield from _rows(block, self.parties, self.feed)


def _rows(block: Block, parties: Parties, feed: Feed) -> Iterator[Given]:
    reading = claim(block.segments, parties, feed)
    yield from reading.rejects
    if not reading.is_good:
        return
    values, billing = reading.values, parties.billing.get("npi", "")
    number, told, frequency = values["claim"], values.get("said", ""), values.get("frequency", "")
    subject = f"claim:{billing}|{number}"
    yield Row("claim", f"{billing}|{number}|{told}|{frequency}", subject, values, block.line)
    original = values.get("original", "")
    if frequency in _OF_ANOTHER and original not in ("", number):
        news = {"subscriber": values["subscriber"], "said": told, "frequency": frequency, "by": number}
        key = f"{billing}|{original}|{told}|{number}"
        yield Row("replaced", key, f"claim:{billing}|{original}", news, block.line)
