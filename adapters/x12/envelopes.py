"""Segments -> interchanges, groups and transaction sets with what is wrong with their envelopes.

Rules: X12.5, X12.6 (envelopes), 005010X231A1 (the codes)
- ISA13 and IEA02, GS06 and GE02, ST02 and SE02 are the same; IEA01, GE01 and SE01 count what stands between (a
  feed may tolerate that they do not: `tolerates_counts`).
- A control number comes once: ISA13 of a sender in a file and in `seen`, GS06 in its interchange, ST02 in its
  group.
- What ends without its trailer is a fault of it, not of its neighbours.
Refuses: versions and transaction sets that the caller does not take (`Taken`); segments outside of a set.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from adapters.x12.segments import Segment
from adapters.x12.verdicts import Examined, Finding, Group, Interchange, TransactionSet

ISA_VERSIONS = frozenset(("00401", "00501"))
CUT_OFF = "X12_SEGMENT"  # the file ends in the middle of a segment


@dataclass(frozen=True, slots=True)
class Taken:
    """What a kind of files takes: GS01, ST01, and its versions (GS08, ST03)."""

    group: str
    name: str
    versions: frozenset[str]


@dataclass(slots=True)
class Envelopes:
    """Give it every segment in order (`take`), then `end`."""

    taken: Taken
    seen: Collection[str] = ()
    tolerates_counts: bool = False
    examined: Examined = field(default_factory=Examined)
    interchange: Interchange | None = None
    group: Group | None = None
    transaction: TransactionSet | None = None
    ordinal: int = 0
    controls: set[str] = field(default_factory=set)

    def take(self, segment: Segment) -> TransactionSet | None:
        """The transaction set that the segment is part of (ST and SE are, too)."""
        if segment.fault == "X12_ENVELOPE":
            self._no_interchange(segment)
            return None
        step = _STEPS.get(segment.name)
        return self._body(segment) if step is None or segment.fault else step(self, segment)

    def end(self) -> Examined:
        self._end_interchange()
        if not self.examined.interchanges and not self.examined.unreadable:
            self.examined.unreadable = "EMPTY"
        return self.examined

    def _body(self, segment: Segment) -> TransactionSet | None:
        if self.transaction is None:
            self._stray()
            return None
        self.transaction.count += 1
        if segment.fault:
            self.transaction.find(Finding(segment.number, self.transaction.count, segment.name, "8"))
        if segment.fault == CUT_OFF:
            self.transaction.fault("5")
        return self.transaction

    def _stray(self) -> None:
        if self.interchange:
            self.interchange.reject("024")

    def _no_interchange(self, segment: Segment) -> None:
        """No ISA where one must stand: nothing after it can be read."""
        self._end_interchange()
        if segment.name == "ISA":
            self.examined.interchanges.append(Interchange(segment.number, segment.elements, note="022"))
        elif self.examined.interchanges:
            self.examined.interchanges[-1].reject("024")
        else:
            self.examined.unreadable = "X12_ENVELOPE"

    def _isa(self, segment: Segment) -> None:
        self._end_interchange()
        one = self.interchange = Interchange(segment.number, tuple(map(str.strip, segment.elements)))
        if one.element(12) not in ISA_VERSIONS:
            one.reject("017")
        if not is_number(one.control, 9):
            one.reject("018")
        if key_of(one) in {key_of(other) for other in self.examined.interchanges} or key_of(one) in self.seen:
            one.reject("025")
        self.examined.interchanges.append(one)

    def _iea(self, segment: Segment) -> None:
        if self.interchange is None:
            return
        self._end_group()
        if segment.element(2) != self.interchange.control:
            self.interchange.reject("001")
        if not _says(segment.element(1), len(self.interchange.groups)):
            self.interchange.miscount(self.tolerates_counts)
        self.interchange = None

    def _gs(self, segment: Segment) -> None:
        if self.interchange is None:
            return
        self._end_group()
        kind, sender, receiver, control, version = (segment.element(place) for place in (1, 2, 3, 6, 8))
        one = self.group = Group(segment.number, kind, sender, receiver, control, version)
        one.made = segment.element(4), segment.element(5)
        if kind != self.taken.group:
            one.fault("1")
        elif version not in self.taken.versions:
            one.fault("2")
        if not is_number(control, 9):
            one.fault("6")
        if control in {other.control for other in self.interchange.groups}:
            one.fault("19")
        self.interchange.groups.append(one)
        self.controls = set()

    def _ge(self, segment: Segment) -> None:
        self._end_set()
        if self.group is None:
            self._stray()
            return
        self.group.declared = int(segment.element(1)) if is_number(segment.element(1), 6) else 0
        if segment.element(2) != self.group.control:
            self.group.fault("4")
        if not _says(segment.element(1), len(self.group.sets)):
            self.group.miscount(self.tolerates_counts)
        self.group = None

    def _st(self, segment: Segment) -> TransactionSet | None:
        self._end_set()
        if self.group is None:
            self._stray()
            return None
        self.ordinal += 1
        name, control, version = (segment.element(place) for place in (1, 2, 3))
        one = self.transaction = TransactionSet(self.ordinal, segment.number, name, control, version, count=1)
        if name != self.taken.name:
            one.fault("1" if name else "6")
        elif version and version not in self.taken.versions:
            one.fault("I6")
        if not 4 <= len(control) <= 9:
            one.fault("7")
        elif control in self.controls:
            one.fault("23")
        self.controls.add(control)
        self.group.sets.append(one)
        return one

    def _se(self, segment: Segment) -> TransactionSet | None:
        one, self.transaction = self.transaction, None
        if one is None:
            self._stray()
            return None
        one.count += 1
        if segment.element(2) != one.control:
            one.fault("3")
        if not _says(segment.element(1), one.count):
            one.miscount(self.tolerates_counts)
        return one

    def _end_set(self) -> None:
        if self.transaction:
            self.transaction.fault("2")
        self.transaction = None

    def _end_group(self) -> None:
        self._end_set()
        if self.group:
            self.group.fault("3")
        self.group = None

    def _end_interchange(self) -> None:
        self._end_group()
        if self.interchange:
            self.interchange.reject("023")
        self.interchange = None


_STEPS: Mapping[str, Callable[[Envelopes, Segment], TransactionSet | None]] = {
    "ISA": Envelopes._isa,
    "IEA": Envelopes._iea,
    "GS": Envelopes._gs,
    "GE": Envelopes._ge,
    "ST": Envelopes._st,
    "SE": Envelopes._se,
}


def key_of(interchange: Interchange) -> str:
    """Sender, receiver and ISA13: what must come once."""
    return "|".join(interchange.element(place) for place in (5, 6, 7, 8, 13))


def keys_taken(examined: Examined) -> Iterator[str]:
    """Of the interchanges of which something was taken: one that was refused may come again, mended."""
    taken = examined.taken()
    for one in examined.interchanges:
        if any(each.ordinal in taken for group in one.groups for each in group.sets):
            yield key_of(one)


def is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def _says(text: str, count: int) -> bool:
    return is_number(text, 10) and int(text) == count
