"""The columns of a return file say what the loop says, and clocks are no rows of it."""

from typing import Any

from fhir_mappings.plan.workbook_chart import Chart, Report
from fhir_mappings.plan.workbook_loop_facts import ecm_loop
from fhir_mappings.plan.workbook_services_facts import support_facts
from hub.fhir.systems import CLOSURE_REASON, PROGRAM, REFERRAL_STATUS
from hub.referrals.terms import concept
from tests.hub.referrals.test_coordination import child
from tests.hub.referrals.world import HOUSE_CLIENT, World, request, to

REPORT = Report(
    {"resourceType": "Organization", "id": "house", "name": "Example house"},
    {"resourceType": "Organization", "id": "plan", "name": "Example plan"},
    "2026-11-01",
    "2026-11-30",
    "2026-12-01",
)


def chart(world: World) -> Chart:
    return Chart(world.read("Patient", "robin"), [*world.all("Task"), *world.all("ServiceRequest")])


def of_ecm(world: World) -> str:
    world.have(request(code=concept(PROGRAM, "ecm")) | {"id": "asked"})
    task = world.refer(focus=to("ServiceRequest", "asked"))
    world.work()
    world.authorize(task)
    return task


def test_what_a_provider_says_of_the_loop_stands_in_its_return_file(world: World) -> None:
    made = child(world, of_ecm(world))
    world.later(hours=10)  # the evening in California
    said: dict[str, Any] = {"statusReason": concept(CLOSURE_REASON, "invented", "Invented")}
    declined = concept(REFERRAL_STATUS, "declined")
    world.move(made["id"], HOUSE_CLIENT, status="rejected", businessStatus=declined, **said)
    assert ecm_loop(chart(world), REPORT) == {
        "referral_status": "declined",
        "referral_status_date": "2026-11-23",
        "loop_closure_reason": "invented",
    }


def test_a_loop_that_was_closed_by_delivery_says_that_services_were_received(world: World) -> None:
    task = of_ecm(world)
    world.move(child(world, task)["id"], HOUSE_CLIENT, status="accepted")
    world.deliver(child(world, task)["id"])
    found = ecm_loop(chart(world), REPORT)
    assert (found["referral_status"], found["loop_closure_reason"]) == ("closed", "services-received")


def test_a_clock_is_no_support_of_its_provider(world: World) -> None:
    """The house is to assess the member within six months: that clock is the house's."""
    of_ecm(world)
    owned = [one for one in world.all("Task") if one.get("owner") == to("Organization", "house")]
    assert len(owned) == 2
    (row,) = support_facts(chart(world), REPORT)
    assert row["referral_status"] == "pending"
