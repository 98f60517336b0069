"""What a plan or a provider says of a referral, as the referral itself says it. Pure.

Rules: Gravity SDOH Clinical Care, indirect referrals: the child's status, reason and output are carried back.
docs/access.md: the referral is its writer's own data, and is seen by its writer with any label. So what is guarded
more than what was asked for is not told there: of that only the status, and what was done by its number.
"""

from collections.abc import Mapping

from hub.fhir.systems import REFERRAL_STATUS, SDOHCC
from hub.referrals import steps
from hub.referrals.case import Known
from hub.referrals.steps import with_step
from hub.referrals.terms import ACTIVITY, Resource, activities, concept, target
from hub.rights.labels import raised

GUARDED = "The reason is guarded: ask who gave it"
# the child's status -> the step of the referral
CARRIED: Mapping[str, str] = {
    "requested": steps.AWAITING_ACCEPTANCE,
    "accepted": steps.WITH_PROVIDER,
    "in-progress": steps.WITH_PROVIDER,
    "on-hold": steps.PROVIDER_WAITS,
    "completed": steps.CLOSED,
    "failed": steps.CLOSED,
}


def carried(task: Resource, child: Known, request: Known | None) -> Resource:
    """The referral's Task with what its child says."""
    said, is_open = child.resource, _is_open(child, request)
    done = list(activities(said) if is_open else map(_bare, activities(said)))
    words = said.get("businessStatus", {}).get("coding", ()) if is_open else ()
    made = {
        **task,
        "status": child.status,
        "statusReason": reason_of(child, request),
        "output": [*(one for one in task.get("output", ()) if one not in done), *done],
    }
    told = tuple(one for one in words if one.get("system") == REFERRAL_STATUS)
    return with_step(filled(made), CARRIED[child.status], told)


def reason_of(child: Known, request: Known | None) -> Resource:
    """Why it says so, as far as that may be told."""
    said: Resource = child.resource.get("statusReason", {})
    return said if not said or _is_open(child, request) else {"text": GUARDED}


def filled(task: Resource) -> Resource:
    """Without what says nothing."""
    return {name: value for name, value in task.items() if value not in ([], {}, "")}


def _is_open(child: Known, request: Known | None) -> bool:
    """It has no label that the request has not."""
    asked = request.labels if request else 0
    return raised(asked, child.labels) == raised(asked, 0)


def _bare(output: Resource) -> Resource:
    return {"type": concept(SDOHCC, ACTIVITY), "valueReference": {"reference": target(output["valueReference"])}}
