"""What a visit was, and where, one after the other: statuses, classes and places with their times.

Rules: https://hl7.org/fhir/R4/encounter.html (statusHistory, classHistory, location). Pure bookkeeping: which event
makes a turn decides visit_moves.py.
- A time that nobody told stays away; an end before its beginning leaves the beginning away, so that no period is
  ever wrong (per-1).
Refuses: nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise

from fhir_mappings.adt.dates import Dtm, fhir_date_time, moment
from fhir_mappings.adt.records import PL

ACTIVE, COMPLETED, PLANNED, RESERVED = "active", "completed", "planned", "reserved"


@dataclass(frozen=True, slots=True)
class Turn:
    """From `since` on the visit had this status or class."""

    value: str
    since: Dtm | None


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in one place; `status` is that of Encounter.location. `held`: the bed of a person who is elsewhere for
    a while."""

    place: PL
    status: str
    start: Dtm | None = None
    end: Dtm | None = None
    held: bool = False


Turns = tuple[Turn, ...]
Stays = tuple[Stay, ...]


def turned(turns: Turns, value: str, since: Dtm | None) -> Turns:
    """A new turn, unless it is as it was."""
    return turns if turns and turns[-1].value == value else (*turns, Turn(value, since))


def corrected(turns: Turns, value: str, since: Dtm | None) -> Turns:
    """It was so all the time since the last turn."""
    return (*turns[:-1], replace(turns[-1], value=value)) if turns else (Turn(value, since),)


def redated(turns: Turns, was: Dtm | None, now: Dtm | None) -> Turns:
    """The turn at a time that was corrected is at the new time."""
    return tuple(replace(turn, since=now) if was and turn.since == was else turn for turn in turns)


def redated_stays(stays: Stays, was: Dtm | None, now: Dtm | None) -> Stays:
    return tuple(replace(stay, start=now) if was and stay.start == was else stay for stay in stays)


def here(stays: Stays) -> Stay | None:
    """Where the person is, or is expected."""
    open_ones = [stay for stay in stays if stay.status in (ACTIVE, PLANNED)]
    return open_ones[-1] if open_ones else None


def assigned(stays: Stays) -> Stay | None:
    """The bed the person has: kept while they are elsewhere, else where they are."""
    return next((stay for stay in stays if stay.held), None) or here(stays)


def place_corrected(stays: Stays, place: PL, since: Dtm | None, status: str = ACTIVE) -> Stays:
    """The person's bed is this one, and was since they came to what was thought to be it."""
    current = assigned(stays)
    if current is None:
        return (*stays, Stay(place, status, since))
    return tuple(replace(stay, place=place) if stay is current else stay for stay in stays)


def moved(stays: Stays, place: PL, at: Dtm | None) -> Stays:
    """The person came to this place; what was only planned or kept free is no longer."""
    current = here(stays)
    if current is not None and current.place.is_same(place):
        return tuple(replace(s, status=ACTIVE, start=s.start or at) if s is current else s for s in stays)
    kept = tuple(stay for stay in stays if stay.status in (ACTIVE, COMPLETED) or stay.held)
    back = next((stay for stay in kept if stay.held and stay.place.is_same(place)), None)
    if back is not None:
        return tuple(
            replace(stay, status=ACTIVE, held=False) if stay is back else left
            for stay in kept
            for left in left_all((stay,), at)
        )
    return (*left_all(kept, at), Stay(place, ACTIVE, at))


def left_all(stays: Stays, at: Dtm | None) -> Stays:
    """The person is in none of these any more."""
    return tuple(
        replace(stay, status=COMPLETED, end=at, held=False) if stay.status in (ACTIVE, RESERVED) else stay
        for stay in stays
        if stay.status != PLANNED
    )


def away(stays: Stays, place: PL, at: Dtm | None) -> Stays:
    """The person is in this place for a while; their bed is kept for them."""
    current = here(stays)
    if current is not None and current.place.is_same(place):
        return stays
    kept = tuple(replace(stay, status=RESERVED, held=True) if stay is current else stay for stay in stays)
    return (*kept, Stay(place, ACTIVE, at))


def without_here(stays: Stays) -> Stays:
    """The sender took the place back."""
    current = assigned(stays)
    return tuple(stay for stay in stays if stay is not current)


def period(start: Dtm | None, end: Dtm | None, zone: tzinfo) -> dict[str, str]:
    """A FHIR Period of what is known."""
    if start and end and moment(start, zone) > moment(end, zone):
        start = None
    pairs = (("start", start), ("end", end))
    return {name: fhir_date_time(value, zone) for name, value in pairs if value}


def past(turns: Turns, zone: tzinfo) -> Sequence[tuple[str, dict[str, str]]]:
    """All but the last turn, each with its period; those of which no time is known are left out."""
    found = [(turn.value, period(turn.since, after.since, zone)) for turn, after in pairwise(turns)]
    return [(value, told) for value, told in found if told]
