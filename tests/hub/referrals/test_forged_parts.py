"""What the hub believes of a referral is what it made itself: nobody puts a decision, a provider, a clock, a notice
or another member's request into it."""

from typing import Any

import pytest

from hub import outbox
from hub.fhir.systems import CLOCK_STATE, TASK_CODE
from hub.problems import Problem
from hub.referrals.steps import step_of
from hub.referrals.terms import NOTICE, concept
from hub.transactions import single
from tests.hub.referrals.test_coordination import assign
from tests.hub.referrals.world import (
    ACT,
    HOUSE_CLIENT,
    OTHER_HOUSE,
    OUTSIDER,
    SHELTER,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    panel,
    presumptive,
    referral,
    request,
    to,
)

CLINIC = "Organization/clinic"
AHEAD = "2031-01-01T00:00:00Z"


def write(world: World, access: Any, **said: Any) -> str:
    made = world.writes.commit([single("POST", "Task", resource=referral(**said))], access)
    assert made[0].stored
    return made[0].stored.id


@pytest.mark.parametrize("hub_first", [False, True])
def test_who_refers_authorizes_nothing_for_the_plan(world: World, hub_first: bool) -> None:
    task = world.refer()
    if hub_first:
        world.work()
    focus = world.read("Task", task)["focus"]
    part = {"partOf": [to("Task", task)], "focus": focus, "code": concept(TASK_CODE, "approve")}
    forged = write(world, SHELTER_CLIENT, owner={"reference": SHELTER}, **part)
    world.move(forged, SHELTER_CLIENT, status="accepted")
    world.work()
    assert step_of(world.read("Task", task)) == "awaiting-authorization"
    assert world.children(task) == []


def test_who_may_see_a_referral_delivers_nothing_for_its_provider(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task)
    focus = world.read("Task", task)["focus"]
    forged = write(
        world,
        OUTSIDER,
        partOf=[to("Task", task)],
        focus=focus,
        owner={"reference": CLINIC},
        requester={"reference": CLINIC},
        authoredOn="2031-01-01T00:00:00Z",
    )
    world.move(forged, OUTSIDER, status="accepted")
    world.work()
    found = world.read("Task", task)
    assert (found["status"], step_of(found)) == ("requested", "awaiting-acceptance")


def test_a_task_does_not_become_a_decision_that_was_made_before(world: World) -> None:
    task = world.refer()
    world.work()
    focus = world.read("Task", task)["focus"]
    plain = write(
        world, SHELTER_CLIENT, status="accepted", intent="plan", focus=focus, owner={"reference": SHELTER}
    )
    with pytest.raises(Problem) as refused:
        world.move(plain, SHELTER_CLIENT, intent="order", code=concept(TASK_CODE, "approve"))
    assert refused.value.kind == "business-rule"


def test_a_request_of_another_member_is_not_this_referrals(world: World) -> None:
    """The shelter has no part in Kim's record: it gets none by a referral of Robin that points there."""
    world.rules = presumptive()
    kim = {"resourceType": "Patient", "id": "kim"}
    theirs = {**request(subject=to("Patient", "kim")), "id": "of-kim", "note": [{"text": "Invented secret"}]}
    world.have(kim, {**panel("clinic"), "id": "panel-kim", "member": [{"entity": to("Patient", "kim")}]}, theirs)
    try:
        task = world.refer(focus=to("ServiceRequest", "of-kim"))
    except Problem:
        return
    world.work()
    assert step_of(world.read("Task", task)) == "awaiting-request"
    assert [one["id"] for one in world.all("ServiceRequest")] == ["of-kim"]


@pytest.mark.parametrize("state", ["due", "late"])
def test_nobody_says_of_a_task_that_it_is_late_by_the_hubs_clocks(world: World, state: str) -> None:
    tagged = {"meta": {"tag": [{"system": CLOCK_STATE, "code": state}]}, "intent": "plan", "code": None}
    with pytest.raises(Problem) as refused:
        write(world, SHELTER_CLIENT, focus=None, **tagged)
    assert refused.value.kind == "business-rule"
    with pytest.raises(Problem):
        world.refer(meta=tagged["meta"])


def test_what_was_done_stays_with_a_referral_that_is_completed(world: World) -> None:
    task = world.refer(owner={"reference": CLINIC})
    world.move(task, OUTSIDER, status="accepted")
    world.deliver(task, OUTSIDER)
    with pytest.raises(Problem) as refused:
        world.move(task, OUTSIDER, output=None)
    assert refused.value.kind == "business-rule"


def test_one_referral_that_fails_costs_its_members_other_referrals_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        world.refer()
    first, second = [one["id"] for one in world.all("Task")]
    handler: Any = world.handlers["referral"]
    settled, seen = type(handler)._settled, []

    def poisoned(self: Any, identity: str) -> Any:
        seen.append(identity)
        if identity == first:
            raise ValueError("an invented fault")
        return settled(self, identity)

    monkeypatch.setattr(type(handler), "_settled", poisoned)
    with pytest.raises(ValueError, match="invented"):
        handler(outbox.Work(1, "referral", "Procedure/x|1", {"about": "Patient/robin"}, 1, 0))
    assert set(seen) == {first, second}
    assert step_of(world.read("Task", second)) == "awaiting-authorization"


def test_a_reason_that_the_plan_guards_is_told_guarded(world: World) -> None:
    task = world.refer()
    world.work()
    [approval] = world.children(task, "approve")
    guarded = {"security": [{"system": ACT, "code": "SUD"}]}
    why = {"text": "An invented reason about substance use"}
    world.move(approval["id"], SYSTEM, status="rejected", statusReason=why, meta=guarded)
    world.work()
    told = [one for one in world.all("Communication") if why["text"] in str(one)]
    assert told
    for one in (*told, world.read("Task", task)):
        assert "SUD" in str(one["meta"].get("security")), one["resourceType"]


def test_a_notice_is_the_hubs_own_and_whoever_delivers_it_says_that_it_has_left(world: World) -> None:
    """A forged one would be mailed, and would stop the clock of who must be told."""
    forged = {
        "resourceType": "Communication",
        "status": "completed",
        "sent": "2026-11-23T17:00:00Z",
        "subject": to("Patient", "robin"),
        "topic": concept(NOTICE, "pcp"),
    }
    with pytest.raises(Problem) as refused:
        world.writes.commit([single("POST", "Communication", resource=forged)], SHELTER_CLIENT)
    assert refused.value.kind == "business-rule"
    world.authorize(_asked(world))
    made = next(one for one in world.all("Communication") if one["recipient"] == [{"reference": SHELTER}])
    left = made | {"status": "completed", "sent": "2026-11-24T17:00:00Z"}
    world.writes.commit([single("PUT", "Communication", id=made["id"], resource=left)], SHELTER_CLIENT)
    assert world.read("Communication", made["id"])["status"] == "completed"


def _asked(world: World) -> str:
    task = world.refer()
    world.work()
    return task


def test_a_provider_that_declined_does_not_become_the_last_one_that_was_asked(world: World) -> None:
    task = _asked(world)
    world.authorize(task)
    [first] = world.children(task)
    world.move(first["id"], HOUSE_CLIENT, status="rejected", statusReason={"text": "Invented: no room"})
    world.work()
    assign(world, task, OTHER_HOUSE)
    world.move(first["id"], SYSTEM, authoredOn=AHEAD, lastModified=AHEAD)
    world.work()
    assert step_of(world.read("Task", task)) == "awaiting-acceptance"
