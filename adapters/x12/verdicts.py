"""What was found in a file of X12: interchanges, their groups, their transaction sets, and what is wrong with each.

Rules: the codes are X12's own, as the answers carry them: TA105 of an interchange, AK905 of a group, IK502 of a
transaction set, IK304 of a segment, IK403 of an element (005010X231A1, implementation acknowledgment 999).
- A set is taken (IK501 A), taken but for the members whose segments are wrong (E), or rejected (R).
- What counts wrongly is `miscounted`: rejected, or taken with errors (E) where the feed tolerates it.
- What a set lists is bounded: `MOST` findings; `more` says that there were others.
"""

from dataclasses import dataclass, field

MOST = 1000
MISCOUNTED_GROUPS, MISCOUNTED_SETS, MISCOUNTED_SEGMENTS = "021", "5", "4"  # TA105, AK905, IK502
ENVELOPE_FAULTS_OF_A_SET = {
    "1": "this transaction set is not taken here",
    "2": "no trailer (SE)",
    "3": "control numbers of ST and SE differ",
    "4": "not as many segments as SE01 says",
    "5": "segments that are wrong",
    "6": "the identifier ST01 is missing or wrong",
    "7": "the control number ST02 is missing or wrong",
    "23": "the control number ST02 came twice in its group",
    "I6": "this version of the guide is not taken here",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a segment; `place` counts from ST (1), `number` in the file. `element` and `component` as in
    IK401, `reference` the data element's number (IK402); `code` is of IK403 with an element, else of IK304."""

    number: int
    place: int
    segment: str
    code: str
    element: int = 0
    component: int = 0
    reference: str = ""


@dataclass(slots=True)
class TransactionSet:
    """A transaction set; `ordinal` counts all of the file, `first` is the number of its ST."""

    ordinal: int
    first: int
    name: str
    control: str
    version: str
    count: int = 0
    miscounted: bool = False  # SE01
    faults: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    more: bool = False
    wrong: dict[int, Finding] = field(default_factory=dict)  # number of a block's first segment -> what is wrong

    @property
    def rejected(self) -> bool:
        return bool(self.faults)

    @property
    def verdict(self) -> str:
        """IK501."""
        return "R" if self.faults else "E" if self.findings or self.miscounted else "A"

    def fault(self, code: str) -> None:
        if code not in self.faults:
            self.faults.append(code)

    def miscount(self, tolerated: bool) -> None:
        self.miscounted = True
        if not tolerated:
            self.fault(MISCOUNTED_SEGMENTS)

    def find(self, finding: Finding) -> None:
        if len(self.findings) < MOST:
            self.findings.append(finding)
        else:
            self.more = True


@dataclass(slots=True)
class Group:
    """A functional group: GS01, GS02, GS03, GS06, GS08, and its sets. `declared` is GE01, `made` GS04 and GS05."""

    first: int
    kind: str
    sender: str
    receiver: str
    control: str
    version: str
    sets: list[TransactionSet] = field(default_factory=list)
    declared: int = 0
    miscounted: bool = False  # GE01
    faults: list[str] = field(default_factory=list)
    made: tuple[str, str] = ("", "")

    @property
    def rejected(self) -> bool:
        return bool(self.faults)

    @property
    def accepted(self) -> int:
        """AK904: of sets."""
        return 0 if self.faults else sum(not one.rejected for one in self.sets)

    @property
    def verdict(self) -> str:
        """AK901."""
        if self.rejected or (self.sets and not self.accepted):
            return "R"
        if self.accepted < len(self.sets):
            return "P"
        return "E" if self.miscounted or any(one.verdict == "E" for one in self.sets) else "A"

    def fault(self, code: str) -> None:
        if code not in self.faults:
            self.faults.append(code)

    def miscount(self, tolerated: bool) -> None:
        self.miscounted = True
        if not tolerated:
            self.fault(MISCOUNTED_SETS)


@dataclass(slots=True)
class Interchange:
    """`header` are the 17 elements of ISA; of one that could not be read, as many as there were."""

    first: int
    header: tuple[str, ...]
    groups: list[Group] = field(default_factory=list)
    note: str = ""  # TA105
    miscounted: bool = False  # IEA01

    @property
    def control(self) -> str:
        return self.element(13)

    def element(self, place: int) -> str:
        return self.header[place] if place < len(self.header) else ""

    @property
    def rejected(self) -> bool:
        return bool(self.note)

    @property
    def verdict(self) -> str:
        """TA104."""
        return "R" if self.note else "E" if self.miscounted else "A"

    def reject(self, note: str) -> None:
        """The first note stands: a TA1 has room for one."""
        self.note = self.note or note

    def miscount(self, tolerated: bool) -> None:
        self.miscounted = True
        if not tolerated:
            self.reject(MISCOUNTED_GROUPS)


@dataclass(slots=True)
class Examined:
    """`unreadable`: the file as a whole, in a word of hub.feeds.reject_codes."""

    interchanges: list[Interchange] = field(default_factory=list)
    unreadable: str = ""

    @property
    def is_right(self) -> bool:
        """Nothing of it is rejected, but for single members, and all that is counted is there."""
        groups = [group for one in self.interchanges for group in one.groups]
        sets = [one for group in groups for one in group.sets]
        every: tuple[Interchange | Group | TransactionSet, ...] = (*self.interchanges, *groups, *sets)
        return not any(one.rejected or one.miscounted for one in every)

    def taken(self) -> frozenset[int]:
        """The ordinals of the sets whose rows are read."""
        groups = (g for i in self.interchanges if not i.rejected for g in i.groups if not g.rejected)
        return frozenset(s.ordinal for group in groups for s in group.sets if not s.rejected)
