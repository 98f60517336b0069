"""A clock explains itself, to who may read it."""

from typing import Any

import pytest

from hub.operations.call import Engines
from hub.problems import Problem
from hub.referrals.assembly import clockwork
from hub.referrals.explain import explainer
from hub.referrals.measures import counts
from tests.hub import asking
from tests.hub.asking import refused
from tests.hub.referrals.test_clock_tasks import clocks
from tests.hub.referrals.world import BASE, OUTSIDER, SHELTER_CLIENT, World, caller
from tests.hub.sighted import api_of


def told(world: World, clock: dict[str, Any]) -> dict[str, list[Any]]:
    """The values by name."""
    explain = explainer(clockwork(world.rules, BASE))
    with world.database.read() as connection:
        said = explain(connection, clock, world.now())
    found: dict[str, list[Any]] = {}
    for part in said["parameter"]:
        found.setdefault(part["name"], []).append(next((v for k, v in part.items() if k != "name"), None))
    return found


def test_a_clock_tells_its_rule_what_it_left_out_and_what_it_counted(world: World) -> None:
    task = world.refer()
    world.work()
    world.move(task, SHELTER_CLIENT, status="on-hold", statusReason={"text": "Waits for papers"})
    world.later(days=10)
    world.move(task, SHELTER_CLIENT, status="requested", statusReason=None)
    world.later(days=3)
    world.work()
    said = told(world, clocks(world)["authorization"])
    assert said["rule"][0].startswith("CalAIM ECM Policy Guide 2021, section IX")
    assert said["start"] == ["2026-11-23T17:00:01.000000Z"]
    assert said["counted-day"] == ["2026-12-03", "2026-12-04"]
    assert said["due"] == ["2026-12-10T08:00:00.000000Z"]
    assert {"name": "reason", "valueString": "Waits for papers"} in said["pause"][0]
    [text] = said["text"]
    assert "2 of 5 business days were counted. It is due on 2026-12-10 00:00. It is running." in text
    assert "Robin" not in text


def test_a_clock_that_was_stopped_tells_by_what(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task)
    said = told(world, clocks(world)["authorization"])
    assert (said["state"], said["stopped-by"]) == (["met"], ["The plan authorized"])


def test_what_is_no_clock_explains_nothing(world: World) -> None:
    task = world.refer()
    world.work()
    with pytest.raises(Problem) as error:
        told(world, world.read("Task", task))
    assert error.value.status == 422


def test_who_reads_a_clock_may_ask_and_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.refer()
    world.work()
    clock = clocks(world)["authorization"]["id"]
    stranger = caller("Organization/stranger", "ehr", 1)
    callers = {"shelter": SHELTER_CLIENT, "clinic": OUTSIDER, "stranger": stranger}
    engines = Engines(clocks=explainer(clockwork(world.rules, BASE)))
    monkeypatch.setattr(asking, "operation_engines", lambda _: engines)
    api = api_of(world.database, callers, now=world.now)
    answer = api.as_("shelter").get(f"/Task/{clock}/$explain-clock")
    assert answer.status_code == 200, answer.text
    assert answer.json["resourceType"] == "Parameters"
    refused(api.as_("stranger").get(f"/Task/{clock}/$explain-clock"), 404, "not-found")


def test_clocks_are_counted_by_state(world: World) -> None:
    world.refer()
    world.refer(priority="urgent")
    world.work()
    assert counts(world.database) == {("authorization", "running"): 1, ("authorization-expedited", "running"): 1}
    world.later(days=60)
    world.work()
    assert counts(world.database)["authorization", "late"] == 1
