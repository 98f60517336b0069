"""The plan's decision, a Task of its own, -> what the hub's Task becomes. Pure.

Rules: docs/plan-api.md; Gravity SDOH Clinical Care 2.3 (status of a referral's Task, a reason for what was not
accepted); DHCS closed-loop referrals: who referred is told a denial with its reason.
Refuses (ValueError): an answer that is no Task, statuses that say nothing of a decision, a denial without a reason.
"""

from collections.abc import Mapping
from typing import Any

from hub.fhir.systems import OWN

Resource = dict[str, Any]
PENDING = frozenset(("requested", "received", "ready", "draft", "on-hold"))
DECIDED: Mapping[str, str] = {
    "accepted": "accepted",
    "in-progress": "accepted",
    "completed": "accepted",
    "rejected": "rejected",
    "cancelled": "cancelled",
    "failed": "failed",
}
WITH_REASON = frozenset(("rejected", "cancelled", "failed"))
AUTHORIZATION = OWN + "CodeSystem/plan-authorization"
OUTPUTS: Mapping[str, str] = {"authorization-number": "valueString", "authorization-period": "valuePeriod"}
OPEN = frozenset(("requested", "received"))  # what a decision may change


def is_pending(decision: Resource) -> bool:
    """Raises ValueError."""
    if decision.get("resourceType") != "Task":
        raise ValueError("the decision is no Task")
    status = decision.get("status")
    if status not in PENDING and status not in DECIDED:
        raise ValueError("the decision has no status of a decision")
    return status in PENDING


def decided(task: Resource, decision: Resource) -> Resource:
    """The hub's Task with the plan's decision. Raises ValueError."""
    status = DECIDED[decision["status"]]
    reason = _concept(decision.get("statusReason"))
    if status in WITH_REASON and not reason:
        raise ValueError("a denial needs a reason")
    outputs = [*task.get("output", ()), *_outputs(decision)]
    made = {**task, "status": status}
    made |= {"statusReason": reason} if reason else {}
    return made | ({"output": outputs} if outputs else {})


def _concept(said: Any) -> Resource:
    """Codes and words; what else stands there is left out. A reason is said in words, too (Gravity SDOH Clinical
    Care): where the plan has none, by what its code is called."""
    said = _dict(said)
    codings = [_texts(one, ("system", "code", "display")) for one in _list(said.get("coding"))]
    codings = [one for one in codings if "code" in one]
    text = _texts(said, ("text",)) or _words(codings)
    return {**({"coding": codings} if codings else {}), **text}


def _words(codings: list[Resource]) -> Resource:
    return next(({"text": one.get("display", one["code"])} for one in codings), {})


def _outputs(decision: Resource) -> list[Resource]:
    """The number and period of the authorization."""
    found = []
    for each in _list(decision.get("output")):
        codings = _list(_dict(each.get("type")).get("coding"))
        codes = [one.get("code") for one in codings if one.get("system") == AUTHORIZATION]
        for code in codes:
            name = OUTPUTS.get(str(code))
            if name and (value := _value(each.get(name))):
                found.append({"type": {"coding": [{"system": AUTHORIZATION, "code": code}]}, name: value})
    return found


def _value(said: Any) -> Any:
    return _texts(said, ("start", "end")) if isinstance(said, dict) else said if isinstance(said, str) else None


def _texts(said: Mapping[str, Any], names: tuple[str, ...]) -> Resource:
    return {name: said[name] for name in names if isinstance(said.get(name), str) and said[name]}


def _dict(said: Any) -> Resource:
    return said if isinstance(said, dict) else {}


def _list(said: Any) -> list[Resource]:
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
