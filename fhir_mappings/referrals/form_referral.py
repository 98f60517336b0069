"""What a form asks for -> a ServiceRequest and the Task that asks the hub's own organization to see to it.

Rules: Gravity SDOH Clinical Care 2.3 (ServiceRequest, Task for Referral Management); docs/referrals.md. Who refers
is the organization whose form it is; who wrote it, and what else they wrote, stands in `note`, word for word.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_mappings.referrals.form_person import form_of
from hub.feeds.records import Resource, Subject
from hub.fhir.conditional import reference
from hub.fhir.systems import COMMUNITY_SUPPORT, PROGRAM, TASK_CODE

ECM = "ecm"
REQUEST, TASK = "form-request", "form-task"


def form_referral(subject: Subject, patient: str) -> Sequence[Resource]:
    """`patient` is the member's reference."""
    row = form_of(subject)
    if row is None or not patient:
        return ()
    said, feed = row.values, subject.feed.system
    referrer = {"reference": said["organization"]}
    request: Resource = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": f"{feed}/{REQUEST}", "value": row.key}],
        "status": "active",
        "intent": "order",
        "code": _service(said),
        "subject": {"reference": patient},
        "authoredOn": said["day"],
        "requester": referrer,
        "note": [{"text": text} for text in _notes(said)],
    }
    task: Resource = {
        "resourceType": "Task",
        "identifier": [{"system": f"{feed}/{TASK}", "value": row.key}],
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": TASK_CODE, "code": "fulfill"}]},
        "focus": reference("ServiceRequest", f"{feed}/{REQUEST}", row.key),
        "for": {"reference": patient},
        "authoredOn": said["day"],
        "requester": referrer,
        "owner": {"reference": said["owner"]},
    }
    return request, task


def _service(said: Mapping[str, Any]) -> Resource:
    system = PROGRAM if said["service"] == ECM else COMMUNITY_SUPPORT
    return {"coding": [{"system": system, "code": said["service"], "display": said["service_name"]}]}


def _notes(said: Mapping[str, Any]) -> list[str]:
    wrote = f"Referred by {said['referrer']} ({said['relation']}), {said['contact']}."
    return [wrote, *([said["words"]] if said.get("words") else [])]
