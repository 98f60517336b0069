"""What a referral's Task says, read by its elements; the hub's own words for it.

Rules: Gravity SDOH Clinical Care 2.2 and 2.3, Task for Referral Management (intent `order`, code `fulfill`, focus a
ServiceRequest, a reason in words, output of type `resulting-activity`); https://hl7.org/fhir/R4/task.html. A Task
of code `approve` asks the plan for the authorization of such a request. DHCS' closed loop: a status and a reason
for closure, coded in `businessStatus` and `statusReason`; its full lists are not public.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from hub.fhir.systems import CLOCK_STATE, OWN, REFERRAL_CLOCK, SDOHCC, TASK_CODE

Resource = dict[str, Any]
Node = Mapping[str, Any]

FULFILL, APPROVE = "fulfill", "approve"
# every Task.status but `ready` and `received`, which the guide leaves out
STATUSES = (
    "draft",
    "requested",
    "accepted",
    "rejected",
    "in-progress",
    "on-hold",
    "completed",
    "failed",
    "cancelled",
    "entered-in-error",
)
OVER = frozenset(("rejected", "completed", "failed", "cancelled", "entered-in-error"))
ACTIVITY = "resulting-activity"

STEP = OWN + "CodeSystem/referral-step"  # in businessStatus: what the hub waits for
INPUT = OWN + "CodeSystem/referral-input"
NOTICE = OWN + "CodeSystem/referral-notice"
AUTHORIZATION = OWN + "CodeSystem/plan-authorization"  # in output, as the plan's API has it
ASSIGNED = (INPUT, "assigned-provider")


def codes(concept: Any, system: str) -> list[str]:
    """The codes of this system in a CodeableConcept."""
    found = (concept or {}).get("coding", ()) if isinstance(concept, dict) else ()
    return [str(one.get("code", "")) for one in found if isinstance(one, dict) and one.get("system") == system]


def target(node: Any) -> str:
    """What a Reference refers to, without its version; empty where it says no place."""
    said = node.get("reference", "") if isinstance(node, dict) else ""
    return str(said).partition("/_history")[0]


def local(node: Any, base: str, *kinds: str) -> str:
    """`Type/id` of a resource of this hub, of one of these types; otherwise empty."""
    said = target(node).removeprefix(f"{base}/")
    kind, slash, identity = said.partition("/")
    return said if slash and identity and "/" not in identity and kind in kinds else ""


def is_referral(task: Node | None, *codes_: str) -> bool:
    """A Task to fulfil (or, for the plan, to approve) a ServiceRequest."""
    if not task or task.get("intent") != "order":
        return False
    wanted = codes_ or (FULFILL, APPROVE)
    kind = target(task.get("focus")).split("/")
    return any(code in wanted for code in codes(task.get("code"), TASK_CODE)) and "ServiceRequest" in kind


def is_clock(task: Node | None) -> bool:
    return bool(task) and bool(codes((task or {}).get("code"), REFERRAL_CLOCK))


def clock_states(task: Node | None) -> set[str]:
    """What the tags of a Task say of a clock."""
    tags = (task or {}).get("meta", {}).get("tag", ())
    return {str(one.get("code", "")) for one in tags if isinstance(one, dict) and one.get("system") == CLOCK_STATE}


def reason(task: Node) -> str:
    """The reason in words."""
    said = task.get("statusReason")
    text = said.get("text", "") if isinstance(said, dict) else ""
    return text.strip() if isinstance(text, str) else ""


def activities(task: Node) -> Iterator[Resource]:
    """The outputs that name what was done: a Procedure."""
    for one in task.get("output", ()):
        if ACTIVITY in codes(one.get("type"), SDOHCC) and "Procedure" in target(one.get("valueReference")).split(
            "/"
        ):
            yield one


def authorization_number(task: Node | None) -> str:
    """The number that the plan gave with its decision; empty where it gave none."""
    outputs = (task or {}).get("output", ())
    found = (one for one in outputs if "authorization-number" in codes(one.get("type"), AUTHORIZATION))
    return next((str(one.get("valueString", "")) for one in found), "")


def assigned(task: Node) -> list[Node]:
    """The references to whom a person assigned as the provider, in the order in which that was said."""
    return [
        one.get("valueReference", {})
        for one in task.get("input", ())
        if ASSIGNED[1] in codes(one.get("type"), ASSIGNED[0])
    ]


def concept(system: str, code: str, text: str = "") -> Resource:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def own_id(task: str, *parts: str) -> str:
    """The id of what the hub makes because of a referral: the same one each time it is made."""
    return str(uuid5(NAMESPACE_URL, "/".join((OWN + "referral", task, *parts))))
