"""What is due, late and escalated is found by a search, by whoever may see the clock, or a part of it."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.capability_statement import _parameters
from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import CLOCK_STATE, REFERRAL_CLOCK
from hub.leaving import leaving
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.order import sorted_page
from tests.hub.referrals.world import BASE, HOUSE, HOUSE_CLIENT, OTHER_CLIENT, SYSTEM, World

TASK = frozenset(("status", "code", "focus", "for", "owner", "restriction"))
STATE = f"{CLOCK_STATE}|late"


def shown_part(access: Access, elements: frozenset[str] = TASK) -> Access:
    """As a role that is shown some elements of a Task, as ilos-provider is."""
    return replace(access, sight=replace(access.sight, elements={"Task": elements}))


def found(world: World, access: Access, *asked: tuple[str, str]) -> list[dict[str, Any]]:
    """The bodies of what a search finds, as they leave."""
    query = parse("Task", list(asked), Limits())
    with world.database.read() as connection:
        rows = read.page(connection, access, query, (), 50)
        return [json.stored(row.body or b"{}") for row in leaving(connection, access, rows, BASE).rows]


@pytest.fixture
def late(world: World) -> str:
    """A clock of the provider's that is late: it has had an ECM member for seven months."""
    world.have(
        {
            "resourceType": "Task",
            "id": "clock",
            "meta": {"tag": [{"system": CLOCK_STATE, "code": "late"}, {"system": "urn:invented", "code": "x"}]},
            "status": "in-progress",
            "intent": "plan",
            "code": {"coding": [{"system": REFERRAL_CLOCK, "code": "reassessment"}]},
            "for": {"reference": "Patient/robin"},
            "owner": {"reference": HOUSE},
            "restriction": {"period": {"start": "2026-05-01T00:00:00Z", "end": "2026-11-01T07:00:00Z"}},
        }
    )
    return world.refer(owner={"reference": HOUSE})


def test_who_is_shown_a_part_of_a_task_finds_its_late_clock_and_sees_how_it_stands(world: World, late: str) -> None:
    house = shown_part(HOUSE_CLIENT)
    [clock] = found(world, house, ("_tag", STATE), ("owner", HOUSE))
    tags = [(one.get("system"), one["code"]) for one in clock["meta"]["tag"]]
    assert (CLOCK_STATE, "late") in tags
    assert not any(system == "urn:invented" for system, _ in tags)
    assert found(world, shown_part(OTHER_CLIENT), ("_tag", STATE)) == []


@pytest.mark.parametrize(
    "asked",
    [
        ("_tag", "urn:invented|x"),
        ("_tag", "late"),
        ("_tag", f"{STATE},x"),
        ("_tag:missing", "true"),
        ("_tag:not", STATE),
        ("_source", "x"),
    ],
)
def test_other_tags_tell_where_it_came_from_and_are_not_searched_by(
    world: World, late: str, asked: tuple[str, str]
) -> None:
    with pytest.raises(Problem) as refused:
        found(world, shown_part(HOUSE_CLIENT), asked)
    assert refused.value.kind == "forbidden"


@pytest.mark.parametrize(
    ("when", "is_found"),
    [("lt2026-11-02", True), ("gt2026-11-02", False), ("le2026-11-01T07:00:00Z", True), ("lt2026-10-31", False)],
)
def test_a_search_finds_what_is_due_until_then(world: World, late: str, when: str, is_found: bool) -> None:
    for access in (SYSTEM, shown_part(HOUSE_CLIENT)):
        rows = found(world, access, ("due", when), ("code", f"{REFERRAL_CLOCK}|"))
        assert [one["id"] for one in rows] == (["clock"] if is_found else [])


def test_who_is_not_shown_when_a_task_is_due_does_not_search_by_it(world: World, late: str) -> None:
    with pytest.raises(Problem) as refused:
        found(world, shown_part(HOUSE_CLIENT, TASK - {"restriction"}), ("due", "lt2030"))
    assert refused.value.kind == "forbidden"


def test_clocks_are_sorted_by_when_they_are_due(world: World, late: str) -> None:
    world.refer()
    world.work()
    query = parse("Task", [("code", f"{REFERRAL_CLOCK}|"), ("_sort", "due")], Limits())
    with world.database.read() as connection:
        rows = sorted_page(connection, query.granted(SYSTEM), (), 50).rows
    ends = [json.stored(row.body or b"{}")["restriction"]["period"]["end"] for row in rows]
    assert len(ends) == 2
    assert ends == sorted(ends)


def test_the_capability_statement_says_where_the_parameter_is_defined() -> None:
    [due] = [one for one in _parameters("Task") if one["name"] == "due"]
    assert due["definition"] == "https://calaim-hub.example/fhir/SearchParameter/Task-due"
    assert due["type"] == "date"
