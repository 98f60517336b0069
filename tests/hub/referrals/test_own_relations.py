"""Nobody gets a member's record by the hub's hand that it would not get by its own writing; what is asked of a
provider opens the record when it is asked, and closes it when the loop is closed."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from hub.fhir.systems import TRANSITIONAL_CARE
from hub.outbox import Work
from hub.problems import Problem
from hub.referrals.steps import step_of
from hub.referrals.terms import ASSIGNED, concept
from hub.rights.labels import SUD
from hub.search.edges import address
from hub.sight import EPISODE, PANEL, REFERRAL, TEAM
from hub.store import read
from hub.store.tables import index_relation
from hub.transactions import single
from hub.transitional_care import FollowUp
from tests.hub.referrals.test_coordination import assign, step
from tests.hub.referrals.world import (
    HOUSE,
    HOUSE_CLIENT,
    OTHER_HOUSE,
    OUTSIDER,
    SHELTER,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    presumptive,
    request,
    to,
)

CLINIC = "Organization/clinic"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
STAFF = {"resourceType": "PractitionerRole", "id": "own", "organization": {"reference": SHELTER}}


def opened(world: World, organization: str, kinds: int = REFERRAL | TEAM | EPISODE) -> bool:
    """Whether this organization has a relation to Robin of one of these kinds."""
    x = index_relation.c
    asked = select(x.kind).where(
        x.patient == address("Patient", "robin"), x.holder == address(*organization.split("/"))
    )
    with world.database.read() as connection:
        return any(kind & kinds for kind in connection.execute(asked).scalars())


def sees(world: World, who: Any, kind: str, identity: str) -> bool:
    with world.database.read() as connection:
        return read.current(connection, who, kind, identity) is not None


def asked_for(world: World, who: Any = SHELTER_CLIENT, **said: Any) -> str:
    """A referral of this client to the hub, with such a request."""
    made = world.writes.commit([single("POST", "ServiceRequest", resource=request(**said))], who)
    assert made[0].stored
    return world.refer(who, focus=to("ServiceRequest", made[0].stored.id), requester={"reference": who.source})


@pytest.mark.parametrize("named", [SHELTER, "PractitionerRole/own"])
def test_who_refers_is_not_asked_to_deliver_because_it_named_itself_or_its_staff(world: World, named: str) -> None:
    world.rules = presumptive()
    world.have(STAFF)
    task = asked_for(world, performer=[{"reference": named}])
    world.work()
    assert step(world, task) == ("requested", "provider-unconfirmed")
    assert world.children(task) == []
    assert not opened(world, named)


def test_a_person_may_assign_who_referred(world: World) -> None:
    world.rules = presumptive()
    task = asked_for(world, performer=[{"reference": SHELTER}])
    world.work()
    assign(world, task, SHELTER)
    assert [one["owner"]["reference"] for one in world.children(task)] == [SHELTER]


def test_who_did_not_write_the_request_does_not_put_itself_into_it(world: World) -> None:
    """The clinic has to do with Robin, too: it may write on what the shelter wrote, before the hub looks."""
    world.rules = presumptive()
    task = asked_for(world, performer=None)
    identity = world.read("Task", task)["focus"]["reference"].partition("/")[2]
    stored = world.read("ServiceRequest", identity)
    taken = stored | {"performer": [{"reference": CLINIC}]}
    world.writes.commit([single("PUT", "ServiceRequest", id=identity, resource=taken)], OUTSIDER)
    world.work()
    assert step_of(world.read("Task", task)) == "provider-unconfirmed"
    assert not opened(world, CLINIC)


def test_a_request_that_names_somebody_later_is_looked_at_again(world: World) -> None:
    world.rules = presumptive()
    task = asked_for(world, performer=None)
    world.work()
    assert step_of(world.read("Task", task)) == "awaiting-provider"
    identity = world.read("Task", task)["focus"]["reference"].partition("/")[2]
    named = world.read("ServiceRequest", identity) | {"performer": [{"reference": HOUSE}]}
    world.writes.commit([single("PUT", "ServiceRequest", id=identity, resource=named)], SHELTER_CLIENT)
    world.work()
    assert [one["owner"]["reference"] for one in world.children(task)] == [HOUSE]


@pytest.mark.parametrize("named", [SHELTER, "PractitionerRole/own", "Practitioner/anybody"])
@pytest.mark.parametrize("later", [False, True])
def test_nobody_assigns_itself_or_its_staff(world: World, named: str, later: bool) -> None:
    said = [{"type": concept(*ASSIGNED), "valueReference": {"reference": named}}]
    if not later:
        with pytest.raises(Problem) as refused:
            world.refer(input=said)
    else:
        task = world.refer()
        with pytest.raises(Problem) as refused:
            world.move(task, SHELTER_CLIENT, input=said)
    assert (refused.value.kind, refused.value.issues[0].where) == ("business-rule", "Task.input")


def test_who_refers_may_assign_another_organization(world: World) -> None:
    world.rules = presumptive()
    task = world.refer(input=[{"type": concept(*ASSIGNED), "valueReference": {"reference": OTHER_HOUSE}}])
    world.work()
    assert [one["owner"]["reference"] for one in world.children(task)] == [OTHER_HOUSE]


def test_who_is_named_in_a_request_sees_the_member_when_it_is_asked_and_not_before(world: World) -> None:
    task = world.refer()
    world.work()
    assert not opened(world, HOUSE)
    assert not sees(world, HOUSE_CLIENT, "Patient", "robin")
    world.authorize(task)
    assert sees(world, HOUSE_CLIENT, "Patient", "robin")
    assert sees(world, HOUSE_CLIENT, "Task", world.children(task)[0]["id"])


def test_when_the_loop_is_closed_the_provider_has_no_relation_any_more(world: World) -> None:
    """Who referred leaves its own request active."""
    task = world.refer()
    world.work()
    world.authorize(task)
    [made] = world.children(task)
    world.move(made["id"], HOUSE_CLIENT, status="accepted")
    world.deliver(made["id"])
    world.work()
    [first] = [one for one in world.all("ServiceRequest") if one["intent"] == "order"]
    assert (step(world, task), first["status"]) == (("completed", "closed"), "active")
    assert not opened(world, HOUSE)
    assert not sees(world, HOUSE_CLIENT, "Patient", "robin")


def test_what_should_never_have_been_written_is_taken_back_from_who_was_asked(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task)
    [made] = world.children(task)
    world.move(made["id"], HOUSE_CLIENT, status="accepted")
    world.work()
    world.move(task, SHELTER_CLIENT, status="entered-in-error")
    world.work()
    assert world.read("Task", made["id"])["status"] == "cancelled"
    assert not opened(world, HOUSE)


def test_a_client_refers_to_a_provider_by_its_task(world: World) -> None:
    task = world.refer(owner={"reference": HOUSE})
    assert sees(world, HOUSE_CLIENT, "Patient", "robin")
    world.move(task, HOUSE_CLIENT, status="rejected", statusReason={"text": "Invented: no room"})
    assert not sees(world, HOUSE_CLIENT, "Patient", "robin")


def test_what_was_open_by_a_request_stays_so_when_a_client_writes_it_on(world: World) -> None:
    world.have(request() | {"id": "loaded"})
    assert opened(world, HOUSE)
    said = world.read("ServiceRequest", "loaded") | {"note": [{"text": "Invented"}]}
    world.writes.commit([single("PUT", "ServiceRequest", id="loaded", resource=said)], SHELTER_CLIENT)
    assert opened(world, HOUSE)


def test_a_care_team_does_not_open_the_record_by_the_task_of_a_discharge(world: World) -> None:
    """The clinic, whose panel Robin leaves soon, makes itself the lead care manager: the Task asks it to follow up,
    and opens nothing."""
    role = concept("https://calaim-hub.example/fhir/CodeSystem/care-team-role", "lead-care-manager")
    team = {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": to("Patient", "robin"),
        "participant": [{"role": [role], "member": {"reference": CLINIC}}],
    }
    world.writes.commit([single("POST", "CareTeam", resource=team)], OUTSIDER)
    stay = {
        "resourceType": "Encounter",
        "id": "stay",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": to("Patient", "robin"),
        "period": {"start": "2026-11-20T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
    }
    world.have(stay)
    FollowUp(world.database, world.writes, 7, world.now)(Work(1, "follow-up", "x", {"encounter": "stay"}, 1, 0))
    [task] = [one for one in world.all("Task") if one["identifier"][0]["system"] == TRANSITIONAL_CARE]
    assert task["owner"] == {"reference": CLINIC}
    assert not opened(world, CLINIC)
    assert opened(world, CLINIC, PANEL)


@pytest.mark.parametrize("who", ["plan", "provider"])
def test_a_guarded_reason_is_not_told_in_the_referrals_own_task(world: World, who: str) -> None:
    """It is its writer's own data: the shelter sees it with any label, and has no consent for this one."""
    task = world.refer()
    world.work()
    why = {"text": "An invented reason about substance use"}
    guarded = {"security": [{"system": ACT, "code": "SUD"}]}
    if who == "plan":
        [asked] = world.children(task, "approve")
    else:
        world.authorize(task)
        [asked] = world.children(task)
        world.move(asked["id"], HOUSE_CLIENT, status="accepted")
    to_ = "rejected" if who == "plan" else "failed"
    world.move(asked["id"], SYSTEM, status=to_, statusReason=why, meta=guarded)
    world.work()
    shelter = replace(SHELTER_CLIENT, sight=replace(SHELTER_CLIENT.sight, guarded=SUD))
    found = world.read("Task", task, shelter)
    assert found["status"] == to_
    assert why["text"] not in str(found)
    assert "guarded" in found["statusReason"]["text"]
    told = [one for one in world.all("Communication") if why["text"] in str(one)]
    assert not any(sees(world, shelter, "Communication", one["id"]) for one in told)
