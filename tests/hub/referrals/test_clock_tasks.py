"""Clocks as Tasks in the store: they start, pause, ring and stop by themselves, and a worker may die anywhere."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub import clock as real_clock
from hub import outbox
from hub.fhir.systems import CLOCK_STATE, PROGRAM, REFERRAL_CLOCK
from hub.problems import Problem
from hub.referrals.terms import concept
from hub.search.query import Limits, parse
from hub.store import read
from hub.transactions import single
from tests.hub.referrals.world import (
    HOUSE,
    HOUSE_CLIENT,
    PLAN,
    PLAN_CLIENT,
    RULES,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    request,
    to,
)

WHY = {"text": "Waits for the member's papers"}


def clocks(world: World, state: str = "") -> dict[str, dict[str, Any]]:
    """The clocks by name; those that a search for a tag finds."""
    asked = [("code", f"{REFERRAL_CLOCK}|"), *([("_tag", f"{CLOCK_STATE}|{state}")] if state else [])]
    query = parse("Task", asked, Limits())
    with world.database.read() as connection:
        rows = read.page(connection, SYSTEM, query, (), 50)
    found = [world.read("Task", row.id) for row in rows]
    return {one["code"]["coding"][0]["code"]: one for one in found}


def state(world: World, name: str = "authorization") -> list[str]:
    return [tag["code"] for tag in clocks(world)[name]["meta"]["tag"]]


def test_the_plan_has_five_working_days_and_a_search_finds_what_is_due_and_late(world: World) -> None:
    task = world.refer()
    world.work()
    clock = clocks(world, "running")["authorization"]
    assert clock["focus"] == to("Task", task)
    assert clock["owner"] == {"reference": PLAN}
    # Monday 23 November; Thanksgiving and the day after are none
    assert clock["restriction"]["period"]["end"] == "2026-12-03T08:00:00.000000Z"
    world.later(days=8, hours=23)
    world.work()
    assert list(clocks(world, "due")) == ["authorization"]
    assert clocks(world, "late") == {}
    world.later(days=1)
    world.work()
    assert list(clocks(world, "late")) == ["authorization"]
    world.later(days=1)
    world.work()
    assert list(clocks(world, "escalated")) == ["authorization"]
    assert state(world) == ["due", "late", "escalated"]


def test_an_urgent_request_has_72_hours(world: World) -> None:
    world.refer(priority="urgent")
    world.work()
    assert set(clocks(world)) == {"authorization-expedited"}
    assert clocks(world)["authorization-expedited"]["restriction"]["period"]["end"].startswith("2026-11-26T17:00:0")


def test_a_request_that_is_urgent_makes_its_task_urgent(world: World) -> None:
    world.have(request(priority="stat") | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    assert set(clocks(world)) == {"authorization-expedited"}
    [approval] = world.children(task, "approve")
    assert approval["priority"] == "stat"


def test_a_decision_stops_the_clock_and_starts_the_next_one(world: World) -> None:
    task = world.refer()
    world.work()
    world.later(days=1)
    world.authorize(task)
    assert state(world) == ["met"]
    assert clocks(world)["authorization"]["status"] == "completed"
    assert clocks(world)["assignment"]["status"] == "completed"


def test_a_referral_without_a_provider_keeps_the_assignment_clock_running(world: World) -> None:
    world.have(request(performer=None) | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    assert state(world, "assignment") == ["running"]
    world.later(days=18)
    world.work()
    assert state(world, "assignment") == ["due", "late", "escalated"]


def test_a_hold_pauses_the_clock_and_the_days_of_it_are_not_counted(world: World) -> None:
    task = world.refer()
    world.work()
    world.move(task, SHELTER_CLIENT, status="on-hold", statusReason=WHY)
    world.work()
    clock = clocks(world, "paused")["authorization"]
    assert (clock["status"], clock["statusReason"]) == ("on-hold", WHY)
    assert "end" not in clock["restriction"]["period"]
    world.later(days=30)
    world.work()
    assert state(world) == ["paused"]
    world.move(task, SHELTER_CLIENT, status="requested", statusReason=None)
    world.work()
    # from Tuesday 24 November until Tuesday 22 December it stood still, on Wednesday 23 it runs
    assert clocks(world, "running")["authorization"]["restriction"]["period"]["end"].startswith("2026-12-31T08:00")


def test_a_closed_loop_stops_all_clocks_and_none_rings_afterwards(world: World) -> None:
    task = world.refer()
    world.work()
    world.move(task, SHELTER_CLIENT, status="cancelled", statusReason=WHY)
    world.work()
    world.later(days=60)
    world.work()
    assert clocks(world, "late") == {}
    assert {one["status"] for one in clocks(world).values()} == {"completed"}


def test_a_worker_that_was_away_for_days_finds_what_is_late_at_once(world: World) -> None:
    world.refer()
    world.work()
    world.later(days=40)
    world.work()
    assert state(world) == ["due", "late", "escalated"]


def test_an_alarm_that_is_asked_for_too_early_is_not_forgotten(world: World) -> None:
    """As after a clock that was set forward and back: all waiting work is due at once."""
    in_a_year = real_clock.micros(real_clock.now() + timedelta(days=365))
    world.refer()
    world.work()
    world.database.writing(lambda connection: outbox.release(connection, in_a_year))
    world.work()
    world.later(days=12)
    world.work()
    assert "late" in state(world)


def test_the_same_work_done_twice_writes_nothing_twice(world: World) -> None:
    task = world.refer()
    world.work()
    before = {one["id"]: one["meta"]["versionId"] for one in world.all("Task")}
    for _ in range(3):
        world.handlers["referral"](_work(task))
    assert {one["id"]: one["meta"]["versionId"] for one in world.all("Task")} == before


def _work(task: str) -> Any:
    from hub.outbox import Work

    return Work(0, "referral", "again", {"task": task}, 1, 0)


def test_a_clock_opens_no_record(world: World) -> None:
    """Its owner is not thereby related to the member."""
    world.have(request(performer=None) | {"id": "asked"})
    contract = {
        "name": "acceptance", "meaning": "The house answers", "start": ["requested"], "source": "Contract",
        "stop": ["provider-accepted", "closed"], "length": 3, "unit": "days", "acts": "provider",
    }  # fmt: skip
    world.at = real_clock.now() - timedelta(hours=1)  # relations count by the real time
    world.rules = replace(RULES, tables={"clock": (contract,)})
    made = world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": HOUSE})
    world.work()
    assert clocks(world)["acceptance"]["owner"] == {"reference": HOUSE}
    with world.database.read() as connection:
        assert read.current(connection, HOUSE_CLIENT, "Patient", "robin")
    world.move(made, HOUSE_CLIENT, status="rejected", statusReason=WHY)
    with world.database.read() as connection:
        assert read.current(connection, HOUSE_CLIENT, "Patient", "robin") is None


def test_clocks_are_written_by_the_hub_alone(world: World) -> None:
    world.refer()
    world.work()
    clock = clocks(world)["authorization"]
    for entry in (
        single("PUT", "Task", id=clock["id"], resource={**clock, "status": "completed"}),
        single("DELETE", "Task", id=clock["id"]),
    ):
        with pytest.raises(Problem) as error:
            world.writes.commit([entry], SHELTER_CLIENT)
        assert error.value.status == 422
    made = {name: value for name, value in clock.items() if name not in ("id", "meta")}
    with pytest.raises(Problem):
        world.writes.commit([single("POST", "Task", resource=made)], SHELTER_CLIENT)


def test_a_guarded_referral_has_guarded_clocks(world: World) -> None:
    guarded = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}]}
    world.have(request() | {"id": "asked", "meta": guarded})
    world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    assert "SUD" in str(clocks(world)["authorization"]["meta"]["security"])


def test_ecm_has_the_clocks_of_ecm(world: World) -> None:
    asked = request(code=concept(PROGRAM, "ecm"), replaces=[to("ServiceRequest", "before")])
    world.have(asked | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    assert set(clocks(world)) == {"authorization", "assignment", "pcp-notice", "provider-change", "reassessment"}
    assert clocks(world)["reassessment"]["restriction"]["period"]["end"].startswith("2027-05-24T07:00")


def test_an_assessment_starts_the_six_months_anew(world: World) -> None:
    world.have(request(code=concept(PROGRAM, "ecm")) | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    world.later(days=100)
    from hub.fhir.systems import ASSESSMENT, REPORTED

    world.have(
        {"resourceType": "Procedure", "id": "assessed", "status": "completed", "subject": to("Patient", "robin"),
         "code": concept(REPORTED, ASSESSMENT), "performedDateTime": "2027-03-01"}
    )  # fmt: skip
    world.work()
    ends = sorted(
        one["restriction"]["period"]["end"][:10]
        for one in world.all("Task")
        if one["code"]["coding"][0]["code"] == "reassessment"
    )
    assert ends == ["2027-05-24", "2027-09-02"]


def test_a_plan_that_is_asked_directly_has_the_same_time(world: World) -> None:
    world.have(request() | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": PLAN})
    world.work()
    assert clocks(world, "running")["authorization"]["focus"] == to("Task", task)
    assert world.children(task) == []
    world.move(task, replace(SYSTEM, source=PLAN), status="accepted")
    world.work()
    assert state(world) == ["met"]
    assert read_by(world, PLAN_CLIENT, clocks(world)["authorization"]["id"])


def read_by(world: World, client: Any, identity: str) -> bool:
    with world.database.read() as connection:
        return read.current(connection, client, "Task", identity) is not None
