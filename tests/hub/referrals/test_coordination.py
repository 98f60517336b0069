"""The hub between who refers and who delivers: the plan is asked, a provider is asked, what it says is carried
back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub import outbox
from hub.referrals.assembly import clockwork, texts
from hub.referrals.configuration import NONE, Plan, Rules
from hub.referrals.steps import step_of
from hub.referrals.terms import ASSIGNED, concept
from hub.referrals.work import ReferralWork
from hub.rights.labels import SUD
from hub.store import read
from hub.transactions import Transactions
from tests.hub.referrals.world import (
    BASE,
    COVERAGE_OF_ROBIN,
    HOUSE,
    HOUSE_CLIENT,
    HUB,
    OTHER_CLIENT,
    OTHER_HOUSE,
    PLAN,
    PLAN_CLIENT,
    RULES,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    presumptive,
    request,
    to,
)

WHY = {"text": "Invented reason"}
DENIAL = {"text": "Not a benefit"}
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def step(world: World, task: str) -> tuple[str, str]:
    """The status that the shelter sees, and what the hub waits for."""
    found = world.read("Task", task, SHELTER_CLIENT)
    return found["status"], step_of(found)


def assign(world: World, task: str, provider: str) -> None:
    """As a person at the hub does."""
    before = world.read("Task", task)
    said = {"type": concept(*ASSIGNED), "valueReference": {"reference": provider}}
    world.move(task, SYSTEM, input=[*before.get("input", []), said])
    world.work()


@pytest.fixture
def asked(world: World) -> str:
    """A referral that the plan has authorized: the house is asked."""
    task = world.refer()
    world.work()
    world.authorize(task)
    return task


def child(world: World, task: str) -> dict[str, Any]:
    return world.children(task)[-1]


def test_a_referral_is_authorized_accepted_delivered_and_closed(world: World) -> None:
    task = world.refer()
    world.work()
    [approval] = world.children(task, "approve")
    assert (approval["owner"], approval["focus"]) == ({"reference": PLAN}, world.read("Task", task)["focus"])
    assert world.children(task) == []
    assert step(world, task) == ("requested", "awaiting-authorization")
    world.authorize(task)
    made = child(world, task)
    assert (made["owner"]["reference"], made["requester"]["reference"], made["status"]) == (HOUSE, HUB, "requested")
    assert made["partOf"] == [to("Task", task)]
    assert step(world, task) == ("requested", "awaiting-acceptance")
    filler = world.read(*made["focus"]["reference"].split("/"))
    assert (filler["intent"], filler["basedOn"]) == ("filler-order", [world.read("Task", task)["focus"]])
    for status in ("accepted", "in-progress"):
        world.move(made["id"], HOUSE_CLIENT, status=status)
        world.work()
        assert step(world, task) == (status, "with-provider")
    done = world.deliver(made["id"])
    world.work()
    closed = world.read("Task", task, SHELTER_CLIENT)
    assert (closed["status"], closed["output"]) == ("completed", done["output"])
    assert world.read("ServiceRequest", filler["id"])["status"] == "completed"
    assert {row.kind for row in world.waiting()} == {"referral-clocks", "referral-notice"}


def test_only_the_latest_of_what_a_provider_did_is_carried_back(world: World, asked: str) -> None:
    """The worker slept meanwhile."""
    made = child(world, asked)
    for status in ("accepted", "in-progress"):
        world.move(made["id"], HOUSE_CLIENT, status=status)
    world.deliver(made["id"])
    world.work()
    assert step(world, asked) == ("completed", "closed")


def test_a_provider_that_waits_or_fails_says_why(world: World, asked: str) -> None:
    made = child(world, asked)
    world.move(made["id"], HOUSE_CLIENT, status="accepted")
    world.move(made["id"], HOUSE_CLIENT, status="on-hold", statusReason=WHY)
    world.work()
    assert step(world, asked) == ("on-hold", "provider-waits")
    world.move(made["id"], HOUSE_CLIENT, status="in-progress", statusReason=None)
    world.work()
    assert step(world, asked) == ("in-progress", "with-provider")
    assert "statusReason" not in world.read("Task", asked)
    world.move(made["id"], HOUSE_CLIENT, status="failed", statusReason={"text": "Moved away"})
    world.work()
    assert step(world, asked) == ("failed", "closed")
    assert world.read("Task", asked)["statusReason"] == {"text": "Moved away"}


def test_a_provider_that_declines_leaves_the_referral_open_for_a_person_to_assign_another(
    world: World, asked: str
) -> None:
    first = child(world, asked)
    world.move(first["id"], HOUSE_CLIENT, status="rejected", statusReason=WHY)
    world.work()
    assert step(world, asked) == ("requested", "provider-declined")
    assert world.read(*first["focus"]["reference"].split("/"))["status"] == "revoked"
    assign(world, asked, OTHER_HOUSE)
    second = child(world, asked)
    assert second["owner"] == {"reference": OTHER_HOUSE}
    assert step(world, asked) == ("requested", "awaiting-acceptance")
    world.move(second["id"], OTHER_CLIENT, status="accepted")
    world.work()
    assert step(world, asked) == ("accepted", "with-provider")


def test_another_provider_is_assigned_and_the_first_one_is_asked_no_more(world: World, asked: str) -> None:
    first = child(world, asked)
    world.move(first["id"], HOUSE_CLIENT, status="accepted")
    world.work()
    assign(world, asked, OTHER_HOUSE)
    assert world.read("Task", first["id"])["status"] == "cancelled"
    assert world.read(*first["focus"]["reference"].split("/"))["status"] == "revoked"
    assert child(world, asked)["owner"] == {"reference": OTHER_HOUSE}
    assert step(world, asked) == ("requested", "awaiting-acceptance")


@pytest.mark.parametrize(
    "performers",
    [None, [{"reference": HOUSE}, {"reference": OTHER_HOUSE}], [{"reference": HUB}], [{"display": "Any house"}]],
    ids=["none", "two", "the hub", "a name"],
)
def test_nobody_chooses_a_provider_for_the_person_who_has_to(world: World, performers: Any) -> None:
    world.have(request(performer=performers) | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    assert step(world, task) == ("requested", "awaiting-provider")
    assert world.children(task) == []
    assign(world, task, HOUSE)
    assert child(world, task)["owner"] == {"reference": HOUSE}


def test_what_the_plan_denies_is_rejected_with_its_reason_and_no_provider_is_asked(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task, status="rejected", statusReason=DENIAL)
    assert step(world, task) == ("rejected", "denied")
    assert world.read("Task", task)["statusReason"] == DENIAL
    assert world.children(task) == []


def test_a_plan_that_nobody_knows_is_not_guessed_and_is_looked_for_again(world: World) -> None:
    world.have(COVERAGE_OF_ROBIN | {"status": "cancelled"})
    task = world.refer()
    world.work()
    assert step(world, task) == ("requested", "awaiting-plan")
    world.have(COVERAGE_OF_ROBIN)
    world.later(hours=1)
    world.work()
    assert step(world, task) == ("requested", "awaiting-authorization")


def test_of_two_plans_none_is_chosen(world: World) -> None:
    world.rules = replace(RULES, plans=(*RULES.plans, Plan("Organization/clinic")))
    world.have(COVERAGE_OF_ROBIN | {"id": "other", "payor": [to("Organization", "clinic")]})
    task = world.refer()
    world.work()
    assert step(world, task) == ("requested", "awaiting-plan")


def test_presumptive_authorization_asks_provider_and_plan_at_once(world: World) -> None:
    world.rules = presumptive(HOUSE)
    task = world.refer()
    world.work()
    [approval], made = world.children(task, "approve"), child(world, task)
    assert (approval["status"], made["owner"]) == ("requested", {"reference": HOUSE})
    world.move(made["id"], HOUSE_CLIENT, status="accepted")
    world.move(made["id"], HOUSE_CLIENT, status="in-progress")
    world.work()
    world.authorize(task, status="rejected", statusReason=DENIAL)
    assert step(world, task) == ("cancelled", "denied")
    assert world.read("Task", made["id"])["statusReason"] == DENIAL


def test_presumptive_authorization_is_for_the_providers_that_the_plan_named(world: World) -> None:
    world.rules = presumptive(OTHER_HOUSE)
    task = world.refer()
    world.work()
    assert world.children(task) == []
    assert step(world, task) == ("requested", "awaiting-authorization")


def test_where_no_authorization_is_wanted_the_provider_is_asked_at_once(world: World) -> None:
    world.rules = Rules(HUB, NONE)
    task = world.refer()
    world.work()
    assert world.children(task, "approve") == []
    assert child(world, task)["owner"] == {"reference": HOUSE}


def test_a_referral_that_is_taken_back_is_taken_back_from_all_who_were_asked(world: World, asked: str) -> None:
    made = child(world, asked)
    world.move(asked, SHELTER_CLIENT, status="cancelled", statusReason=WHY)
    world.work()
    found = world.read("Task", made["id"])
    assert (found["status"], found["statusReason"]) == ("cancelled", WHY)
    assert world.read(*made["focus"]["reference"].split("/"))["status"] == "revoked"


def test_a_referral_that_was_stopped_by_who_referred_goes_on_when_they_say_so(world: World) -> None:
    task = world.refer()
    world.work()
    world.move(task, SHELTER_CLIENT, status="on-hold", statusReason=WHY)
    world.work()
    world.authorize(task)
    assert world.children(task) == []
    assert world.read("Task", task)["status"] == "on-hold"
    world.move(task, SHELTER_CLIENT, status="requested", statusReason=None)
    world.work()
    assert child(world, task)["status"] == "requested"


def test_without_an_organization_of_its_own_the_hub_coordinates_nothing(world: World) -> None:
    world.rules = Rules(plans=RULES.plans)
    task = world.refer()
    world.work()
    assert [one["id"] for one in world.all("Task")] == [task]


def test_a_draft_waits_until_it_is_sent(world: World) -> None:
    task = world.refer(status="draft")
    world.work()
    assert world.children(task, "approve") == []
    world.move(task, SHELTER_CLIENT, status="requested")
    world.work()
    assert len(world.children(task, "approve")) == 1


def test_a_request_that_is_not_here_is_waited_for(world: World) -> None:
    task = world.refer(focus=to("ServiceRequest", "later"))
    world.work()
    assert step(world, task) == ("requested", "awaiting-request")
    world.have(request() | {"id": "later"})
    world.later(hours=1)
    world.work()
    assert step(world, task) == ("requested", "awaiting-authorization")


def guarded(code: str) -> dict[str, Any]:
    return {"meta": {"security": [{"system": ACT, "code": code}]}}


def test_nothing_open_tells_of_a_guarded_request(world: World) -> None:
    """All that the hub makes of it has its labels, also where they come later."""
    world.have(request() | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    made = world.children(task) + world.children(task, "approve") + world.all("Communication")
    assert not any("security" in one["meta"] for one in made)
    world.have(world.read("ServiceRequest", "asked") | guarded("SUD"))
    world.work()
    filler = child(world, task)["focus"]["reference"].split("/")[1]
    kinds = {"Task": [one["id"] for one in world.all("Task")], "ServiceRequest": [filler],
             "Communication": [one["id"] for one in world.all("Communication")]}  # fmt: skip
    open_ones = [
        (kind, one)
        for kind, ids in kinds.items()
        for one in ids
        if "SUD" not in str(world.read(kind, one)["meta"].get("security"))
    ]
    assert open_ones == [("Task", task)]  # the shelter's own says nothing of it until the hub writes it on
    world.move(child(world, task)["id"], HOUSE_CLIENT, status="accepted")
    world.work()
    assert "SUD" in str(world.read("Task", task)["meta"]["security"])


def test_a_plan_that_may_not_see_a_guarded_request_is_not_shown_what_is_made_of_it(world: World) -> None:
    world.have(request() | {"id": "asked"} | guarded("SUD"))
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    [approval] = world.children(task, "approve")
    blind = replace(PLAN_CLIENT, sight=replace(PLAN_CLIENT.sight, guarded=SUD))
    with world.database.read() as connection:
        assert read.current(connection, PLAN_CLIENT, "Task", approval["id"])
        assert read.current(connection, blind, "Task", approval["id"]) is None


def test_the_house_sees_the_member_as_long_as_it_is_asked(world: World, asked: str) -> None:
    world.have({**world.read(*world.read("Task", asked)["focus"]["reference"].split("/")), "status": "completed"})
    for said, sees in ((None, True), ({"status": "rejected", "statusReason": WHY}, False)):
        if said:
            world.move(child(world, asked)["id"], HOUSE_CLIENT, **said)
            world.work()
        with world.database.read() as connection:
            assert (read.current(connection, HOUSE_CLIENT, "Patient", "robin") is not None) is sees


class Died(BaseException):
    """As if the process were killed."""


def test_a_worker_that_dies_anywhere_leaves_work_that_is_done_once(world: World) -> None:
    """Before the commit, and between the commit and the settling of its row."""
    task = world.refer()
    for survives in (False, True, True):
        [claimed] = [one for one in world._claimed() if one.kind == "referral"][:1] or [None]
        world.later(seconds=61)
        if claimed is None:
            continue
        with pytest.raises(Died):
            _killed(world, claimed, after=survives)
    world.work()
    assert len(world.children(task, "approve")) == 1
    world.authorize(task)
    assert len(world.children(task)) == 1


def _killed(world: World, work: outbox.Work, after: bool) -> None:
    if after:
        world.handlers[work.kind](work)
    raise Died


def test_two_workers_at_one_referral_make_one_child(world: World, asked: str) -> None:
    """The second one comes with what it read before the first one wrote."""
    made = child(world, asked)
    world.move(made["id"], HOUSE_CLIENT, status="accepted")
    first, late = (outbox.Work(0, "referral", name, {"task": asked}, 1, 0) for name in "ab")
    slow = SlowReader(world, lambda: world.handlers["referral"](first))
    assert isinstance(slow.handler(late), outbox.Later)
    before = world.read("Task", asked)["meta"]["versionId"]
    assert isinstance(world.handlers["referral"](late), outbox.Done)
    assert world.read("Task", asked)["meta"]["versionId"] == before
    assert len(world.children(asked)) == 1


class SlowReader:
    """A worker that is overtaken between its look and its commit."""

    def __init__(self, world: World, meanwhile: Callable[[], Any]):
        clocks, said = clockwork(world.rules, BASE), texts(world.rules)
        overtaken = Overtaken(world.writes, meanwhile)
        self.handler = ReferralWork(world.database, overtaken, world.rules, clocks, said, BASE, world.now)  # type: ignore[arg-type]


class Overtaken:
    def __init__(self, writes: Transactions, meanwhile: Callable[[], Any]):
        self._writes, self._meanwhile = writes, meanwhile

    def commit(self, *said: Any, **more: Any) -> Any:
        self._meanwhile()
        return self._writes.commit(*said, **more)
