"""Which Encounters are hospital stays, and which of their changes somebody must be told.

Rules: https://hl7.org/fhir/R4/encounter.html, v3-ActCode classes
"""

from collections.abc import Mapping
from typing import Any

# v3-ActCode classes that are no stay: clinic visits, home and field visits, virtual contacts, what is only planned.
# R is of HL7 table 0004, which v3-ActCode has no word for: somebody who comes again and again, as to dialysis.
# A class that nobody knows counts as a stay: a person must not be missed for an unknown code.
NOT_A_STAY = frozenset(("AMB", "HH", "FLD", "VR", "PRENC", "R"))
PRESENT = frozenset(("arrived", "triaged", "in-progress", "onleave"))
OVER = frozenset(("finished",))
WITHDRAWN = frozenset(("cancelled", "entered-in-error"))
INPATIENT = frozenset(("IMP", "ACUTE", "NONAC"))

Encounter = Mapping[str, Any]


def is_stay(encounter: Encounter) -> bool:
    return encounter.get("class", {}).get("code") not in NOT_A_STAY


def admitted(before: Encounter | None, now: Encounter | None) -> bool:
    """The person is in the hospital now and was not before; or is an inpatient now and was not before, as who comes
    from the emergency room or from a clinic (42 CFR 482.24(d): both are told)."""
    if now is None or not _is_present(now):
        return False
    if before is None or before.get("status") not in PRESENT | OVER:
        return True
    return not is_stay(before) or (not _is_over(before) and _is_inpatient(now, before))


def discharged(before: Encounter | None, now: Encounter | None) -> bool:
    """The stay is over now and was not before."""
    if now is None or not _is_over(now):
        return False
    return before is None or before.get("status") not in OVER


def transferred(before: Encounter | None, now: Encounter | None) -> bool:
    """The person was in the hospital and is, at another place of it."""
    if before is None or now is None or not (_is_present(before) and _is_present(now)):
        return False
    there, here = _places(before), _places(now)
    return bool(there and here) and there != here


def taken_back(before: Encounter | None, now: Encounter | None) -> bool:
    """A stay that was told of never was, or one that was over goes on."""
    if before is None or now is None or not is_stay(before):
        return False
    return (before.get("status") in PRESENT | OVER and now.get("status") in WITHDRAWN) or (
        _is_over(before) and _is_present(now)
    )


def _is_present(encounter: Encounter) -> bool:
    return is_stay(encounter) and encounter.get("status") in PRESENT


def _is_over(encounter: Encounter) -> bool:
    return is_stay(encounter) and encounter.get("status") in OVER


def _is_inpatient(now: Encounter, before: Encounter) -> bool:
    was, is_now = (encounter.get("class", {}).get("code") in INPATIENT for encounter in (before, now))
    return is_now and not was


def _places(encounter: Encounter) -> set[str]:
    """Where the person is: what is active, as its reference or its name."""
    named = (each.get("location", {}) for each in encounter.get("location", ()) if each.get("status") == "active")
    return {place.get("reference") or place.get("display", "") for place in named}
