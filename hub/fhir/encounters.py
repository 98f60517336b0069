"""Which Encounters are hospital stays, admissions and discharges.

Rules: https://hl7.org/fhir/R4/encounter.html, v3-ActCode classes
"""

from collections.abc import Mapping
from typing import Any

# v3-ActCode classes that are no stay: clinic visits, home and field visits, virtual contacts, what is only planned.
# A class that nobody knows counts as a stay: a person must not be missed for an unknown code.
NOT_A_STAY = frozenset(("AMB", "HH", "FLD", "VR", "PRENC"))
PRESENT = frozenset(("arrived", "triaged", "in-progress", "onleave"))
OVER = frozenset(("finished",))

Encounter = Mapping[str, Any]


def is_stay(encounter: Encounter) -> bool:
    return encounter.get("class", {}).get("code") not in NOT_A_STAY


def admitted(before: Encounter | None, now: Encounter | None) -> bool:
    """The person is in the hospital now and was not before."""
    return _became(before, now, PRESENT) and not (before is not None and before.get("status") in OVER)


def discharged(before: Encounter | None, now: Encounter | None) -> bool:
    """The stay is over now and was not before."""
    return _became(before, now, OVER)


def _became(before: Encounter | None, now: Encounter | None, states: frozenset[str]) -> bool:
    if now is None or not is_stay(now) or now.get("status") not in states:
        return False
    return before is None or before.get("status") not in states
