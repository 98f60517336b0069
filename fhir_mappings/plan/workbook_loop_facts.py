"""The Task of a referral -> the three elements of DHCS' closed loop in a return file.

Rules: docs/plan-workbooks.md "Closed loop". Task.businessStatus says it where it has a code of the hub's system,
else Task.status as the Gravity guide uses it.
"""

from fhir_mappings.plan.workbook_chart import Chart, Report, code_of, day, points_at
from fhir_mappings.plan.workbook_person_facts import Facts
from fhir_mappings.plan.workbook_terms import (
    CLOSURE_REASON,
    PROGRAM,
    REFERRAL_STATUS,
    SERVICES_RECEIVED,
)
from hub.feeds.records import Resource

# Task.status -> our word, where no businessStatus says it; `in-progress` may be outreach or service
BY_TASK = {
    "requested": "pending",
    "received": "pending",
    "accepted": "accepted",
    "rejected": "declined",
    "completed": "closed",
    "cancelled": "closed",
    "failed": "closed",
}


def loop(task: Resource) -> Facts:
    """The three elements of a closed-loop referral."""
    word = code_of(task.get("businessStatus"), REFERRAL_STATUS) or BY_TASK.get(str(task.get("status")), "")
    reason = (
        code_of(task.get("statusReason"), CLOSURE_REASON) if word == "closed" or task.get("statusReason") else ""
    )
    if word == "closed" and not reason and task.get("status") == "completed":
        reason = SERVICES_RECEIVED
    return {
        "referral_status": word,
        "referral_status_date": day(task.get("lastModified")),
        "loop_closure_reason": reason,
    }


def ecm_loop(chart: Chart, report: Report) -> Facts:
    """Of the newest referral to ECM with the report's provider."""
    requests = chart.with_code("ServiceRequest", "code", PROGRAM, "ecm")
    asked = {f"ServiceRequest/{one.get('id')}" for one in requests}
    found = [
        one for one in chart.of("Task") if points_at(one.get("owner"), report.reference) and _is_ecm(one, asked)
    ]
    return loop(found[-1]) if found else {}


def _is_ecm(task: Resource, asked: set[str]) -> bool:
    """Of a return file's own Task only its status says what it is: it has no focus."""
    focus = task.get("focus", {}).get("reference", "")
    return focus in asked or (not focus and bool(code_of(task.get("businessStatus"), REFERRAL_STATUS)))
