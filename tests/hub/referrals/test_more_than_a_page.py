"""Searches for the parts of a referral are read to their end: one with many notices or clocks is like any other."""

import pytest

from hub.fhir.systems import CLOCK_STATE, REFERRAL_CLOCK
from hub.referrals import case
from hub.referrals.case import found
from hub.referrals.commands import _tagged
from hub.referrals.terms import NOTICE, concept
from tests.hub.referrals.world import BASE, World, to

MANY = 2 * case.PAGE + 5


@pytest.fixture
def busy(world: World) -> str:
    """A referral with more notices, clocks and coverages than a page has."""
    task = world.refer()
    world.work()
    common = {"status": "completed", "intent": "plan", "focus": to("Task", task), "for": to("Patient", "robin")}
    numbers = range(MANY)
    world.have(
        *(
            {
                "resourceType": "Task",
                "id": f"clock-{number}",
                "code": concept(REFERRAL_CLOCK, "authorization"),
                "meta": {"tag": [{"system": CLOCK_STATE, "code": "late"}]},
                **common,
            }
            for number in numbers
        ),
        *(
            {
                "resourceType": "Communication",
                "id": f"notice-{number}",
                "status": "completed",
                "sent": "2026-11-24T00:00:00Z",
                "topic": concept(NOTICE, "pcp"),
                "partOf": [to("Task", task)],
                "subject": to("Patient", "robin"),
            }
            for number in numbers
        ),
    )
    return task


def test_all_clocks_and_notices_of_a_referral_are_known(world: World, busy: str) -> None:
    with world.database.read() as connection:
        known = case.case_of(connection, busy, BASE)
        assert known
        assert len([one for one in known.clocks if one.id.startswith("clock-")]) == MANY
        assert len({one.id for one in known.notices if one.id.startswith("notice-")}) == MANY
        past = case.past_of(connection, known, BASE)
    assert len(past.told["pcp"]) == MANY


def test_a_list_of_what_is_late_has_all_of_it(world: World, busy: str) -> None:
    assert len(_tagged(world.database, "late")) == MANY


def test_the_first_so_many_are_the_first_so_many(world: World, busy: str) -> None:
    with world.database.read() as connection:
        assert len(found(connection, "Task", ("focus", f"Task/{busy}"), most=7)) == 7
