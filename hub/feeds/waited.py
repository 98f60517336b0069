"""Persons who are being written: who is one of them, resembles one, or has the Patient of one, waits until that one
is stored. Then it is as if they had come one after the other.

Rules: docs/feeds.md "Writing"; hub.identity.underway.
Refuses: nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from hub.identity.resolve import Resolution
from hub.identity.underway import Underway


@dataclass(slots=True)
class Waited:
    """`calls` counts what the source calls them, `patients` the Patients that they have."""

    resembled: Underway = field(default_factory=Underway)
    calls: Counter[str] = field(default_factory=Counter)
    patients: Counter[str] = field(default_factory=Counter)
    _by_person: dict[int, list[Resolution]] = field(default_factory=dict)

    def met(self, connection: Connection, several: Sequence[Resolution]) -> set[int]:
        """The places of those who must wait for somebody before them. All are under way from now on."""
        found = set(self.resembled.met(connection, several))
        for place, one in enumerate(several):
            if self.calls[one.key] or (one.patient and self.patients[one.patient]):
                found.add(place)
            self._begin(one)
        return found

    def _begin(self, one: Resolution) -> None:
        self.calls[one.key] += 1
        if one.patient:
            self.patients[one.patient] += 1
        self._by_person.setdefault(one.person, []).append(one)

    def ended(self, person: int) -> None:
        """The source person of this number is stored, or will not be."""
        several = self._by_person.get(person)
        if not several:
            return
        one = several.pop()
        _less(self.calls, one.key)
        if one.patient:
            _less(self.patients, one.patient)
        if not several:
            del self._by_person[person]
            self.resembled.stored(person)


def _less(counted: Counter[str], name: str) -> None:
    counted[name] -= 1
    if not counted[name]:
        del counted[name]
