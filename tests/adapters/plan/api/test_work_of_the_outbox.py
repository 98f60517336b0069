"""Referrals go to the plan once, whatever happens, and its decision comes back; status is told, in order."""

from typing import Any

import pytest

from adapters.plan.api.decisions import AUTHORIZATION
from adapters.plan.api.handlers import NEWER, NOT_ASKED, NOT_SEEN
from hub.outbox import Dead, Done, Later
from hub.store.engine import Database
from tests.adapters.plan.api.world import CIN, PLAN, World, care_plan, referral
from tests.reference_plan.process import ReferencePlan

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@pytest.fixture
def hub(database: Database, plan: ReferencePlan) -> World:
    return World(database, plan)


def numbers(task: dict[str, Any]) -> list[str]:
    return [one["value"] for one in task.get("identifier", ()) if one["system"].endswith("/referral")]


def test_a_referral_goes_to_the_plan_and_its_decision_comes_back(hub: World) -> None:
    hub.have(*referral())
    assert hub.turns()[-1] == Done()
    task = hub.resource("Task", "t1")
    assert (task["status"], numbers(task)) == ("accepted", ["PLAN-1"])
    assert len(hub.plan.state["referrals"]) == 1


def test_what_goes_is_what_the_plan_may_see(hub: World) -> None:
    hub.have(*referral())
    hub.turns()
    (bundle,) = hub.plan.state["referrals"].values()
    request, task = (entry["resource"] for entry in bundle["entry"])
    assert request["code"] == {"text": "Invented service"}
    assert request["subject"]["identifier"]["value"] == CIN
    assert task["focus"]["reference"].endswith("/ServiceRequest/r-t1")
    assert "canary" not in repr(bundle)
    assert {row.type for row in hub.told} == {"Task", "ServiceRequest", "Patient"}


def test_a_denial_comes_with_its_reason(hub: World) -> None:
    hub.plan.decide("PLAN-1", status="rejected", statusReason={"text": "Not a benefit"})
    hub.have(*referral())
    hub.turns()
    task = hub.resource("Task", "t1")
    assert (task["status"], task["statusReason"]) == ("rejected", {"text": "Not a benefit"})


def test_the_number_of_the_authorization_is_kept(hub: World) -> None:
    kind = {"coding": [{"system": AUTHORIZATION, "code": "authorization-number"}]}
    hub.plan.decide("PLAN-1", status="accepted", output=[{"type": kind, "valueString": "A-77"}])
    hub.have(*referral())
    hub.turns()
    assert hub.resource("Task", "t1")["output"][0]["valueString"] == "A-77"


@pytest.mark.parametrize("fault", ["500", "429:120", "cut-before", "cut-after", "wrong-type", "half", "no-json"])
@pytest.mark.parametrize("path", ["/referrals", "/referrals/PLAN-1/decision", "/token"])
def test_through_every_fault_there_is_one_referral_and_one_decision(hub: World, path: str, fault: str) -> None:
    hub.plan.fault(path, fault, 7)
    hub.have(*referral())
    hub.turns()
    assert len(hub.plan.state["referrals"]) == 1
    assert hub.resource("Task", "t1")["status"] == "accepted"


@pytest.mark.parametrize("dies_in_turn", [0, 1, 2])
def test_a_worker_that_dies_before_it_says_so_doubles_nothing(hub: World, dies_in_turn: int) -> None:
    hub.have(*referral())
    for number in range(3):
        hub.turn(settles=number != dies_in_turn)
        hub.at = hub.at.replace(year=hub.at.year) + hub.work.poll * 2
        hub.restart()
    hub.turns()
    assert len(hub.plan.state["referrals"]) == 1
    assert numbers(hub.resource("Task", "t1")) == ["PLAN-1"]
    assert hub.resource("Task", "t1")["status"] == "accepted"


def test_a_task_that_changes_meanwhile_is_not_overwritten(hub: World) -> None:
    hub.have(*referral())
    hub.turn()
    hub.have({**hub.resource("Task", "t1"), "description": "Changed by the clinic"})
    hub.turns()
    task = hub.resource("Task", "t1")
    assert (task["status"], task["description"]) == ("accepted", "Changed by the clinic")


def test_a_referral_that_is_taken_back_is_not_sent(hub: World) -> None:
    hub.have(*referral())
    hub.have({**hub.resource("Task", "t1"), "status": "cancelled"})
    assert hub.turns() == [Done(NOT_ASKED)]
    assert hub.plan.state["referrals"] == {}


def test_a_task_that_was_decided_otherwise_stays_so(hub: World) -> None:
    hub.have(*referral())
    hub.turn()
    hub.have({**hub.resource("Task", "t1"), "status": "cancelled"})
    hub.turns()
    assert hub.resource("Task", "t1")["status"] == "cancelled"


