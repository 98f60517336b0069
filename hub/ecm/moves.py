"""Which moves an enrolment in ECM (EpisodeOfCare) may make, by whom, with what: a table, and who reads it. Pure.

Rules: https://hl7.org/fhir/R4/episodeofcare.html (its statuses); CalAIM ECM Policy Guide (2021): assignment to a
provider, "Dedicated Lead Care Manager", "Circumstances for Discontinuing ECM", "Transitioning Members from ECM".
docs/ecm-moves.md is printed from this table, and a test fails when it is stale.
Refuses (Issues): as hub.moves.
"""

from collections.abc import Iterable
from itertools import permutations

from hub.ecm.terms import (
    ACTIVE,
    CANCELLED,
    FINISHED,
    LEVEL_EXTENSION,
    LOWER_LEVEL,
    ONHOLD,
    OVER,
    PLANNED,
    STATUSES,
    VOID,
    WAITLIST,
    Node,
    discontinuation,
    extension,
)
from hub.moves import NEW, Move, Moves
from hub.problems import Issue

PROVIDER, HUB = "provider", "hub"
LEAD, REASON, LEVEL = "lead", "reason", "level"
THEIRS = (PROVIDER, HUB)

_SAID: tuple[Move, ...] = (
    Move(NEW, PLANNED, THEIRS, (), "Targeted: assigned by the plan, or found by the provider"),
    Move(NEW, WAITLIST, THEIRS, (), "Targeted; the provider has no room yet"),
    Move(NEW, ACTIVE, THEIRS, (LEAD,), "Enrolled at once"),
    Move(PLANNED, WAITLIST, THEIRS, (), "The provider has no room yet"),
    Move(WAITLIST, PLANNED, THEIRS, (), "There is room: outreach goes on"),
    Move(PLANNED, ACTIVE, THEIRS, (LEAD,), "Outreach met the member, who wants ECM"),
    Move(WAITLIST, ACTIVE, THEIRS, (LEAD,), "Outreach met the member, who wants ECM"),
    Move(PLANNED, CANCELLED, THEIRS, (REASON,), "Never enrolled: declined, or not reached"),
    Move(WAITLIST, CANCELLED, THEIRS, (REASON,), "Never enrolled: declined, or not reached"),
    Move(ACTIVE, ONHOLD, THEIRS, (), "It rests, as during a stay"),
    Move(ONHOLD, ACTIVE, THEIRS, (LEAD,), "It goes on"),
    Move(ACTIVE, FINISHED, THEIRS, (REASON,), "Discontinued"),
    Move(ONHOLD, FINISHED, THEIRS, (REASON,), "Discontinued"),
    *(Move(source, VOID, THEIRS, (), "It should never have been written") for source in STATUSES if source != VOID),
)
_BOTH = {(one.source, one.to) for one in _SAID}
_ALL = [*((NEW, to) for to in STATUSES), *permutations(STATUSES, 2)]
MOVES: tuple[Move, ...] = (
    *_SAID,
    *(Move(source, to, (HUB,), (), "A file or a load says where it stands") for source, to in _ALL
      if (source, to) not in _BOTH),
)  # fmt: skip
SAID = {
    LEAD: "a careManager, the lead care manager",
    REASON: "the extension discontinuation-reason with a code",
    LEVEL: "the extension lower-level-of-care-management, in words or with a code",
}
WHERE = {
    LEAD: "EpisodeOfCare.careManager",
    REASON: "EpisodeOfCare.extension",
    LEVEL: "EpisodeOfCare.extension",
}
TABLE = Moves(MOVES, "EpisodeOfCare", "enrolment", OVER, SAID, WHERE)


def issues(before: Node | None, now: Node, who: Iterable[str]) -> list[Issue]:
    """What keeps these parties from this move of an enrolment; where the status stays, what it must still say.
    Of the hub nothing is asked but a row: a file says what it knows."""
    source, to, parties = (before or {}).get("status", NEW), str(now.get("status")), frozenset(who)
    if source == to and not parties:
        return [Issue("business-rule", "Only the enrolment's provider writes it", "EpisodeOfCare")]
    if source != to and (found := TABLE.refused(source, to, parties)):
        return found
    if HUB in parties:
        return []
    needs = _needs(source, to, now) if source != to else _brought(before or {}, now)
    return TABLE.missing(needs, to, _there(now))


def _needs(source: str, to: str, now: Node) -> list[str]:
    row = TABLE.move(source, to)
    needs = list(row.needs) if row else []
    return [*needs, *([LEVEL] if REASON in needs and LOWER_LEVEL in discontinuation(now) else [])]


def _brought(before: Node, now: Node) -> list[str]:
    """Of an enrolment whose status stays: what its status asked for, and it had, it has still."""
    had, to = _there(before), str(now.get("status"))
    asked = dict.fromkeys(need for one in TABLE.rows if one.to == to for need in one.needs)
    kept = [need for need in asked if had[need]]
    return [*kept, *([LEVEL] if REASON in asked and LOWER_LEVEL in discontinuation(now) else [])]


def _there(now: Node) -> dict[str, bool]:
    level = extension(now, LEVEL_EXTENSION)
    return {
        LEAD: bool((now.get("careManager") or {}).get("reference")),
        REASON: bool(discontinuation(now)),
        LEVEL: isinstance(level, dict) and bool(level.get("text") or level.get("coding")),
    }
