"""Who is told what of a referral, in which language, and once."""

from dataclasses import replace
from typing import Any

import pytest

from hub.fhir.systems import BCP_47, PROGRAM
from hub.problems import CannotStart
from hub.referrals.notice_texts import NOTICES, PLACES, READERS, Texts
from hub.referrals.notices import PREFERRED
from hub.referrals.terms import concept
from tests.hub.referrals.test_coordination import assign, child
from tests.hub.referrals.world import (
    HOUSE_CLIENT,
    PLAN,
    RULES,
    SHELTER,
    SHELTER_CLIENT,
    SYSTEM,
    World,
    organization,
    request,
    to,
)

WHY = {"text": "Invented reason"}
SPANISH = {"notice": "assigned", "reader": "member", "language": "es", "text": "{provider} le ayuda: {service}."}


def told(world: World) -> dict[tuple[str, str], str]:
    """By topic and recipient, what was said."""
    found = {}
    for one in world.all("Communication"):
        topic = one["topic"]["coding"][0]["code"]
        for recipient in one["recipient"]:
            found[topic, recipient["reference"]] = one["payload"][0]["contentString"]
    return found


def speaking(language: str) -> list[dict[str, Any]]:
    other = {"language": {"coding": [{"system": BCP_47, "code": "en"}]}}
    return [other, {"language": {"coding": [{"system": BCP_47, "code": language}]}, "preferred": True}]


def test_referrer_and_member_are_told_of_authorization_assignment_and_closure(world: World) -> None:
    world.have(organization("house") | {"telecom": [{"system": "phone", "value": "555-0100"}]})
    task = world.refer()
    world.work()
    assert told(world) == {}
    world.authorize(task)
    made = told(world)
    assert set(made) == {(kind, who) for kind in ("authorized", "assigned") for who in (SHELTER, "Patient/robin")}
    assert "Example house" in made["assigned", "Patient/robin"]
    assert "555-0100" in made["assigned", "Patient/robin"]
    world.move(child(world, task)["id"], HOUSE_CLIENT, status="accepted")
    world.deliver(child(world, task)["id"])
    world.work()
    assert told(world)["closed", SHELTER].endswith("The reason: Services received.")
    assert told(world)["closed", "Patient/robin"].endswith("The reason: Services received.")


def test_a_notice_says_of_what_it_is_and_has_not_left_yet(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task)
    one = next(one for one in world.all("Communication") if one["recipient"] == [{"reference": SHELTER}])
    assert one["status"] == "preparation"
    assert "sent" not in one
    assert (one["partOf"], one["subject"]) == ([to("Task", task)], to("Patient", "robin"))
    assert one["basedOn"] == [world.read("Task", task)["focus"]]
    assert one["category"][0]["coding"][0]["code"] == "notification"


def test_a_denial_is_told_with_its_reason_and_not_as_a_closure_beside(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task, status="rejected", statusReason={"text": "Not a benefit."})
    assert set(told(world)) == {("denied", SHELTER), ("denied", "Patient/robin")}
    assert "The reason: Not a benefit. Your plan" in told(world)["denied", "Patient/robin"]


def test_what_could_not_be_delivered_is_closed_with_its_reason(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task)
    world.move(child(world, task)["id"], HOUSE_CLIENT, status="accepted")
    world.move(child(world, task)["id"], HOUSE_CLIENT, status="failed", statusReason=WHY)
    world.work()
    assert told(world)["closed", SHELTER].endswith("The reason: Invented reason.")


def test_nobody_is_told_the_same_twice_and_a_second_provider_is_told_of(world: World) -> None:
    task = world.refer()
    world.work()
    world.authorize(task)
    world.move(child(world, task)["id"], HOUSE_CLIENT, status="rejected", statusReason=WHY)
    world.work()
    before = {one["id"] for one in world.all("Communication")}
    world.move(task, SHELTER_CLIENT, description="Asks again")
    world.work()
    assert {one["id"] for one in world.all("Communication")} == before
    assign(world, task, "Organization/other-house")
    fresh = [one for one in world.all("Communication") if one["id"] not in before]
    assert {one["topic"]["coding"][0]["code"] for one in fresh} == {"assigned"}
    assert len(fresh) == 2


