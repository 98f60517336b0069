"""The blocks (members, claims) of the transaction sets that were taken, one after another.

Rules: examination.py, which judged the same file before; a block that it found wrong says why.
Refuses: blocks of more than 5,000 segments (`too_long`: no member or claim has so many).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.x12.envelopes import Envelopes
from adapters.x12.examination import Rules
from adapters.x12.segments import Segment, segments
from adapters.x12.verdicts import Examined, Finding, TransactionSet

MOST = 5000
HEADER = "header"


@dataclass(frozen=True, slots=True)
class Block:
    """Its segments, from the one that begins it; `header` are those of a set before its first block, ST first."""

    kind: str
    segments: list[Segment]
    ordinal: int
    wrong: Finding | None = None
    too_long: bool = False

    @property
    def line(self) -> int:
        return self.segments[0].number


def blocks(path: Path, rules: Rules, examined: Examined) -> Iterator[Block]:
    """In order. Segments that cannot be read are left out, but for the one that begins a block: it is wrong."""
    sets = {one.ordinal: one for i in examined.interchanges for g in i.groups for one in g.sets}
    taken, envelopes = examined.taken(), Envelopes(rules.taken)
    with path.open("rb") as stream:
        held: list[Segment] = []
        kind, current = HEADER, 0
        for segment in segments(stream, rules.encoding):
            one = envelopes.take(segment)
            if one is None or one.ordinal not in taken:
                continue
            begun = HEADER if segment.name == "ST" else rules.blocks.kind_of(segment)
            if begun and held:
                yield _block(kind, held, sets[current])
                held = []
            kind, current = begun or kind, one.ordinal
            if segment.name != "SE" and (begun or not segment.fault) and len(held) <= MOST:
                held.append(segment)
        if held:
            yield _block(kind, held, sets[current])


def _block(kind: str, held: list[Segment], one: TransactionSet) -> Block:
    return Block(kind, held, one.ordinal, one.wrong.get(held[0].number), len(held) > MOST)
