"""What a provider says it did is here and about the member; a referral that is over stays as it was told."""

from typing import Any

import pytest

from hub.problems import Problem
from hub.referrals.configuration import Plan, Rules, Service
from hub.referrals.moving import Moving
from hub.transactions import single
from tests.hub.referrals.test_coordination import step
from tests.hub.referrals.world import (
    HOUSE,
    HOUSE_CLIENT,
    HUB,
    OUTSIDER,
    PLAN,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    activity,
    bundle,
    presumptive,
    procedure,
    to,
)

LATER = "2031-01-01T00:00:00Z"
CLINIC = "Organization/clinic"


@pytest.fixture
def accepted(world: World) -> str:
    """A referral to the clinic itself, which Robin is a patient of: it sees its Task when that is over, too."""
    task = world.refer(owner={"reference": CLINIC})
    world.move(task, OUTSIDER, status="accepted")
    return task


def refused(world: World, task: str, **said: Any) -> str:
    """Where the rule refuses it."""
    before = world.read("Task", task)
    with pytest.raises(Problem) as found:
        world.move(task, OUTSIDER, **said)
    assert found.value.kind == "business-rule"
    assert world.read("Task", task) == before
    return str(found.value.issues[0].where)


def of_kim(world: World) -> None:
    world.have(
        {"resourceType": "Patient", "id": "kim"}, procedure() | {"id": "of-kim", "subject": to("Patient", "kim")}
    )


@pytest.mark.parametrize("status", ["completed", "accepted"])
@pytest.mark.parametrize("identity", ["of-kim", "missing"])
def test_what_was_done_is_a_procedure_that_is_here_and_of_the_member(
    world: World, accepted: str, identity: str, status: str
) -> None:
    of_kim(world)
    assert refused(world, accepted, status=status, output=[activity(identity)]) == "Task.output"


@pytest.mark.parametrize(
    "reference", ["https://elsewhere.example/fhir/Procedure/p", "Procedure/p/_history/1/x", "/Procedure/p"]
)
def test_a_procedure_of_another_server_is_none_that_is_here(world: World, accepted: str, reference: str) -> None:
    output = activity("p") | {"valueReference": {"reference": reference}}
    with pytest.raises(Problem):
        world.move(accepted, OUTSIDER, status="completed", output=[output])
    assert world.read("Task", accepted)["status"] == "accepted"


def test_a_deleted_procedure_is_none_that_is_here(world: World, accepted: str) -> None:
    world.have(procedure() | {"id": "gone"})
    world.writes.commit([single("DELETE", "Procedure", id="gone")], SYSTEM)
    assert refused(world, accepted, status="completed", output=[activity("gone")]) == "Task.output"


@pytest.mark.parametrize("of", ["robin", "kim"])
def test_what_was_done_may_come_with_the_task_in_one_transaction(world: World, accepted: str, of: str) -> None:
    of_kim(world)
    output = activity("x") | {"valueReference": {"reference": "urn:uuid:5c2f1f5e-6b1c-4f5b-8d3a-0c1a2b3c4d5e"}}
    task = world.read("Task", accepted) | {"status": "completed", "output": [output]}
    entries = bundle(
        {
            "fullUrl": "urn:uuid:5c2f1f5e-6b1c-4f5b-8d3a-0c1a2b3c4d5e",
            "resource": procedure() | {"subject": to("Patient", of)},
            "request": {"method": "POST", "url": "Procedure"},
        },
        {"resource": task, "request": {"method": "PUT", "url": f"Task/{accepted}"}},
    )
    if of == "kim":
        with pytest.raises(Problem):
            world.writes.commit(entries, OUTSIDER, many=True)
        assert world.read("Task", accepted)["status"] == "accepted"
        return
    world.writes.commit(entries, OUTSIDER, many=True)
    [done] = [one for one in world.all("Procedure") if one["subject"] == to("Patient", "robin")]
    assert world.read("Task", accepted)["output"] == [activity(done["id"])]


def test_a_link_or_a_line_of_a_file_completes_with_what_was_done(world: World, accepted: str) -> None:
    Moving(world.writes, OUTSIDER).deliver(accepted, "Deposit paid (invented)", "2026-11-23")
    assert world.read("Task", accepted)["status"] == "completed"


@pytest.fixture
def over(world: World, accepted: str) -> str:
    world.deliver(accepted, OUTSIDER)
    return accepted


REWRITTEN = {
    "identifier": [{"system": "urn:invented", "value": "7"}],
    "lastModified": LATER,
    "authoredOn": "2026-11-01T00:00:00Z",
    "description": "Invented",
    "executionPeriod": {"start": "2026-11-01"},
    "restriction": {"period": {"end": "2031-01-01"}},
    "priority": "stat",
    "output": [],
    "owner": {"reference": HOUSE},
    "input": [{"type": {"text": "Invented"}, "valueString": "x"}],
    "_description": {"extension": [{"url": "urn:invented", "valueString": "x"}]},
}


