"""How often a name, a birth date, a phone or an address occurs: what is common says little.

The store counts `terms` of every person and answers `count`; it may keep a hash in place of the value. A share is
how many others have the value: who is compared was counted, too, and does not make the own name common. While few
are counted a share is drawn towards a common value's, so that a young hub is careful, and never falls below that of
a rare one. Birth dates are drawn longest: they are spread evenly, and two people of one date say little of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.identity.person import Person

# kind -> the share of a common value, as of how many persons it counts, and the least share
SHARES: Final = {"family": (0.01, 200, 1e-4), "given": (0.02, 200, 5e-4), "birth": (1e-4, 5000, 2.5e-5)}


class Frequencies(Protocol):
    @property
    def total(self) -> int:
        """How many persons were counted."""

    def count(self, kind: str, value: str) -> int:
        """Of how many of them this is a term."""


@dataclass(slots=True)
class Counted:
    """Frequencies in memory."""

    total: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, kind: str, value: str) -> int:
        return self.counts[kind, value]

    def add(self, persons: Iterable[Person]) -> None:
        for each in persons:
            self.total += 1
            self.counts.update(terms(each))


def terms(one: Person) -> Iterator[tuple[str, str]]:
    """What is counted of a person: each (kind, value) once."""
    found = {("family", word) for each in one.names for word in each.family}
    found |= {("given", each.first) for each in one.names if each.first}
    found |= {("birth", one.birth.text)} if one.birth and one.birth.whole else set()
    found |= {("phone", each) for each in one.phones}
    found |= {("address", each.key) for each in one.addresses if each.street}
    yield from sorted(found)


def share(frequencies: Frequencies, kind: str, value: str) -> float:
    common, persons, least = SHARES[kind]
    others = max(0, frequencies.count(kind, value) - 1)
    return max((others + common * persons) / (frequencies.total + persons), least)