def test_a_member_is_told_in_its_language_where_a_text_is_configured(world: World) -> None:
    world.rules = replace(RULES, tables={"text": (SPANISH,)})
    world.have({**world.read("Patient", "robin"), "communication": speaking("es-MX")})
    task = world.refer()
    world.work()
    world.authorize(task)
    mine = {one["topic"]["coding"][0]["code"]: one for one in world.all("Communication") if _is_members(one)}
    assert (mine["assigned"]["language"], "extension" in mine["assigned"]) == ("es", True)
    assert mine["assigned"]["payload"][0]["contentString"].startswith("Example house le ayuda")
    assert mine["authorized"]["language"] == "en"
    assert mine["authorized"]["extension"] == [{"url": PREFERRED, "valueCode": "es-MX"}]
    assert told(world)["assigned", SHELTER].startswith("Your referral")


def _is_members(one: dict[str, Any]) -> bool:
    return bool(one["recipient"] == [to("Patient", "robin")])


def test_the_primary_care_provider_is_told_of_ecm_unless_it_is_the_one_assigned(world: World) -> None:
    for doctor, is_told in (("Organization/clinic", True), ("Organization/house", False)):
        world.have({**world.read("Patient", "robin"), "generalPractitioner": [{"reference": doctor}]})
        world.have(request(code=concept(PROGRAM, "ecm")) | {"id": f"asked-{is_told}".lower()})
        task = world.refer(focus=to("ServiceRequest", f"asked-{is_told}".lower()))
        world.work()
        world.authorize(task)
        parts = [one for one in world.all("Communication") if one["partOf"] == [to("Task", task)]]
        assert (doctor in [one["recipient"][0]["reference"] for one in parts]) is is_told


def test_the_clock_of_the_primary_care_providers_notice_stops_when_it_has_left(world: World) -> None:
    from tests.hub.referrals.test_clock_tasks import state

    world.have({**world.read("Patient", "robin"), "generalPractitioner": [to("Organization", "clinic")]})
    world.have(request(code=concept(PROGRAM, "ecm")) | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    assert state(world, "pcp-notice") == ["running"]
    one = next(one for one in world.all("Communication") if one["topic"]["coding"][0]["code"] == "pcp")
    world.have({**one, "status": "completed", "sent": world.now().isoformat()}, access=SYSTEM)
    world.work()
    assert state(world, "pcp-notice") == ["met"]


def test_a_referral_to_the_plan_itself_is_told_of_as_well(world: World) -> None:
    world.have(request() | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": PLAN})
    world.work()
    world.move(task, replace(SYSTEM, source=PLAN), status="rejected", statusReason=WHY)
    world.work()
    assert set(told(world)) == {("denied", SHELTER), ("denied", "Patient/robin")}


def test_a_referral_between_two_others_is_theirs_to_tell(world: World) -> None:
    world.have(request() | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"), owner=to("Organization", "house"))
    world.work()
    world.move(task, HOUSE_CLIENT, status="rejected", statusReason=WHY)
    world.work()
    assert told(world) == {}


def test_each_shipped_text_is_filled_and_each_notice_has_one_for_referrer_and_member() -> None:
    words = {name: f"<{name}>" for name in PLACES}
    texts = Texts()
    for notice in NOTICES:
        for reader in READERS[:2]:
            said = texts.said(notice, reader, "", words)
            assert "{" not in said.text
            assert said.language == "en"


@pytest.mark.parametrize(
    "wrong",
    [
        {"notice": "invented"},
        {"reader": "everybody"},
        {"text": "{name}"},
        {"text": "{"},
        {"text": "{0}"},
        {"more": "x"},
    ],
    ids=str,
)
def test_a_text_that_cannot_be_used_keeps_the_hub_from_starting(wrong: dict[str, str]) -> None:
    with pytest.raises(CannotStart):
        Texts([SPANISH | wrong])
