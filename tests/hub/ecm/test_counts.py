"""The counts of a quarter, each measure by its definition."""

from dataclasses import replace
from typing import Any

import pytest

from hub.ecm.attempts import Attempt
from hub.ecm.counts import Enrolled, Quarter, Span, counts
from hub.ecm.tally import Tally
from hub.problems import Problem
from hub.sight import NOTHING
from tests.hub.ecm.world import BASE, ECM, OTHER, SYSTEM, World, because, enrolment, message, to, visit
from tests.hub.ecm.world import LEAD as LEADS

QUARTER = Quarter("2026-07-01", "2026-09-30")
TRIED = Attempt("2026-07-06", "telephonic", False, 10, "", "Organization/ecm")


def counted(*enrolled: Enrolled, attempts: Any = ()) -> dict[tuple[str, str], str]:
    return {(measure, by): count for measure, by, count in counts(QUARTER, enrolled, attempts)}


def robin(*spans: tuple[str, str, str], reason: str = "not said") -> Enrolled:
    return Enrolled("robin", tuple(Span(*span) for span in spans), reason)


@pytest.mark.parametrize("text", ["2026", "2026Q5", "2026Q0", "Q3", "2026Q3 ", "١٢٣٤Q1"])
def test_a_quarter_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="2026Q3"):
        Quarter.of(text)


def test_a_quarter_has_its_days() -> None:
    assert [Quarter.of(f"2028Q{each}") for each in (1, 2, 3, 4)] == [
        Quarter("2028-01-01", "2028-03-31"),
        Quarter("2028-04-01", "2028-06-30"),
        Quarter("2028-07-01", "2028-09-30"),
        Quarter("2028-10-01", "2028-12-31"),
    ]


@pytest.mark.parametrize(
    ("span", "targeted"),
    [
        (("planned", "2026-01-01", ""), "1"),
        (("waitlist", "2026-01-01", "2026-07-01"), "1"),
        (("planned", "2026-09-30", ""), "1"),
        (("planned", "2026-01-01", "2026-06-30"), "0"),
        (("planned", "2026-10-01", ""), "0"),
        (("active", "2026-01-01", ""), "0"),
    ],
)
def test_who_is_targeted(span: tuple[str, str, str], targeted: str) -> None:
    assert counted(robin(span))["individuals targeted for ECM", ""] == targeted


def test_a_member_counts_once_an_attempt_each_time() -> None:
    two = (robin(("planned", "2026-07-01", "")), robin(("planned", "2026-08-01", "")))
    found = counted(*two, attempts=[("robin", TRIED), ("robin", TRIED), ("kim", replace(TRIED, met=True))])
    assert found["individuals targeted for ECM", ""] == "2"  # who is reached out to is targeted
    assert found["individuals with at least one outreach attempt", ""] == "2"
    assert (found["outreach attempts", ""], found["outreach attempts", "telephonic"]) == ("3", "3")
    assert (found["successful outreach attempts", ""], found["hours of outreach", ""]) == ("1", "0.50")


@pytest.mark.parametrize(
    ("day", "attempts"), [("2026-07-10", "1"), ("2026-07-11", "0"), ("2026-08-01", "0"), ("2026-08-02", "1")]
)
def test_attempts_are_prior_to_enrollment(day: str, attempts: str) -> None:
    spans = (("planned", "2026-07-01", "2026-07-10"), ("active", "2026-07-10", "2026-07-20"),
             ("onhold", "2026-07-20", "2026-08-01"), ("finished", "2026-08-01", ""))  # fmt: skip
    found = counted(robin(*spans), attempts=[("robin", replace(TRIED, day=day))])
    assert found["outreach attempts", ""] == attempts


@pytest.mark.parametrize("day", ["2026-06-30", "2026-10-01", ""])
def test_other_quarters_do_not_count(day: str) -> None:
    assert counted(attempts=[("robin", replace(TRIED, day=day))])["outreach attempts", ""] == "0"


def test_what_nobody_says_is_counted_as_such() -> None:
    found = counted(attempts=[("robin", Attempt("2026-07-06", "", None, None, "", ""))])
    assert found["outreach attempts", "not said"] == "1"
    assert found["successful outreach attempts", "not said"] == "1"
    assert found["attempts without a time", "not said"] == "1"
    assert ("attempts without a time", "not said") not in counted(attempts=[("robin", TRIED)])


def test_discontinued_is_a_member_with_its_reasons() -> None:
    ended = ("finished", "2026-08-01", "")
    of_the_list = robin(ended)  # the plan took the member back, and says no reason
    found = counted(of_the_list, robin(ended, reason="goals-met"), robin(("finished", "2026-06-01", "")))
    assert found["members discontinued from ECM", ""] == "1"
    assert found["members discontinued from ECM", "goals-met"] == "1"
    assert ("members discontinued from ECM", "not said") not in found
    never = counted(robin(("planned", "2026-07-01", "2026-08-01"), ("cancelled", "2026-08-01", "")))
    assert never["members discontinued from ECM", ""] == "0"


def rows(world: World, access: Any = SYSTEM, organization: str = "") -> dict[tuple[str, str], str]:
    with world.database.read() as connection:
        found = Tally(connection, access, BASE).rows(QUARTER, organization)
    return {(measure, by): count for measure, by, count in found}


def test_a_tally_is_of_what_is_stored(world: World) -> None:
    made = world.post(ECM, enrolment(period={"start": "2026-06-01"}))
    world.post(ECM, message())
    world.post(ECM, visit(length={"value": 20, "code": "min", "system": "http://unitsofmeasure.org"}))
    world.post(OTHER, message(sender=to("Organization", "other"), subject=to("Patient", "kim")))
    world.post(SYSTEM, message("2026-06-30"))
    world.move(made, status="active", **LEADS)
    world.move(made, status="finished", **because("goals-met"))
    found = rows(world)
    assert (found["individuals targeted for ECM", ""], found["outreach attempts", ""]) == ("2", "3")
    assert (found["members enrolled in ECM", ""], found["members discontinued from ECM", "goals-met"]) == ("1", "1")
    ours = rows(world, organization="Organization/ecm")
    assert (ours["individuals targeted for ECM", ""], ours["outreach attempts", ""]) == ("1", "2")
    assert ours["attempts without a time", "not said"] == "1"


def test_what_the_caller_may_not_see_is_not_counted(world: World) -> None:
    world.post(ECM, message(meta={"security": [{"system": LABEL, "code": "PSY"}]}))
    world.post(ECM, message())
    guarded = replace(OTHER, sight=replace(OTHER.sight, guarded=-1))
    assert rows(world, guarded)["outreach attempts", ""] == "1"
    assert rows(world, replace(OTHER, sight=NOTHING))["outreach attempts", ""] == "0"
    with pytest.raises(Problem) as error:
        rows(world, replace(OTHER, grants=frozenset()))
    assert error.value.kind == "forbidden"


LABEL = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
