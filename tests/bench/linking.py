"""Records arrive one after the other and find their member or none: hub.identity on an index in memory.

A true pair are two records of one person. Precision and recall are of the pairs that end in one member, so that an
error spreads as it would in the hub. The review share is of the records that a person is asked about.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.identity.blocking import COMMON, keys
from hub.identity.candidates import MOST
from hub.identity.decide import DISTINCT, LINK, REVIEW, Decision, among, decide
from hub.identity.frequencies import Counted, terms
from hub.identity.person import Person
from hub.identity.weights import LIMITS, Limits

Record = tuple[int, Person]


@dataclass(slots=True)
class Linking:
    records: Sequence[Record]
    limits: Limits = LIMITS
    member: list[int] = field(default_factory=list)  # of each record
    review: list[int] = field(default_factory=list)
    index: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    frequencies: Counted = field(default_factory=Counted)
    known: dict[int, set[tuple[str, str]]] = field(default_factory=dict)  # terms of each member
    compared: int = 0
    seconds: float = 0  # spent on comparing
    most: int = 0  # candidates of one record
    found: int = 0  # true pairs that blocking brought together
    reviewed: list[tuple[int, int, Decision]] = field(default_factory=list)
    missed: list[tuple[int, int, Decision]] = field(default_factory=list)  # true pairs called distinct
    wrong: list[tuple[int, int, Decision]] = field(default_factory=list)

    def run(self) -> "Linking":
        seen: defaultdict[int, list[int]] = defaultdict(list)
        for number, (truth, person) in enumerate(self.records):
            own_keys = keys(person)
            candidates = self.candidates(own_keys)
            self.found += len(candidates.intersection(seen[truth]))
            self.place(number, person, candidates)
            seen[truth].append(number)
            for key in own_keys:
                self.index[key].append(number)
        return self

    def candidates(self, own_keys: Iterable[int]) -> set[int]:
        """Those whom the hub would compare (hub.identity.candidates)."""
        shared = (self.index.get(key, ()) for key in sorted(own_keys))
        found = Counter(other for others in shared if len(others) <= COMMON for other in others)
        self.most = max(self.most, len(found))
        return {other for other, _ in found.most_common(MOST)}

    def place(self, number: int, person: Person, candidates: set[int]) -> None:
        began = time.perf_counter()
        decisions: defaultdict[str, list[Decision]] = defaultdict(list)
        for other in sorted(candidates):
            decision = decide(person, self.records[other][1], self.frequencies, self.limits)
            decisions[str(self.member[other])].append(decision)
            self.note(number, other, decision)
        choice = among(decisions, self.limits)
        self.seconds += time.perf_counter() - began
        self.compared += len(candidates)
        self.member.append(int(choice.member) if choice.outcome == LINK else number)
        if choice.review:
            self.review.append(number)
        self.count(self.member[-1], person)

    def note(self, number: int, other: int, decision: Decision) -> None:
        same = self.records[number][0] == self.records[other][0]
        if decision.outcome == LINK and not same:
            self.wrong.append((number, other, decision))
        if decision.outcome == REVIEW:
            self.reviewed.append((number, other, decision))
        if decision.outcome == DISTINCT and same:
            self.missed.append((number, other, decision))

    def count(self, member: int, person: Person) -> None:
        """Persons are counted once, however many records they have."""
        known = self.known.setdefault(member, set())
        new = set(terms(person)) - known
        self.frequencies.total += not known
        self.frequencies.counts.update(new)
        known |= new or {("", "")}

    def precision(self) -> float:
        return self._right() / max(1, _pairs(self.member))

    def recall(self) -> float:
        return self._right() / max(1, self.true_pairs())

    def true_pairs(self) -> int:
        return _pairs(truth for truth, _ in self.records)

    def completeness(self) -> float:
        return self.found / max(1, self.true_pairs())

    def review_share(self) -> float:
        return len(self.review) / len(self.records)

    def _right(self) -> int:
        return _pairs((member, truth) for member, (truth, _) in zip(self.member, self.records, strict=True))


def _pairs(values: Iterable[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(values).values())