def test_of_somebody_who_is_no_member_nothing_goes(hub: World) -> None:
    hub.have(*referral("birch"))
    assert hub.turns() == [Done(NOT_SEEN)]
    assert hub.plan.state["requests"] == []
    assert hub.told == []


def test_a_program_record_does_not_go_without_consent(hub: World) -> None:
    request, task = referral()
    label = {"security": [{"system": ACT, "code": "42CFRPart2"}]}
    hub.have({**request, "meta": label}, task)
    assert hub.turns() == [Done(NOT_SEEN)]
    assert hub.plan.state["requests"] == []


def test_where_the_plan_is_no_client_any_more_nothing_goes(hub: World) -> None:
    hub.seen_by("nobody")
    hub.have(*referral())
    assert hub.turns() == [Done(NOT_SEEN)]


def test_what_the_plan_refuses_is_for_a_person(hub: World) -> None:
    hub.plan.fault("/referrals", "422")
    hub.have(*referral())
    assert hub.turns() == [Dead("The plan answered 422")]


@pytest.mark.parametrize("decision", [{"status": "rejected"}, {"status": "entered-in-error"}, {"status": 7}])
def test_a_decision_that_says_nothing_is_for_a_person(hub: World, decision: dict[str, Any]) -> None:
    hub.plan.decide("PLAN-1", **decision)
    hub.have(*referral())
    assert isinstance(hub.turns()[-1], Dead)
    assert hub.resource("Task", "t1")["status"] == "requested"


def test_a_decision_that_does_not_come_is_for_a_person_after_its_days(hub: World) -> None:
    hub.plan.decide("PLAN-1", status="on-hold")
    hub.have(*referral())
    assert isinstance(hub.turn()[0], Later)
    hub.at += hub.work.days * 1.01
    assert hub.turn() == [Dead("No decision within 30 days")]


def test_a_plan_that_is_away_for_days_is_given_up_and_can_be_replayed(hub: World) -> None:
    hub.plan.fault("/referrals", "503", 10_000)
    hub.have(*referral())
    given_up = hub.turns(most=200)[-1]
    assert isinstance(given_up, Dead)
    assert given_up.reason.startswith("Given up after")


def test_the_status_of_what_the_plan_asked_for_is_written_back_in_order(hub: World) -> None:
    request, task = referral(requester={"reference": PLAN}, owner={"reference": "Organization/clinic"})
    hub.plan.fault("/tasks/t1", "500", 4)
    hub.have(request, {**task, "status": "accepted"})
    hub.turn()
    hub.have({**hub.resource("Task", "t1"), "status": "completed"})
    outcomes = hub.turns()
    assert Done(NEWER) in outcomes
    assert [write["resource"]["status"] for write in hub.plan.state["writes"]] == ["completed"]


def test_each_change_of_status_is_written_once(hub: World) -> None:
    request, task = referral(requester={"reference": PLAN}, owner={"reference": "Organization/clinic"})
    for status in ("accepted", "in-progress", "completed"):
        hub.have(request, {**task, "status": status})
        hub.plan.fault("/tasks/t1", "cut-after")
        hub.turns()
    writes = hub.plan.state["writes"]
    assert [write["resource"]["status"] for write in writes] == ["accepted", "in-progress", "completed"]
    assert "canary" not in repr(writes)


def test_a_care_plan_goes_to_whom_may_read_it(hub: World) -> None:
    hub.care_plans = True
    hub.seen_by("care")
    panel = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    member = {"member": [{"entity": {"reference": "Patient/alder"}}], "managingEntity": {"reference": PLAN}}
    hub.have({**panel, **member})
    hub.have(care_plan())
    assert hub.turns() == [Done()]
    (write,) = hub.plan.state["writes"]
    assert write["path"] == "/care-plans/c1"
    assert write["resource"]["subject"]["identifier"]["value"] == CIN


def test_a_care_plan_does_not_go_to_a_plan_that_reads_none(hub: World) -> None:
    hub.care_plans = True
    hub.have(care_plan())
    assert hub.turns() == [Done(NOT_SEEN)]
    assert hub.plan.state["requests"] == []


def test_without_the_deployments_wish_no_care_plan_goes(hub: World) -> None:
    hub.have(care_plan())
    assert hub.turns() == []


def test_nothing_leaves_that_cannot_be_recorded(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.have(*referral())

    def cannot(*_: Any) -> None:
        raise OSError("the journal is full")

    monkeypatch.setattr(hub, "_tell", cannot)
    with pytest.raises(OSError, match="journal"):
        hub.turn()
    assert hub.plan.state["requests"] == []


def test_no_reason_tells_of_a_person(hub: World) -> None:
    hub.plan.fault("*", "no-json", 3)
    hub.have(*referral())
    reasons = [outcome.reason for outcome in hub.turns() if not isinstance(outcome, Done)]
    assert reasons
    assert not any(word in reason for reason in reasons for word in (CIN, "alder", "t1", "PLAN-"))
