"""Which changes of which resources are events: pure questions about a resource before and after a write.

Rules: https://hl7.org/fhir/R4/task.html, servicerequest.html, careplan.html, careteam.html, coverage.html,
consent.html, patient.html#links; Gravity SDOH Clinical Care 2.3 (its Task topic tells of orders that are no
drafts, its ServiceRequest topic of updates). What an admission is, and the others, hub.fhir.encounters decides.
None: the resource was or is not there. A write that changes nothing never comes here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hub.fhir.systems import CLOCK_STATE

Resource = Mapping[str, Any]
Trigger = Callable[[Resource | None, Resource | None], bool]

IN_FORCE = frozenset(("active",))
REPLACED_BY = "replaced-by"
DUE, LATE = "due", "late"


def changed(before: Resource | None, now: Resource | None) -> bool:
    """Created, updated or deleted."""
    return before is not None or now is not None


def updated(before: Resource | None, now: Resource | None) -> bool:
    """It was there, and is, another."""
    return before is not None and now is not None


def order_changed(before: Resource | None, now: Resource | None) -> bool:
    """A Task that is an order and no draft, created, updated or deleted."""
    task = now if now is not None else before
    return task is not None and task.get("intent") == "order" and task.get("status") != "draft"


def revoked(before: Resource | None, now: Resource | None) -> bool:
    """A Consent that was in force is not any more: another status, or deleted."""
    return _in_force(before) and not _in_force(now)


def _in_force(consent: Resource | None) -> bool:
    return consent is not None and consent.get("status") in IN_FORCE


def merged(before: Resource | None, now: Resource | None) -> bool:
    """A Patient is replaced by another one now and was not before, or was by somebody else."""
    return bool(_replaced_by(now) - _replaced_by(before))


def _replaced_by(patient: Resource | None) -> set[str]:
    links = (patient or {}).get("link", ())
    return {link.get("other", {}).get("reference", "") for link in links if link.get("type") == REPLACED_BY}


def fell_due(before: Resource | None, now: Resource | None) -> bool:
    """A clock of a Task says `due` now and did not before."""
    return DUE in clock_states(now) and DUE not in clock_states(before)


def ran_late(before: Resource | None, now: Resource | None) -> bool:
    """A clock of a Task says `late` now and did not before."""
    return LATE in clock_states(now) and LATE not in clock_states(before)


def clock_states(task: Resource | None) -> set[str]:
    """What the hub's clocks (hub.referrals) say of a Task: a tag of its meta."""
    tags = (task or {}).get("meta", {}).get("tag", ())
    return {tag.get("code", "") for tag in tags if tag.get("system") == CLOCK_STATE}
