"""What an answer means, how long to wait, when to ask nobody, what a decision becomes: pure."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.plan.api.bundles import referral_bundle
from adapters.plan.api.circuit import (
    CLOSED,
    FAILURE,
    FAILURES,
    FIRST_PAUSE,
    HALF_OPEN,
    LONGEST_PAUSE,
    NEXT,
    OPEN,
    SUCCESS,
    Breaker,
    Circuit,
    after,
    asked,
)
from adapters.plan.api.decisions import AUTHORIZATION, DECIDED, PENDING, decided, is_pending
from adapters.plan.api.effects import effects
from adapters.plan.api.outcomes import Expired, Failed, Good, Refused, judged, retry_after, wait_after
from hub.notifications.connections import Answer
from hub.transactions import Change

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TASK = b'{"resourceType": "Task"}'
FHIR = "application/fhir+json"
BASE = "https://hub.example/fhir"
PLAN = "Organization/plan"


def answer(status: int, body: bytes = TASK, kind: str = FHIR, whole: bool = True, **headers: str) -> Answer:
    return Answer(status, {"Content-Type": kind, **headers}, body, whole)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(200), Good),
        (answer(201, kind="application/json; charset=utf-8"), Good),
        (answer(204, b""), Good),
        (answer(200, kind="text/html"), Failed),
        (answer(200, b"{"), Failed),
        (answer(200, b"[]"), Failed),
        (answer(200, b"\xff"), Failed),
        (answer(200, whole=False), Failed),
        (answer(401), Expired),
        *((answer(status), Failed) for status in (408, 409, 425, 429, 500, 502, 503, 504)),
        *((answer(status), Refused) for status in (301, 307, 400, 403, 404, 405, 410, 412, 413, 415, 422, 501)),
    ],
)
def test_what_an_answer_means(given: Answer, expected: type) -> None:
    assert type(judged(given, NOW)) is expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("999999999", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٧", None),
        ("9" * 5000, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}, NOW) == seconds


def test_waits_double_and_do_not_march_in_step() -> None:
    assert [wait_after(n, lambda: 0.5) for n in (1, 2, 3, 4, 5, 99)] == [0.5, 1, 2, 4, 8, 8]
    assert (wait_after(1, lambda: 0.0), wait_after(1, lambda: 1.0)) == (0.25, 0.75)


def failed(times: int, circuit: Circuit | None = None, now: int = 0) -> Circuit:
    circuit = circuit or Circuit()
    for _ in range(times):
        circuit = after(circuit, FAILURE, now)
    return circuit


def test_every_state_knows_every_event() -> None:
    assert set(NEXT) == {(state, event) for state in (CLOSED, OPEN, HALF_OPEN) for event in (SUCCESS, FAILURE)}


def test_several_failures_in_a_row_open_it() -> None:
    assert failed(FAILURES - 1).state == CLOSED
    assert failed(FAILURES) == Circuit(OPEN, FAILURES, FIRST_PAUSE, FIRST_PAUSE)


def test_a_success_between_failures_begins_anew() -> None:
    assert failed(FAILURES - 1, after(failed(FAILURES - 1), SUCCESS, 0)).state == CLOSED


def test_open_it_lets_nobody_through_until_its_pause_is_over_and_then_one() -> None:
    circuit = failed(FAILURES)
    assert asked(circuit, FIRST_PAUSE - 1) == (False, circuit)
    goes, half = asked(circuit, FIRST_PAUSE)
    assert (goes, half.state) == (True, HALF_OPEN)
    assert asked(half, FIRST_PAUSE + 1)[0] is False


def test_the_one_decides_for_all() -> None:
    half = asked(failed(FAILURES), FIRST_PAUSE)[1]
    assert after(half, SUCCESS, FIRST_PAUSE) == Circuit()
    assert after(half, FAILURE, FIRST_PAUSE).pause == 2 * FIRST_PAUSE


def test_the_pause_has_an_end() -> None:
    circuit, now = failed(FAILURES), 0
    for _ in range(20):
        now = circuit.until
        circuit = after(asked(circuit, now)[1], FAILURE, now)
    assert circuit.pause == LONGEST_PAUSE


def test_one_that_never_came_back_does_not_close_the_door_for_ever() -> None:
    half = asked(failed(FAILURES), FIRST_PAUSE)[1]
    assert asked(half, half.until)[0] is True


def test_a_breaker_tells_how_long_to_wait() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert breaker.wait(0) is None
        breaker.ended(FAILURE, 0)
    assert breaker.wait(FIRST_PAUSE // 2) == FIRST_PAUSE / 2_000_000
    assert breaker.state == OPEN


def decision(status: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "status": status, **more}


@pytest.mark.parametrize("status", sorted(PENDING))
def test_some_statuses_decide_nothing(status: str) -> None:
    assert is_pending(decision(status))


@pytest.mark.parametrize("status", sorted(DECIDED))
def test_the_others_become_one_of_the_task(status: str) -> None:
    found = decision(status, statusReason={"text": "Invented reason", "extension": [{"url": "urn:x"}]})
    assert not is_pending(found)
    made = decided({"resourceType": "Task", "status": "requested"}, found)
    assert (made["status"], made["statusReason"]) == (DECIDED[status], {"text": "Invented reason"})


@pytest.mark.parametrize("status", ["rejected", "cancelled", "failed"])
@pytest.mark.parametrize("reason", [None, {}, {"text": ""}, {"coding": [{}]}, "no", {"coding": [{"code": 7}]}])
def test_a_denial_without_a_reason_is_none(status: str, reason: Any) -> None:
    with pytest.raises(ValueError, match="reason"):
        decided({}, decision(status, statusReason=reason))


@pytest.mark.parametrize("found", [{}, {"resourceType": "Bundle"}, decision("entered-in-error"), decision("")])
def test_what_is_no_decision_is_no_decision(found: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="decision"):
        is_pending(found)


def test_number_and_period_of_the_authorization_are_kept() -> None:
    kind = {"coding": [{"system": AUTHORIZATION, "code": "authorization-number"}]}
    span = {"coding": [{"system": AUTHORIZATION, "code": "authorization-period"}]}
    said = [
        {"type": kind, "valueString": "A-1"},
        {"type": span, "valuePeriod": {"start": "2026-01-01", "x": "y"}},
        {"type": {"text": "other"}, "valueString": "left out"},
        {"type": kind, "valueString": 7},
        "nothing",
    ]
    assert decided({}, decision("accepted", output=said))["output"] == [
        {"type": kind, "valueString": "A-1"},
        {"type": span, "valuePeriod": {"start": "2026-01-01"}},
    ]


def test_a_referral_names_the_member_by_the_cin_and_is_created_once() -> None:
    request = {"resourceType": "ServiceRequest", "id": "r", "subject": {"reference": "Patient/p"}}
    task = {
        "resourceType": "Task",
        "id": "t",
        "for": {"reference": "Patient/p"},
        "focus": {"reference": "ServiceRequest/r"},
    }
    patient = {
        "id": "p",
        "identifier": [{"system": "urn:mrn", "value": "1"}, {"system": "urn:cin", "value": "91234567A"}],
    }
    first, second = referral_bundle(task, request, patient, BASE, "urn:cin")["entry"]
    assert first["resource"]["subject"] == {
        "reference": f"{BASE}/Patient/p",
        "identifier": {"system": "urn:cin", "value": "91234567A"},
    }
    assert second["resource"]["focus"] == {"reference": f"{BASE}/ServiceRequest/r"}
    assert second["request"]["ifNoneExist"] == f"identifier={BASE}/Task|t"
    assert second["resource"]["identifier"] == [{"system": f"{BASE}/Task", "value": "t"}]
    assert "urn:mrn" not in repr((first, second))


def change(now: dict[str, Any] | None, before: dict[str, Any] | None = None, kind: str = "Task") -> Change:
    return Change(kind, "t", 3, before, now, 0, "ecm")


def caused(*changes: Change, care_plans: bool = False) -> list[str]:
    return [str(row["kind"]) for row in effects(changes, PLAN, care_plans)]


OWNED = {"owner": {"reference": PLAN}, "status": "requested"}
ASKED = {"requester": {"reference": PLAN}, "status": "accepted"}


def test_a_requested_task_of_the_plan_is_a_referral_once() -> None:
    assert caused(change(OWNED)) == ["plan-referral"]
    assert caused(change({**OWNED, "note": []}, OWNED)) == []
    assert caused(change(OWNED, {**OWNED, "status": "draft"})) == ["plan-referral"]


@pytest.mark.parametrize(
    "task", [{**OWNED, "status": "draft"}, {**OWNED, "owner": {"reference": "Organization/x"}}, {}]
)
def test_other_tasks_are_none(task: dict[str, Any]) -> None:
    assert caused(change(task)) == []


def test_the_status_of_what_the_plan_asked_for_is_told() -> None:
    assert caused(change(ASKED)) == ["plan-status"]
    assert caused(change({**ASKED, "status": "completed"}, ASKED)) == ["plan-status"]
    assert caused(change({**ASKED, "description": "x"}, ASKED)) == []


def test_a_deletion_is_told_nobody() -> None:
    assert caused(change(None, OWNED)) == []


def test_care_plans_are_told_where_the_deployment_wants_that() -> None:
    assert caused(change({}, kind="CarePlan")) == []
    assert caused(change({}, kind="CarePlan"), care_plans=True) == ["plan-status"]


def test_each_version_is_work_of_its_own_in_the_line_of_its_resource() -> None:
    (row,) = effects([change(OWNED)], PLAN, False)
    assert (row["key"], row["line"]) == ("Task/t/3", "Task/t")
