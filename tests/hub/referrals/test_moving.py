"""Moves as functions, for doors that are no FHIR API; what a deployment says of its referrals; the commands."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hub.problems import CannotStart, Problem
from hub.referrals.assembly import clockwork
from hub.referrals.commands import clocks_commands, referrals_commands
from hub.referrals.configuration import NONE, PRESUMPTIVE, REQUIRED, read_rules
from hub.referrals.moving import Moving
from tests.hub.referrals.test_clock_tasks import clocks
from tests.hub.referrals.test_coordination import child, step
from tests.hub.referrals.world import (
    BASE,
    HOUSE,
    HOUSE_CLIENT,
    OTHER_CLIENT,
    OTHER_HOUSE,
    PLAN,
    SHELTER_CLIENT,
    World,
    activity,
    procedure,
    request,
    to,
)


@pytest.fixture
def asked(world: World) -> str:
    world.have(request() | {"id": "asked"})
    return world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": HOUSE})


def test_whoever_answers_is_told_what_is_legal_and_moves(world: World, asked: str) -> None:
    world.have(procedure() | {"id": "done"})
    house = Moving(world.writes, HOUSE_CLIENT)
    assert [one.to for one in house.legal(asked)] == ["accepted", "rejected", "on-hold"]
    assert house.move(asked, "accepted")["status"] == "accepted"
    held = house.move(asked, "on-hold", "Waits for a flat")
    assert held["statusReason"] == {"text": "Waits for a flat"}
    assert "statusReason" not in house.move(asked, "in-progress")
    assert house.move(asked, "completed", output=[activity("done")])["status"] == "completed"
    assert house.legal(asked) == []


def test_a_move_as_a_function_is_refused_as_any_other(world: World, asked: str) -> None:
    with pytest.raises(Problem) as error:
        Moving(world.writes, HOUSE_CLIENT).move(asked, "rejected")
    assert error.value.issues[0].where == "Task.statusReason.text"
    with pytest.raises(Problem) as error:
        Moving(world.writes, OTHER_CLIENT).move(asked, "accepted")
    assert error.value.status == 404
    with pytest.raises(Problem) as error:
        Moving(world.writes, SHELTER_CLIENT).move("none", "cancelled", "Invented")
    assert error.value.status == 404


FILE = f"""
organization = "Organization/hub"
time_zone = "America/Los_Angeles"
holidays = ["2026-12-24", 2026-12-31]
[[plan]]
organization = "{PLAN}"
[[plan.service]]
service = "housing-deposits"
authorization = "presumptive"
providers = ["{HOUSE}"]
[[plan.service]]
service = "*"
authorization = "none"
"""


def test_a_deployment_says_which_plan_authorizes_what(tmp_path: Path) -> None:
    path = tmp_path / "referrals.toml"
    path.write_text(FILE)
    rules = read_rules(path, "Organization/api-plan")
    assert rules.plan_names == {PLAN, "Organization/api-plan"}
    assert [day.day for day in sorted(rules.holidays)] == [24, 31]
    assert rules.authorization_of(PLAN, "housing-deposits", HOUSE) == PRESUMPTIVE
    assert rules.authorization_of(PLAN, "housing-deposits", OTHER_HOUSE) == REQUIRED
    assert rules.authorization_of(PLAN, "recuperative-care", HOUSE) == NONE
    assert rules.authorization_of("Organization/api-plan", "housing-deposits", HOUSE) == REQUIRED


def test_without_a_file_nothing_is_coordinated(tmp_path: Path) -> None:
    rules = read_rules(tmp_path / "none.toml")
    assert (rules.organization, rules.plans) == ("", ())


@pytest.mark.parametrize(
    "wrong",
    [
        'organization = "hub"',
        'authorization = "perhaps"',
        "invented = 1",
        'time_zone = "Nowhere/City"',
        'holidays = ["soon"]',
        "plan = 1",
        '[[plan]]\norganization = "x"',
        f'[[plan]]\norganization = "{PLAN}"\n[[plan.service]]\nauthorization = "none"',
        f'[[plan]]\norganization = "{PLAN}"\n[[plan.service]]\nservice = "ecm"\nauthorization = "no"',
        "no toml",
    ],
)
def test_a_file_that_cannot_be_used_keeps_the_hub_from_starting(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "referrals.toml"
    path.write_text(wrong)
    with pytest.raises(CannotStart):
        read_rules(path)


@pytest.fixture
def console(world: World) -> Any:
    """`hub`, with these commands."""
    app = typer.Typer()
    rules = lambda: clockwork(world.rules, BASE)  # noqa: E731
    app.add_typer(clocks_commands(lambda: world.database, rules), name="clocks")
    app.add_typer(referrals_commands(lambda: world.database, lambda: world.writes), name="referrals")
    return lambda *words: CliRunner().invoke(app, list(words))


def test_what_waits_for_a_person_is_listed_and_a_person_assigns(world: World, console: Any) -> None:
    world.rules = replace(world.rules, authorization=NONE)
    world.have(request(performer=None) | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    listed = console("referrals", "waiting").output
    assert f"Task/{task}" in listed
    assert "awaiting-provider" in listed
    assert console("referrals", "assign", f"Task/{task}", HOUSE).exit_code == 0
    world.work()
    assert child(world, task)["owner"] == {"reference": HOUSE}
    assert step(world, task) == ("requested", "awaiting-acceptance")
    assert f"Task/{task}" not in console("referrals", "waiting").output
    assert console("referrals", "assign", "Task/none", HOUSE).exit_code == 1
    assert console("referrals", "assign", f"Task/{task}", "Organization/nobody").exit_code == 1
    assert console("referrals", "assign", f"Task/{task}", "Patient/robin").exit_code == 1


def test_late_clocks_are_listed_counted_and_explained_without_names(world: World, console: Any) -> None:
    task = world.refer()
    world.work()
    assert f"Task/{task}" not in console("clocks", "list").output
    world.later(days=60)
    world.work()
    clock = clocks(world)["authorization"]["id"]
    assert f"Task/{clock}" in console("clocks", "list").output
    assert "authorization            late" in console("clocks", "counts").output
    told = console("clocks", "explain", f"Task/{clock}")
    assert "Policy Guide" in told.output
    assert "robin" not in told.output.lower()
    assert console("clocks", "list", "--state", "invented").exit_code == 2
    assert console("clocks", "explain", f"Task/{task}").exit_code == 1
