"""How often a name, a birth date, a phone or an address occurs: what is common says little.

The store counts `terms` of every person and answers `count`; it may keep a hash in place of the value. A share is
drawn towards a common value's while few are counted (SMALL), so that a young hub is careful, and never falls below
that of a rare one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.identity.person import Person

SMALL = 500  # persons
# kind -> the share of a common value, and the least share
SHARES: Final = {"family": (0.01, 1e-4), "given": (0.02, 5e-4), "birth": (2e-4, 2.5e-5)}


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
    common, least = SHARES[kind]
    expected = (frequencies.count(kind, value) + common * SMALL) / (frequencies.total + SMALL)
    return max(expected, least)
