"""Which moves a referral makes: the table, and every way in which a Task is written."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hub.fhir.systems import CLOSURE_REASON, REFERRAL_STATUS
from hub.problems import Problem
from hub.referrals.moves import ACTIVITY, HUB, MOVES, OPERATOR, OWNER, PLAN, REASON, REQUESTER, issues, move
from hub.referrals.moves_page import page
from hub.referrals.rule import Words
from hub.referrals.terms import STATUSES, concept
from hub.store.engine import Database
from hub.transactions import single
from tests.hub.asking import Api, entry, refused
from tests.hub.referrals.world import (
    HOUSE,
    HOUSE_CLIENT,
    OTHER_CLIENT,
    OUTSIDER,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    activity,
    bundle,
    procedure,
    referral,
    request,
    to,
)
from tests.hub.sighted import api_of

PARTIES = (REQUESTER, OWNER, PLAN, OPERATOR, HUB)
WHY = {"text": "Invented reason"}
DOCS = Path(__file__).parents[3] / "docs"
MERGE = "application/json-patch+json"


def task(status: str, **parts: Any) -> dict[str, Any]:
    """With all that a move may need."""
    return referral(status=status, statusReason=WHY, output=[activity("done")], **parts)


def test_the_page_of_moves_is_printed_from_the_table() -> None:
    """When this fails: .venv/bin/python -m hub.referrals.moves_page > docs/moves.md"""
    assert (DOCS / "moves.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("party", PARTIES)
def test_a_party_makes_the_moves_of_its_rows_and_no_others(party: str) -> None:
    for source, to_ in product(STATUSES, STATUSES):
        if source == to_:
            continue
        row = move(source, to_)
        found = issues(task(source), task(to_), [party])
        assert bool(found) == (row is None or party not in row.who), (source, to_)


def test_an_illegal_move_names_the_legal_ones() -> None:
    [issue] = issues(task("requested"), task("completed"), [OWNER])
    assert "accepted, rejected (with a statusReason.text), on-hold" in issue.message
    [over] = issues(task("rejected"), task("accepted"), [OWNER])
    assert "none: it is over" in over.message


@pytest.mark.parametrize("row", [row for row in MOVES if row.needs], ids=lambda row: f"{row.source}-{row.to}")
def test_a_move_brings_what_its_row_needs(row: Any) -> None:
    without = {name: value for name, value in task(row.to).items() if name not in ("statusReason", "output")}
    who = [next(iter(row.who))]
    found = issues(task(row.source), without, who)
    assert [one.where for one in found] == [
        {REASON: "Task.statusReason.text", ACTIVITY: "Task.output"}[need] for need in row.needs
    ]
    assert issues(task(row.source), task(row.to), who) == []


def test_a_reason_is_words_and_an_activity_is_a_procedure() -> None:
    blank = task("rejected") | {"statusReason": {"text": "  "}}
    coded = task("rejected") | {"statusReason": concept(CLOSURE_REASON, "services-received")}
    for one in (blank, coded):
        assert [issue.where for issue in issues(task("requested"), one, [OWNER])] == ["Task.statusReason.text"]
    other = task("completed") | {"output": [{**activity("x"), "valueReference": to("Observation", "x")}]}
    assert [issue.where for issue in issues(task("accepted"), other, [OWNER])] == ["Task.output"]


@pytest.fixture
def asked(world: World) -> str:
    """The shelter asks the house directly."""
    world.have(request() | {"id": "asked"})
    return world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": HOUSE})


def issue_of(error: Any) -> Any:
    return error.value.issues[0]


def test_who_was_asked_accepts_and_who_referred_does_not(world: World, asked: str) -> None:
    with pytest.raises(Problem) as error:
        world.move(asked, SHELTER_CLIENT, status="accepted")
    assert (error.value.status, issue_of(error).where) == (422, "Task.status")
    assert world.move(asked, HOUSE_CLIENT, status="accepted")["status"] == "accepted"


def test_who_has_no_part_in_a_referral_does_not_write_its_task(world: World, asked: str) -> None:
    for said in ({"status": "cancelled", "statusReason": WHY}, {"description": "Invented"}):
        with pytest.raises(Problem) as error:
            world.move(asked, OUTSIDER, **said)
        assert error.value.status == 422
    assert world.read("Task", asked)["status"] == "requested"


def test_whoever_wrote_a_referral_may_take_it_back_whomever_it_names(world: World) -> None:
    world.have(request() | {"id": "asked"})
    person = {"reference": "Practitioner/somebody"}
    made = world.refer(focus=to("ServiceRequest", "asked"), requester=person, owner={"reference": HOUSE})
    assert world.move(made, SHELTER_CLIENT, status="cancelled", statusReason=WHY)["status"] == "cancelled"


def test_a_task_without_an_owner_is_claimed_and_then_nobody_elses(world: World) -> None:
    world.have(request() | {"id": "asked"}, access=SYSTEM)
    world.have(request(performer=[to("Organization", "other-house")]) | {"id": "also"})
    made = world.refer(focus=to("ServiceRequest", "asked"), owner=None)
    claimed = world.move(made, HOUSE_CLIENT, owner={"reference": HOUSE}, status="accepted")
    assert claimed["owner"] == {"reference": HOUSE}
    with pytest.raises(Problem):
        world.move(made, OTHER_CLIENT, owner=to("Organization", "other-house"))
    with pytest.raises(Problem) as error:
        world.move(made, HOUSE_CLIENT, owner=to("Organization", "other-house"))
    assert issue_of(error).where == "Task.owner"


@pytest.mark.parametrize(
    "said",
    [
        {"focus": to("ServiceRequest", "other")},
        {"requester": {"reference": HOUSE}},
        {"for": to("Patient", "other")},
        {"code": {"text": "something else"}},
        {"intent": "plan"},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_referral_stays_the_one_that_it_is(world: World, asked: str, said: dict[str, Any]) -> None:
    with pytest.raises(Problem) as error:
        world.move(asked, SHELTER_CLIENT, **said)
    assert error.value.status == 422


def test_a_referral_is_not_deleted_by_a_client(world: World, asked: str) -> None:
    with pytest.raises(Problem) as error:
        world.writes.commit([single("DELETE", "Task", id=asked)], SHELTER_CLIENT)
    assert error.value.status == 422
    assert "cancelled" in str(error.value)


def test_a_new_referral_is_asked_for_not_decided(world: World) -> None:
    world.have(request() | {"id": "asked"})
    with pytest.raises(Problem) as error:
        world.refer(focus=to("ServiceRequest", "asked"), status="accepted")
    assert issue_of(error).where == "Task.status"


def test_a_stale_version_is_refused_as_such(world: World, asked: str) -> None:
    world.move(asked, HOUSE_CLIENT, status="accepted")
    stale = {**world.read("Task", asked), "status": "requested"}
    with pytest.raises(Problem) as error:
        world.writes.commit([single("PUT", "Task", id=asked, resource=stale, if_match=1)], HOUSE_CLIENT)
    assert error.value.status == 412


def test_when_a_task_moved_is_said_by_the_hub_where_the_client_does_not(world: World, asked: str) -> None:
    world.later(hours=10)  # three o'clock in the morning in UTC, the evening before in California
    moved = world.move(asked, HOUSE_CLIENT, status="accepted")
    assert moved["lastModified"] == "2026-11-23T19:00:00.000000-08:00"
    said = world.move(asked, HOUSE_CLIENT, status="in-progress", lastModified="2026-11-24")
    assert said["lastModified"] == "2026-11-24"
    kept = world.move(asked, HOUSE_CLIENT, description="Nothing moves")
    assert kept["lastModified"] == "2026-11-24"


@pytest.mark.parametrize(
    "authored",
    [
        "2026-11-23",
        "2026-11-23T17:00:00.000001Z",
        "2026-11-23T20:00:00Z",
        "2026-11-25",
        "2027",
        "2026-11-23T09:00:00-08:00",
    ],
)
def test_what_the_hub_says_of_a_move_is_a_valid_task_whenever_it_was_written(world: World, authored: str) -> None:
    """inv-1: it was not modified before it was authored."""
    world.have(request() | {"id": "asked"})
    made = world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": HOUSE}, authoredOn=authored)
    world.later(seconds=0.5)
    assert world.move(made, HOUSE_CLIENT, status="accepted")["status"] == "accepted"
    assert world.move(made, HOUSE_CLIENT, status="in-progress")["status"] == "in-progress"


def test_words_of_the_closed_loop_are_configured_ones_that_agree_with_the_status(world: World, asked: str) -> None:
    world.words = Words(lambda system, code: code in ("declined", "services-received"), _declined_is_rejected)
    unknown = (
        {"businessStatus": concept(REFERRAL_STATUS, "invented")},
        {"statusReason": concept(CLOSURE_REASON, "invented", "Invented")},
    )
    for said in unknown:
        with pytest.raises(Problem) as error:
            world.move(asked, HOUSE_CLIENT, **said)
        assert issue_of(error).kind == "code-invalid"
    with pytest.raises(Problem) as error:
        world.move(asked, HOUSE_CLIENT, businessStatus=concept(REFERRAL_STATUS, "declined"))
    assert issue_of(error).where == "Task.businessStatus"
    done = world.move(
        asked,
        HOUSE_CLIENT,
        status="rejected",
        statusReason=WHY,
        businessStatus=concept(REFERRAL_STATUS, "declined"),
    )
    assert done["status"] == "rejected"


def _declined_is_rejected(code: str) -> frozenset[str]:
    return frozenset(("rejected",)) if code == "declined" else frozenset()


def test_a_file_that_asks_again_does_not_undo_what_people_did(world: World, asked: str) -> None:
    asked_again = {**world.read("Task", asked), "description": "Of the plan's new file"}
    world.move(asked, HOUSE_CLIENT, status="accepted")
    world.move(asked, HOUSE_CLIENT, status="in-progress", businessStatus={"text": "Looking for a flat"})
    feed = replace(SYSTEM, reason="a feed")
    asked_again.pop("lastModified", None)
    world.writes.commit([single("PUT", "Task", id=asked, resource={**asked_again, "status": "draft"})], feed)
    kept = world.read("Task", asked)
    assert (kept["status"], kept["description"]) == ("in-progress", "Of the plan's new file")
    assert kept["businessStatus"] == {"text": "Looking for a flat"}


def test_a_transaction_with_one_illegal_move_changes_nothing(world: World, asked: str) -> None:
    over = {**world.read("Task", asked), "status": "completed", "output": [activity("done")]}
    with pytest.raises(Problem) as error:
        world.writes.commit(
            bundle(entry("POST", "Procedure", procedure()), entry("PUT", f"Task/{asked}", over)),
            HOUSE_CLIENT,
            many=True,
        )
    assert issue_of(error).where == "Bundle.entry[1].resource.status"
    assert world.all("Procedure") == []


def test_a_transaction_that_refers_sees_its_own_request(world: World) -> None:
    """`focus` is a urn:uuid in it: what is asked about is known once it is literal."""
    asking = referral(focus={"reference": "urn:uuid:5a1c9d3e-0a4f-4d0e-9c39-111111111111"}, status="completed")
    entries = bundle(
        entry("POST", "ServiceRequest", request(), full_url="urn:uuid:5a1c9d3e-0a4f-4d0e-9c39-111111111111"),
        entry("POST", "Task", asking),
    )
    with pytest.raises(Problem) as error:
        world.writes.commit(entries, SHELTER_CLIENT, many=True)
    assert issue_of(error).where == "Bundle.entry[1].resource.status"


@pytest.fixture
def api(world: World, asked: str) -> Api:
    """Over HTTP, with the same rule."""
    served: Database = world.database
    callers = {"house": HOUSE_CLIENT, "shelter": SHELTER_CLIENT}
    return api_of(served, callers, rules=world.writes._rules).as_("house")


def test_a_patch_moves_a_task_and_an_illegal_one_does_not(api: Api, asked: str) -> None:
    def patch(status: str) -> Any:
        said = [{"op": "replace", "path": "/status", "value": status}]
        return api.ask("PATCH", f"/Task/{asked}", said, Content_Type=MERGE)

    issue = refused(patch("completed"), 422, "business-rule")
    assert issue["expression"] == ["Task.status"]
    assert "accepted" in issue["diagnostics"]
    assert patch("accepted").status_code == 200
    assert api.get(f"/Task/{asked}").json["status"] == "accepted"


def test_a_conditional_update_and_a_batch_are_asked_the_same(api: Api, asked: str) -> None:
    stored = api.get(f"/Task/{asked}").json
    over = {**stored, "status": "completed", "output": [activity("none")]}
    refused(api.put(f"/Task?_id={asked}", over), 422, "business-rule")
    answer = api.bundle("batch", entry("PUT", f"Task/{asked}", over))
    assert answer.json["entry"][0]["response"]["status"].startswith("422")
    refused(api.as_("shelter").delete(f"/Task/{asked}"), 422, "business-rule")


def test_tasks_that_are_no_referrals_move_as_they_like(world: World) -> None:
    chore = {"resourceType": "Task", "status": "completed", "intent": "order", "for": to("Patient", "robin")}
    [made] = world.writes.commit([single("POST", "Task", resource=chore)], SHELTER_CLIENT)
    assert made.stored
    assert world.move(made.stored.id, SHELTER_CLIENT, status="requested")["status"] == "requested"