@pytest.mark.parametrize("element", REWRITTEN)
@pytest.mark.parametrize("who", ["owner", "requester"])
def test_of_a_referral_that_is_over_nothing_is_rewritten(world: World, over: str, element: str, who: str) -> None:
    before, access = world.read("Task", over), OUTSIDER if who == "owner" else SHELTER_CLIENT
    with pytest.raises(Problem) as found:
        world.move(over, access, **{element: REWRITTEN[element] or None})
    assert found.value.kind == "business-rule"
    assert world.read("Task", over) == before


def test_nothing_else_comes_with_a_move_of_a_referral_that_is_over(world: World, over: str) -> None:
    with pytest.raises(Problem):
        world.move(over, SHELTER_CLIENT, status="entered-in-error", description="Invented")
    world.move(over, SHELTER_CLIENT, status="entered-in-error")


def test_notes_and_how_it_ended_follow_when_it_is_over(world: World, over: str) -> None:
    said = {"note": [{"text": "The key was handed over (invented)"}], "statusReason": {"text": "Invented"}}
    found = world.move(over, OUTSIDER, **said)
    assert {name: found[name] for name in said} == said


def test_a_load_brings_what_stands_elsewhere(world: World, over: str) -> None:
    found = world.move(over, SYSTEM, identifier=REWRITTEN["identifier"])
    assert found["identifier"] == REWRITTEN["identifier"]


NUMBERS = "https://plan.example/authorization"
NUMBER = {
    "type": {"coding": [{"system": "https://calaim-hub.example/fhir/CodeSystem/plan-authorization",
                         "code": "authorization-number"}]},
    "valueString": "A-17",
}  # fmt: skip


@pytest.fixture
def delivered(world: World) -> str:
    """The provider began and ended before the plan has decided."""
    service = Service("housing-deposits", "presumptive", (HOUSE,))
    world.rules = Rules(HUB, plans=(Plan(PLAN, NUMBERS, (service,)),))
    task = world.refer()
    world.work()
    [made] = world.children(task)
    world.move(made["id"], HOUSE_CLIENT, status="accepted")
    world.deliver(made["id"])
    world.work()
    assert step(world, task) == ("completed", "closed")
    return task


def test_the_plan_decides_also_when_the_provider_was_faster(world: World, delivered: str) -> None:
    [approval] = world.children(delivered, "approve")
    assert approval["status"] == "requested"
    world.later(days=1)
    world.authorize(delivered, output=[NUMBER])
    [approval] = world.children(delivered, "approve")
    assert approval["status"] == "accepted"
    assert step(world, delivered) == ("completed", "closed")
    [made] = world.children(delivered)
    assert made["identifier"] == [{"system": NUMBERS, "value": "A-17"}]
    assert "authorized" in {one["topic"]["coding"][0]["code"] for one in world.all("Communication")}


def test_a_denial_of_what_was_delivered_is_told_and_undoes_nothing(world: World, delivered: str) -> None:
    world.authorize(delivered, status="rejected", statusReason={"text": "Not a benefit (invented)"})
    assert step(world, delivered) == ("completed", "closed")
    assert "denied" in {one["topic"]["coding"][0]["code"] for one in world.all("Communication")}


def test_the_plans_clock_runs_until_it_decides_and_no_other_one_starts_then(world: World, delivered: str) -> None:
    def states() -> dict[str, str]:
        found = [one for one in world.all("Task") if one.get("intent") == "plan"]
        return {one["code"]["coding"][0]["code"]: one["meta"]["tag"][-1]["code"] for one in found}

    assert states() == {"authorization": "running"}
    world.later(days=30)
    world.work()
    assert states() == {"authorization": "escalated"}
    world.authorize(delivered)
    assert states() == {"authorization": "met-late"}


def test_what_is_taken_back_after_it_was_delivered_is_asked_of_nobody(world: World, delivered: str) -> None:
    world.move(delivered, SHELTER_CLIENT, status="entered-in-error")
    world.work()
    [approval] = world.children(delivered, "approve")
    assert approval["status"] == "cancelled"


def test_a_provider_that_was_asked_before_the_plan_decided_is_assigned_in_time(world: World) -> None:
    world.rules = presumptive(HOUSE)
    task = world.refer()
    world.work()
    world.later(days=1)
    world.authorize(task)
    named = {one["code"]["coding"][0]["code"] for one in world.all("Task") if one.get("intent") == "plan"}
    assert "assignment" not in named
