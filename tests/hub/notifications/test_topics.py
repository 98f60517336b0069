"""Which change of which resource is an event of which topic."""

from typing import Any

import pytest

from hub.fhir import json
from hub.notifications.events import effects
from hub.notifications.topics import ADMISSION, GRAVITY, MEMBER, OURS, ROWS, TOPICS
from hub.notifications.triggers import CLOCK_STATE
from hub.transactions import Change

Resource = dict[str, Any]
TASK, REQUEST = f"{GRAVITY}Task", f"{GRAVITY}Servicerequest"


def topics_of(kind: str, before: Resource | None, now: Resource | None) -> list[str]:
    change = Change(kind, "x-1", 3, before, now, 1_000, "client-lantern")
    return [json.stored(dict(row)["payload"])["topic"] for row in effects([change]) if dict(row)["kind"] == "event"]


def task(status: str = "requested", intent: str = "order", **more: Any) -> Resource:
    return {"resourceType": "Task", "status": status, "intent": intent, **more}


def clocked(*states: str) -> Resource:
    return task(meta={"tag": [{"system": CLOCK_STATE, "code": state} for state in states]})


def status(kind: str, code: str) -> Resource:
    return {"resourceType": kind, "status": code}


@pytest.mark.parametrize(
    ("before", "now", "topics"),
    [
        (None, task(), [TASK]),
        (task(), task("accepted"), [TASK]),
        (task("completed"), None, [TASK]),
        (None, task("draft"), []),
        (task("draft"), task("requested"), [TASK]),
        (task("requested"), task("draft"), []),
        (task("draft"), None, []),
        (None, task(intent="plan"), []),
        (clocked("running"), clocked("due"), [TASK, f"{OURS}clock-due"]),
        (clocked("due"), clocked("due", "late"), [TASK, f"{OURS}clock-late"]),
        (clocked("late"), clocked("escalated"), [TASK]),
        (clocked("due"), clocked("running"), [TASK]),
        (None, clocked("late"), [TASK, f"{OURS}clock-late"]),
        (clocked("due"), None, [TASK]),
    ],
)
def test_a_task_that_is_an_order_tells_its_changes_and_its_clocks(
    before: Resource | None, now: Resource | None, topics: list[str]
) -> None:
    assert topics_of("Task", before, now) == topics


@pytest.mark.parametrize(
    ("kind", "before", "now", "topics"),
    [
        ("ServiceRequest", None, "active", []),
        ("ServiceRequest", "active", "completed", [REQUEST]),
        ("ServiceRequest", "active", None, []),
        ("CarePlan", None, "active", [f"{OURS}careplan"]),
        ("CarePlan", "active", "revoked", [f"{OURS}careplan"]),
        ("CarePlan", "active", None, [f"{OURS}careplan"]),
        ("CareTeam", "active", "inactive", [f"{OURS}careteam"]),
        ("Coverage", None, "active", [f"{OURS}coverage"]),
        ("Coverage", "active", "cancelled", [f"{OURS}coverage"]),
        ("Consent", None, "active", []),
        ("Consent", "active", "inactive", [f"{OURS}consent-revoked"]),
        ("Consent", "active", "entered-in-error", [f"{OURS}consent-revoked"]),
        ("Consent", "active", None, [f"{OURS}consent-revoked"]),
        ("Consent", "proposed", "rejected", []),
        ("Consent", "inactive", "active", []),
        ("Observation", None, "final", []),
    ],
)
def test_a_change_of_status_is_told_by_the_topics_of_its_type(
    kind: str, before: str | None, now: str | None, topics: list[str]
) -> None:
    one, other = (status(kind, code) if code else None for code in (before, now))
    assert topics_of(kind, one, other) == topics


def linked(*others: str, kind: str = "replaced-by") -> Resource:
    return {"resourceType": "Patient", "link": [{"type": kind, "other": {"reference": one}} for one in others]}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (linked(), linked("Patient/2"), True),
        (None, linked("Patient/2"), True),
        (linked("Patient/2"), linked("Patient/3"), True),
        (linked("Patient/2"), linked("Patient/2"), False),
        (linked("Patient/2"), linked(), False),
        (linked(), linked("Patient/2", kind="replaces"), False),
        (linked("Patient/2"), None, False),
    ],
)
def test_who_is_replaced_by_somebody_was_merged(before: Resource | None, now: Resource | None, told: bool) -> None:
    assert (topics_of("Patient", before, now) == [f"{OURS}member-merged"]) is told


def test_every_topic_says_whose_its_resource_is() -> None:
    assert {topic.type for topic in ROWS} - {"Patient"} == set(MEMBER)
    assert len(TOPICS) == len(ROWS)
    assert ADMISSION in TOPICS
