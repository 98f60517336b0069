"""Event.csv -> ServiceRequest and Task: the history of a Coordinated Entry referral.

Rules: HUD 4.20. An event says what somebody was referred to, and perhaps what became of it: accepted is completed,
rejected by the client is cancelled (Task) and revoked (ServiceRequest), rejected by the provider is rejected and
revoked. Event 2 (problem solving) is a service, no referral: its ServiceRequest is completed, and it has no Task.
It is history that another system keeps: the Task has a code of its own, so that nobody takes it for a referral
which the hub has to close, and neither names an owner or performer, so that it opens no record to anybody.
Where the crisis or housing is (LocationCrisisOrPHHousing) is kept, and not mapped.
Refuses: codes without a row (Unmapped).
"""

from typing import Any, Final

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import ClientRows
from fhir_mappings.hmis.labels import labelled
from fhir_mappings.hmis.systems import of_feed, own_code
from hub.feeds.records import Kept, Resource
from hub.fhir.conditional import reference

REQUEST, TASK = "event", "event-task"
PROBLEM_SOLVING = "2"
# the result, as the status of the request and of the task
RESULTS: Final = {"": ("active", "requested"), "1": ("completed", "completed"), "2": ("revoked", "cancelled"),
                  "3": ("revoked", "rejected")}  # fmt: skip
ERROR = "entered-in-error"


def referrals(rows: ClientRows, patient: str) -> list[Resource]:
    """Raises Unmapped."""
    return [made for row in rows.all("Event") for made in _made(row, rows, patient)]


def _made(row: Kept, rows: ClientRows, patient: str) -> list[Resource]:
    is_service = row.values["Event"] == PROBLEM_SOLVING
    result = row.values.get("ReferralResult", "")
    if result:
        code_lists.label("4.20.D", result, "ReferralResult")
    asked, done = RESULTS[result]
    made = [_request(row, rows, patient, "completed" if is_service else asked)]
    return made if is_service else [*made, _task(row, rows, patient, done)]


def _request(row: Kept, rows: ClientRows, patient: str, status: str) -> Resource:
    made: Resource = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": of_feed(rows.subject.feed, REQUEST), "value": row.key}],
        "status": status if rows.counts(row) else ERROR,
        "intent": "order",
        "code": code_lists.concept("4.20.2", row.values["Event"], "Event"),
        "subject": {"reference": patient},
        "occurrenceDateTime": row.values["EventDate"],
        "authoredOn": row.values["EventDate"],
    }
    return labelled(made, rows.labels_of(row))


def _task(row: Kept, rows: ClientRows, patient: str, status: str) -> Resource:
    feed, result = rows.subject.feed, row.values.get("ReferralResult", "")
    made: dict[str, Any] = {
        "resourceType": "Task",
        "identifier": [{"system": of_feed(feed, TASK), "value": row.key}],
        "status": status if rows.counts(row) else ERROR,
        "intent": "order",
        "code": {"coding": [own_code("coordinated-entry-event", "Coordinated Entry event")]},
        "focus": reference("ServiceRequest", of_feed(feed, REQUEST), row.key),
        "for": {"reference": patient},
        "authoredOn": row.values["EventDate"],
        "executionPeriod": _period(row),
    }
    if result:
        made["businessStatus"] = code_lists.concept("4.20.D", result, "ReferralResult")
    if result in ("2", "3"):
        made["statusReason"] = {"text": code_lists.label("4.20.D", result, "ReferralResult")}
    return labelled(made, rows.labels_of(row))


def _period(row: Kept) -> dict[str, str]:
    start, end = row.values["EventDate"], row.values.get("ResultDate")
    return {"start": start, "end": max(start, end)} if end else {"start": start}
