"""New persons who are not stored yet: whoever resembles one of them is resolved when that one is.

Rules: docs/identity.md "Resolving"; hub.identity.blocking, hub.identity.decide. What is stored says nothing of
those who are resolved together, or written by another thread meanwhile: each is compared with those before it.
Refuses: nothing.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from hub.identity.blocking import keys
from hub.identity.chosen import current
from hub.identity.counts import frequencies
from hub.identity.decide import decide
from hub.identity.guards import DISTINCT
from hub.identity.resolve import KNOWN, Resolution
from hub.store.identity_keys import common


def to_wait(connection: Connection, several: Sequence[Resolution]) -> list[int]:
    """The places of those new persons who would have been found to resemble one before them, had that one been
    stored: they are to be resolved again when it is."""
    return Underway().met(connection, several)


class Underway:
    """Those who are resolved and not stored yet."""

    def __init__(self) -> None:
        self._hashes: dict[int, frozenset[int]] = {}  # by the number of the source person
        self._by_hash: dict[int, list[Resolution]] = {}

    def met(self, connection: Connection, several: Sequence[Resolution]) -> list[int]:
        """The places of those who resemble one before them. All of them are under way from now on."""
        mine = {place: keys(one.said) for place, one in enumerate(several) if one.outcome != KNOWN}
        usual = common(connection, frozenset().union(*mine.values()))
        counted, limits = frequencies(connection, questions=0), current().limits
        found: list[int] = []
        for place, hashes in mine.items():
            one = several[place]
            before = {id(other): other for each in hashes - usual for other in self._by_hash.get(each, ())}
            if any(decide(one.said, o.said, counted, limits).outcome != DISTINCT for o in before.values()):
                found.append(place)
            self._add(one, hashes - usual)
        return found

    def _add(self, one: Resolution, hashes: frozenset[int]) -> None:
        self._hashes[one.person] = self._hashes.get(one.person, frozenset()) | hashes
        for each in hashes:
            self._by_hash.setdefault(each, []).append(one)

    def stored(self, person: int) -> None:
        """The source person of this number is found in the store from now on, or will not be there."""
        for each in self._hashes.pop(person, ()):
            left = [one for one in self._by_hash[each] if one.person != person]
            if left:
                self._by_hash[each] = left
            else:
                del self._by_hash[each]
