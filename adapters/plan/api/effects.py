"""What a commit makes the hub tell the plan: rows of the outbox for referrals to it, and for what it wants to know.

Rules: docs/plan-api.md. A Task that the plan's organization owns and that is requested is a referral; one that it
requested itself is told when its status, reason or business status changes; a CarePlan is told where the
deployment wants that. Whether the plan may see any of it is asked when it is sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hub import outbox
from hub.transactions import Change

REFERRAL, STATUS = "plan-referral", "plan-status"  # kinds of work
TOLD = ("status", "statusReason", "businessStatus", "output")
Resource = Mapping[str, Any]


def effects(changes: Iterable[Change], organization: str, care_plans: bool) -> Iterator[Mapping[str, Any]]:
    """`organization` is the plan's, as `Organization/x`."""
    for change in changes:
        if change.now is None:
            continue
        if change.type == "Task":
            yield from _of_task(change, change.now, organization)
        elif change.type == "CarePlan" and care_plans:
            yield _row(STATUS, change)


def _of_task(change: Change, now: Resource, organization: str) -> Iterator[Mapping[str, Any]]:
    before: Resource = change.before or {}
    if _is_referral(now, organization) and not _is_referral(before, organization):
        yield _row(REFERRAL, change)
    if _names(now, "requester", organization) and any(now.get(name) != before.get(name) for name in TOLD):
        yield _row(STATUS, change)


def _is_referral(task: Resource, organization: str) -> bool:
    return _names(task, "owner", organization) and task.get("status") == "requested"


def _names(task: Resource, element: str, organization: str) -> bool:
    return bool(task.get(element, {}).get("reference") == organization)


def _row(kind: str, change: Change) -> Mapping[str, Any]:
    """Work about one resource is done in order."""
    payload = {"type": change.type, "id": change.id, "version": change.version}
    line = f"{change.type}/{change.id}"
    return outbox.row(kind, f"{line}/{change.version}", payload, change.at, line)
