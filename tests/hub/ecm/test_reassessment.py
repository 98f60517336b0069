"""When an enrolled member is to be reassessed: a clock that the worker keeps, and that explains itself."""

from datetime import timedelta
from typing import Any

import pytest

from hub.ecm.explain import explainer_of_all
from hub.fhir.systems import CLOCK_STATE
from hub.problems import Problem
from hub.referrals.assembly import clockwork
from hub.referrals.configuration import Rules
from hub.transactions import single
from tests.hub.ecm.world import BASE, ECM, SYSTEM, World, assessment, because, care_plan, enrolment, to
from tests.hub.ecm.world import LEAD as LEADS

LABEL = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def ends(task: dict[str, Any]) -> str:
    return str(task["restriction"]["period"]["end"])


def states(task: dict[str, Any]) -> list[str]:
    return [tag["code"] for tag in task["meta"]["tag"] if tag["system"] == CLOCK_STATE]


@pytest.fixture
def enrolled(world: World) -> str:
    made = world.post(ECM, enrolment("active", **LEADS))
    world.work()
    return made


def test_an_enrolled_member_is_reassessed_within_six_months(world: World, enrolled: str) -> None:
    (task,) = world.clocks()
    assert (task["focus"], task["owner"]) == (to("EpisodeOfCare", enrolled), to("Organization", "ecm"))
    assert (ends(task), states(task)) == ("2027-01-07T08:00:00.000000Z", ["running"])
    world.later(days=155)
    world.work()
    assert states(world.clocks()[0]) == ["due"]
    world.later(days=31)
    world.work()
    assert states(world.clocks()[0]) == ["due", "late"]


def test_nobody_is_reassessed_who_is_not_enrolled(world: World) -> None:
    world.post(ECM, enrolment())
    world.post(ECM, assessment("2026-07-06"))
    world.work()
    assert world.clocks() == []


def test_an_assessment_starts_it_anew(world: World, enrolled: str) -> None:
    world.later(days=30)
    world.post(ECM, assessment("2026-08-05"))
    world.post(ECM, assessment("2026-08-04", status="in-progress"))
    world.work()
    first, second = world.clocks()
    assert (states(first), states(second)) == (["met"], ["running"])
    assert ends(second) == "2027-02-06T08:00:00.000000Z"


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2026-09-01", "2026-09-02T07:00:00.000000Z"),
        ("2027-06-01", "2027-01-07T08:00:00.000000Z"),  # six months at the latest
        ("2026-07-01", "2027-01-07T08:00:00.000000Z"),  # from before: done, or about another enrolment
    ],
)
def test_the_care_plan_says_an_earlier_day(world: World, enrolled: str, day: str, due: str) -> None:
    made = world.post(ECM, care_plan(day))
    world.work()
    assert [ends(one) for one in world.clocks()] == [due]
    world.put(ECM, {**world.read("CarePlan", made), "status": "revoked"})
    world.work()
    assert [ends(one) for one in world.clocks()] == ["2027-01-07T08:00:00.000000Z"]


def test_it_stands_still_while_the_enrolment_does_and_ends_with_it(world: World, enrolled: str) -> None:
    world.move(enrolled, status="onhold")
    world.work()
    assert states(world.clocks()[0]) == ["paused"]
    world.later(days=10)
    world.move(enrolled, status="active")
    world.work()
    assert ends(world.clocks()[0]) == "2027-01-16T08:00:00.000000Z"
    world.move(enrolled, status="finished", **because("goals-met"))
    world.work()
    assert (states(world.clocks()[0]), world.clocks()[0]["status"]) == (["met"], "completed")


def test_work_that_is_done_twice_writes_nothing_more(world: World, enrolled: str) -> None:
    world.work()
    version = world.clocks()[0]["meta"]["versionId"]
    world.put(ECM, {**world.read("EpisodeOfCare", enrolled), "team": [to("CareTeam", "theirs")]})
    world.work()
    assert world.clocks()[0]["meta"]["versionId"] == version


def test_a_clock_carries_the_labels_of_what_it_is_read_from(world: World, enrolled: str) -> None:
    assert "security" not in world.clocks()[0]["meta"]
    world.post(ECM, care_plan("2026-09-01", meta={"security": [{"system": LABEL, "code": "SUD"}]}))
    world.work()
    assert "SUD" in [one["code"] for one in world.clocks()[0]["meta"]["security"]]


def explained(world: World, task: dict[str, Any]) -> dict[str, Any]:
    explain = explainer_of_all(clockwork(Rules(), BASE))
    with world.database.read() as connection:
        return explain(connection, task, world.now() + timedelta(days=1))


def test_the_clock_explains_itself(world: World, enrolled: str) -> None:
    world.post(ECM, care_plan("2026-09-01"))
    world.work()
    (task,) = world.clocks()
    said = {one["name"]: one for one in explained(world, task)["parameter"]}
    assert said["rule"]["valueString"] == "The care plan of the member says the day"
    assert said["started-by"]["valueString"] == "The member was enrolled in ECM: its episode is active"
    world.writes.commit([single("DELETE", "EpisodeOfCare", id=enrolled)], SYSTEM)
    with pytest.raises(Problem):
        explained(world, task)
