"""Which messages of a visit a cancel has taken back.

Rules: HL7 v2.5.1 chapters 3.3.11 to 3.3.13: A11 takes back an A01 or A04, A12 an A02, A13 an A03 (events.py).
- A cancel finds the newest event that still stands and everything that told of the same one (an admission that was
  sent twice is one admission; a transfer is the same when it leads to the same place).
- With an admission go the updates (A08) since: they spoke of a stay that was taken back.
- A cancel that was sent twice with nothing between takes back once.
- Messages are in order of their events (visit_fold.in_order), so a cancel that came first waits for nobody: once
  the event it speaks of comes, it stands before it.
Refuses: nothing; a cancel that finds nothing takes nothing back.
"""

from collections.abc import Iterator, Sequence

from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.records import AdtMessage, given


def withdrawn(ordered: Sequence[AdtMessage]) -> frozenset[int]:
    """The places of the messages that were taken back."""
    gone: set[int] = set()
    for place, message in enumerate(ordered):
        if EVENTS[message.event].withdraws:
            found = set(_taken_back(message, ordered[:place], gone))
            gone |= found | _updates(message, ordered, found, place)
    return frozenset(gone)


def _updates(cancel: AdtMessage, ordered: Sequence[AdtMessage], found: set[int], place: int) -> set[int]:
    if not found or EVENTS[cancel.event].effect != "cancel admit":
        return set()
    return {later for later in range(min(found), place) if EVENTS[ordered[later].event].effect == "update"}


def _taken_back(cancel: AdtMessage, earlier: Sequence[AdtMessage], gone: set[int]) -> Iterator[int]:
    rule, newest = EVENTS[cancel.event], None
    for place in reversed(range(len(earlier))):
        message = earlier[place]
        if message.event in rule.until or (newest is None and _same(message, cancel)):
            return
        if message.event not in rule.withdraws or place in gone:
            continue
        newest = newest or message
        if not _same(message, newest):
            return
        yield place


def _same(one: AdtMessage, other: AdtMessage) -> bool:
    if one.event != other.event:
        return False
    if EVENTS[one.event].effect not in ("transfer", "cancel transfer"):
        return True
    place, another = given(one.visit.location), given(other.visit.location)
    return place.is_same(another) if place else another is None
