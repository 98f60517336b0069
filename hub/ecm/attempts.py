"""What an attempt of outreach says: the day, the method, by whom, how long, whether anybody was met. Pure.

Rules: CalAIM ECM Policy Guide (2021), "Requirement to Track Outreach …": an attempt uses an in-person, telephonic
or individualized electronic communication method; a successful one is an actual interaction with the individual.
- An interaction is an Encounter (https://hl7.org/fhir/R4/encounter.html), whichever way they met. What met nobody
  is a Communication (https://hl7.org/fhir/R4/communication.html): sent (`completed`), or not even that
  (`not-done`).
- What was prepared, planned or cancelled is no attempt yet; `unknown` and `in-progress` are attempts of which
  nobody knows (yet) whether they met anybody.
- The method is that of the extension, else of `medium` or `class`, as far as they leave no choice: a video call
  may be telephonic or electronic to a plan, and a letter is none of the three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.ecm.terms import (
    ELECTRONIC,
    IN_PERSON,
    METHOD_EXTENSION,
    PARTICIPATION_MODE,
    STAFF_EXTENSION,
    TELEPHONIC,
    TIME_EXTENSION,
    UCUM,
    Node,
    codes,
    extension,
    is_attempt,
)
from hub.fhir.systems import ACT_CODE

# (type, status) -> whether somebody was met; None: nobody knows. Other statuses are no attempts
MET: Mapping[tuple[str, str], bool | None] = {
    ("Encounter", "arrived"): True,
    ("Encounter", "triaged"): True,
    ("Encounter", "in-progress"): True,
    ("Encounter", "onleave"): True,
    ("Encounter", "finished"): True,
    ("Communication", "completed"): False,
    ("Communication", "not-done"): False,
    ("Communication", "stopped"): False,
    ("Communication", "in-progress"): None,
    ("Communication", "unknown"): None,
}
MEDIA: Mapping[str, str] = {
    "PHYSICAL": IN_PERSON,
    "FACE": IN_PERSON,
    "PHONE": TELEPHONIC,
    "ELECTRONIC": ELECTRONIC,
    "ONLINEWRIT": ELECTRONIC,
    "EMAILWRIT": ELECTRONIC,
}
CLASSES: Mapping[str, str] = {
    "AMB": IN_PERSON,
    "FLD": IN_PERSON,
    "HH": IN_PERSON,
    "EMER": IN_PERSON,
    "IMP": IN_PERSON,
}
MINUTES: Mapping[str, Decimal] = {"min": Decimal(1), "h": Decimal(60), "s": 1 / Decimal(60)}  # UCUM


@dataclass(frozen=True, slots=True)
class Attempt:
    """`day` is yyyy-mm-dd as whoever wrote it said it; `method` and `staff` empty where nobody says them; `met`
    None where nobody knows; `minutes` None where no time is said. `provider` is a reference, as it is written."""

    day: str
    method: str
    met: bool | None
    minutes: int | None
    staff: str
    provider: str


def attempt_of(resource: Node) -> Attempt | None:
    """None where this is no attempt (any more, or yet)."""
    kind, status = str(resource.get("resourceType")), str(resource.get("status"))
    if not is_attempt(resource) or (kind, status) not in MET:
        return None
    staff = extension(resource, STAFF_EXTENSION)
    return Attempt(
        day_of(resource),
        method_of(resource),
        MET[kind, status],
        minutes_of(length_of(resource)),
        str(staff.get("code", "")) if isinstance(staff, dict) else "",
        provider_of(resource),
    )


def day_of(resource: Node) -> str:
    """Of several days the last one."""
    period = resource.get("period") or {}
    said = resource.get("sent") if resource.get("resourceType") == "Communication" else None
    return str(said or period.get("end") or period.get("start") or "")[:10]


def method_of(resource: Node) -> str:
    told = extension(resource, METHOD_EXTENSION)
    if isinstance(told, dict):
        return str(told.get("code", ""))
    if resource.get("resourceType") == "Encounter":
        said = resource.get("class") or {}
        return CLASSES.get(str(said.get("code")), "") if said.get("system") == ACT_CODE else ""
    found = {MEDIA.get(code, "") for code in codes(resource.get("medium"), PARTICIPATION_MODE)}
    return found.pop() if len(found) == 1 else ""


def length_of(resource: Node) -> Any:
    """The Duration that it says, or None."""
    return (
        resource.get("length")
        if resource.get("resourceType") == "Encounter"
        else extension(resource, TIME_EXTENSION)
    )


def minutes_of(length: Any) -> int | None:
    """Whole ones; None where the unit is none of UCUM's for minutes, hours and seconds."""
    said = length if isinstance(length, dict) else {}
    factor = MINUTES.get(str(said.get("code"))) if said.get("system", UCUM) == UCUM else None
    return round(Decimal(str(said["value"])) * factor) if factor is not None and "value" in said else None


def provider_of(resource: Node) -> str:
    element = "serviceProvider" if resource.get("resourceType") == "Encounter" else "sender"
    said = resource.get(element) or {}
    return str(said.get("reference", ""))
