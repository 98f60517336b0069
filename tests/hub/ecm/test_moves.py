"""Which moves an enrolment makes: the table, who may, what each brings, and every way in which it is written."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hub.ecm.moves import HUB, LEAD, MOVES, PROVIDER, REASON, SAID, TABLE, WHERE, issues
from hub.ecm.moves_page import page
from hub.ecm.terms import ENGAGEMENT_EXTENSION, STATUSES
from hub.problems import Problem
from hub.transactions import single
from tests.hub.ecm.world import ECM, OTHER, SYSTEM, World, because, enrolment, to
from tests.hub.ecm.world import LEAD as LEADS

DOCS = Path(__file__).parents[3] / "docs"
ALL = {**LEADS, **because("goals-met")}
AT_ONCE = "2026-07-06T10:00:00.000000-07:00"


def test_the_page_of_moves_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m hub.ecm.moves_page > docs/ecm-moves.md"""
    assert (DOCS / "ecm-moves.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("party", [PROVIDER, HUB])
def test_a_party_makes_the_moves_of_its_rows_and_no_others(party: str) -> None:
    for source, status in product(STATUSES, STATUSES):
        row = TABLE.move(source, status)
        if source != status:
            found = issues(enrolment(source, **ALL), enrolment(status, **ALL), [party])
            assert bool(found) == (row is None or party not in row.who), (source, status)


def test_an_illegal_move_names_the_legal_ones() -> None:
    [issue] = issues(enrolment("finished"), enrolment("active"), [PROVIDER])
    assert issue.message.endswith("becomes active by hub only. Legal for provider: entered-in-error")


@pytest.mark.parametrize("row", [row for row in MOVES if row.needs], ids=lambda row: f"{row.source}-{row.to}")
def test_a_move_brings_what_its_row_needs(row: Any) -> None:
    found = issues(enrolment(row.source), enrolment(row.to), [PROVIDER])
    assert [one.where for one in found] == [WHERE[need] for need in row.needs]
    assert all(SAID[need] in one.message for need, one in zip(row.needs, found, strict=True))
    assert issues(enrolment(row.source), enrolment(row.to), [HUB]) == []


def test_what_a_status_needed_and_had_stays() -> None:
    active = enrolment("active", **LEADS)
    assert [one.where for one in issues(active, enrolment("active"), [PROVIDER])] == [WHERE[LEAD]]
    ended = enrolment("finished", **because("goals-met"))
    assert [one.where for one in issues(ended, enrolment("finished"), [PROVIDER])] == [WHERE[REASON]]
    by_a_file = enrolment("active")  # without a lead care manager: nobody has to know one to write it on
    assert issues(by_a_file, by_a_file, [PROVIDER]) == []


def test_a_lower_level_of_care_is_named(world: World) -> None:
    made = world.post(ECM, enrolment("active", **LEADS))
    with pytest.raises(Problem) as error:
        world.move(made, status="finished", **because("lower-level"))
    assert (error.value.status, "lower-level-of-care-management" in str(error.value)) == (422, True)
    ended = world.move(made, status="finished", **because("lower-level", "Complex case management"))
    assert ended["period"] == {"end": "2026-07-06"}


def test_a_reason_that_nobody_configured_is_refused(world: World) -> None:
    made = world.post(ECM, enrolment("active", **LEADS))
    with pytest.raises(Problem) as error:
        world.move(made, status="finished", **because("moved-to-the-moon"))
    assert error.value.issues[0].kind == "code-invalid"
    assert world.move(made, SYSTEM, status="finished", **because("moved-to-the-moon"))["status"] == "finished"


def test_who_is_not_the_provider_writes_no_enrolment(world: World) -> None:
    made = world.post(ECM, enrolment("active", **LEADS))
    for said in ({"status": "finished", **because("goals-met")}, {"team": [to("CareTeam", "theirs")]}):
        with pytest.raises(Problem) as error:
            world.move(made, OTHER, **said)
        assert error.value.status == 422
    with pytest.raises(Problem):
        world.post(OTHER, enrolment())
    assert world.read("EpisodeOfCare", made)["status"] == "active"


@pytest.mark.parametrize(
    "said",
    [
        {"managingOrganization": to("Organization", "other")},
        {"patient": to("Patient", "kim")},
        {"type": [{"text": "something else"}]},
        {"identifier": [{"value": "another"}]},
    ],
    ids=lambda said: next(iter(said)),
)
def test_an_enrolment_stays_the_one_that_it_is(world: World, said: dict[str, Any]) -> None:
    made = world.post(ECM, enrolment(identifier=[{"value": "of the plan's list"}]))
    with pytest.raises(Problem) as error:
        world.move(made, **said)
    assert (error.value.status, error.value.issues[0].where) == (422, f"EpisodeOfCare.{next(iter(said))}")


def test_an_enrolment_is_not_deleted_by_a_client(world: World) -> None:
    made = world.post(ECM, enrolment())
    with pytest.raises(Problem) as error:
        world.writes.commit([single("DELETE", "EpisodeOfCare", id=made)], ECM)
    assert (error.value.status, "cancelled" in str(error.value)) == (422, True)
    world.writes.commit([single("DELETE", "EpisodeOfCare", id=made)], SYSTEM)


def test_other_episodes_keep_no_such_rule(world: World) -> None:
    shelter = {**enrolment("finished"), "type": [{"text": "A stay in a shelter"}]}
    made = world.post(OTHER, shelter)
    assert "statusHistory" not in world.move(made, OTHER, status="active")


def history(episode: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = ((one["status"], one["period"]) for one in episode["statusHistory"])
    return [(status, span["start"], span.get("end", "")) for status, span in found]


def test_the_hub_keeps_the_history_of_the_status(world: World) -> None:
    made = world.post(ECM, enrolment(period={"start": "2026-07-01"}))
    world.later(days=1)
    world.move(made, status="active", **LEADS, statusHistory=None)
    world.later(days=1)
    forged = [{"status": "active", "period": {"start": "2020-01-01"}}]
    active = world.move(made, statusHistory=forged, **LEADS)
    assert history(active) == [
        ("planned", "2026-07-01", "2026-07-07T10:00:00.000000-07:00"),
        ("active", "2026-07-07T10:00:00.000000-07:00", ""),
    ]


@pytest.mark.parametrize(("since", "kept"), [("2026-07-03", True), ("2026-06-30", False), ("2026-07-07", False)])
def test_a_client_says_since_when_as_far_as_that_can_be(world: World, since: str, kept: bool) -> None:
    made = world.post(ECM, enrolment(period={"start": "2026-07-01"}))
    said = [*world.read("EpisodeOfCare", made)["statusHistory"], {"status": "active", "period": {"start": since}}]
    now = history(world.move(made, status="active", statusHistory=said, **LEADS))
    assert now[-1] == ("active", since if kept else AT_ONCE, "")


def test_a_new_enrolment_brings_its_past_along(world: World) -> None:
    past = [
        {"status": "planned", "period": {"start": "2026-05-01", "end": "2026-06-01"}},
        {"status": "active", "period": {"start": "2026-06-01"}},
    ]
    made = world.post(ECM, enrolment("active", statusHistory=past, **LEADS))
    assert history(world.read("EpisodeOfCare", made))[1] == ("active", "2026-06-01", "")
    broken = [{"status": "planned", "period": {"start": "2026-05-01"}}]
    made = world.post(ECM, enrolment("active", statusHistory=broken, **LEADS))
    assert history(world.read("EpisodeOfCare", made)) == [("active", AT_ONCE, "")]


def of_the_list(**parts: Any) -> dict[str, Any]:
    """What the plan's list says of Robin each month."""
    period = {"period": {"start": "2026-01-01", "end": "2026-12-31"}}
    return enrolment("planned", **{"id": "listed", "identifier": [{"value": "1"}], **period, **parts})


def test_a_list_that_comes_again_undoes_nothing(world: World) -> None:
    world.put(SYSTEM, of_the_list())
    world.move("listed", status="active", **LEADS)
    world.put(SYSTEM, of_the_list())
    found = world.read("EpisodeOfCare", "listed")
    assert (found["status"], found["careManager"]) == ("active", LEADS["careManager"])
    world.move("listed", status="finished", **because("goals-met"))
    world.put(SYSTEM, of_the_list(identifier=[{"value": "1"}, {"value": "2"}]))
    found = world.read("EpisodeOfCare", "listed")
    assert (found["status"], found["extension"]) == ("finished", because("goals-met")["extension"])
    assert found["period"] == {"start": "2026-01-01", "end": "2026-07-06"}


def test_a_list_that_assigns_the_member_again_later_opens_it_anew(world: World) -> None:
    world.put(SYSTEM, of_the_list())
    world.move("listed", status="cancelled", **because("goals-met"))
    world.later(days=30)
    world.put(SYSTEM, of_the_list(period={"start": "2026-08-01"}))
    assert world.read("EpisodeOfCare", "listed")["status"] == "planned"


def test_a_list_takes_a_member_back_and_names_it_again(world: World) -> None:
    world.put(SYSTEM, of_the_list())
    world.put(SYSTEM, {**of_the_list(), "status": "finished"})
    assert world.read("EpisodeOfCare", "listed")["status"] == "finished"
    world.put(SYSTEM, of_the_list())
    assert world.read("EpisodeOfCare", "listed")["status"] == "planned"


def test_a_file_with_a_status_of_its_own_says_it(world: World) -> None:
    world.put(SYSTEM, of_the_list())
    world.move("listed", status="active", **LEADS)
    told = {"extension": [{"url": ENGAGEMENT_EXTENSION, "valueCoding": {"code": "in-outreach"}}]}
    world.put(SYSTEM, of_the_list(**told))
    assert world.read("EpisodeOfCare", "listed")["status"] == "planned"
