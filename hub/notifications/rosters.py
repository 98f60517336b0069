"""Who is an active member of a Group, by version: a version never changes, and a panel has thousands of members.

Rules: https://hl7.org/fhir/R4/group-definitions.html#Group.member (inactive, period), Group.active. A day of a
period is a day in UTC.
A process remembers rosters of MOST_ENTRIES entries in all, 24 bytes each.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.search.edges import address
from hub.search.values import FOREVER, NEVER, dates, references
from hub.store import read
from hub.store.listed import Listing

MOST_ENTRIES = 2_000_000
ACCESS = Access.system("panel membership")
Resource = Mapping[str, Any]
Name = tuple[int, int, int, str]  # row, version, moment, the hub's own base URL


class Roster:
    """The members' addresses in order, and from when until when (microseconds) each is one."""

    __slots__ = ("_members", "_since", "_until")

    def __init__(self, group: Resource, base: str = ""):
        rows = sorted(_entries(group, base))
        self._members, self._since, self._until = (array("q", (row[place] for row in rows)) for place in range(3))

    def __len__(self) -> int:
        return len(self._members)

    def holds(self, patient: str, now: int) -> bool:
        """The patient (an id) is an active member at this moment."""
        wanted = address("Patient", patient)
        place = bisect_left(self._members, wanted)
        while place < len(self) and self._members[place] == wanted:
            if self._since[place] <= now < self._until[place]:
                return True
            place += 1
        return False


def _entries(group: Resource, base: str) -> Iterator[tuple[int, int, int]]:
    """What an active Group says of its membership: of who is inactive nothing."""
    for entry in () if group.get("active") is False else group.get("member", ()):
        if entry.get("inactive") is True:
            continue
        period = entry.get("period")
        spans = list(dates(period)) if period else [(NEVER, FOREVER)]
        for kind, identity in references(entry.get("entity"), base):
            if kind == "Patient":
                yield from ((address("Patient", identity), *span) for span in spans)


_known: dict[Name, Roster] = {}


def roster(connection: Connection, listed: Listing, base: str) -> Roster:
    """Of a Group as it is now."""
    name = (listed.rid, listed.version, listed.last_updated, base)
    found = _known.get(name)
    return _remembered(connection, listed, base) if found is None else found


def _remembered(connection: Connection, listed: Listing, base: str) -> Roster:
    found = read.current(connection, ACCESS, "Group", listed.id)
    if found is None or found.body is None:
        return Roster({})
    made = Roster(json.stored(found.body), base)
    if sum(map(len, _known.values())) + len(made) > MOST_ENTRIES:
        _known.clear()
    _known[found.rid, found.version, found.last_updated, base] = made
    return made
