"""A shelter refers a member to the hub; the plan authorizes through its API; a house accepts, delivers, closes. The
shelter reads each state in its own Task, the plan's return file says the same. A request that nobody decides runs
late, and escalates."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hub import clock
from hub.fhir.systems import CLOCK_STATE, CLOSURE_REASON, REFERRAL_CLOCK, REFERRAL_STATUS, SDOHCC
from hub.referrals.terms import AUTHORIZATION
from tests.flows.county_partners import eventually, organization, partner, post, session
from tests.flows.hub_process import HubProcess
from tests.flows.referring import (
    COVERAGE,
    MEMBER,
    NUMBERS,
    PANEL,
    REQUEST,
    TASK,
    Asking,
    brought,
    coded,
    return_files,
    to,
)
from tests.reference_plan.process import ReferencePlan, reference_plan

REFERRALS = f"""
organization = "Organization/hub"
[[plan]]
organization = "Organization/plan"
authorization_system = "{NUMBERS}"
"""


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[ReferencePlan]:
    with reference_plan(tmp_path) as started:
        yield started


@pytest.fixture
def hub(database_url: str, tmp_path: Path, plan: ReferencePlan) -> Iterator[HubProcess]:
    """With a shelter, a house and a plan; one referral lies there since thirty days."""
    (tmp_path / "referrals.toml").write_text(REFERRALS)
    with ExitStack() as stack:
        found = HubProcess(tmp_path, database_url, **plan.settings(HUB_PLAN_API_POLL_MINUTES="0.05"))
        return_files(found)
        found.command("migrate")
        names = ("hub", "plan", "shelter", "house", "other-plan")
        brought(database_url, *map(organization, names), MEMBER, COVERAGE, PANEL)
        brought(database_url, REQUEST | {"id": "old"}, OLD, days_ago=30)
        stack.callback(found.stop)
        found.start()
        yield found


# the plan never decides this one
OLD = {**TASK, "id": "old-referral", "owner": to("Organization/plan"), "focus": to("ServiceRequest/old")}


def test_a_referral_goes_round_and_its_return_file_says_so(
    hub: HubProcess, plan: ReferencePlan, tmp_path: Path
) -> None:
    partner(hub, "plan", "plan")
    shelter = Asking(hub, session(hub, partner(hub, "shelter", "ecm-provider")))
    house = Asking(hub, session(hub, partner(hub, "house", "ilos-provider")))

    # the shelter refers, and reads in its Task what becomes of it
    request, asked = shelter.refers()
    shelter.waits(asked, "awaiting-authorization")
    assert house.search("Task?owner=Organization/house&status=requested") == []

    # the plan decides by its API
    eventually(lambda: request in str(plan.state["referrals"]), "the plan has it")
    number = next(one for one, bundle in plan.state["referrals"].items() if request in str(bundle))
    given = {"type": coded(AUTHORIZATION, "authorization-number"), "valueString": "AUTH-7"}
    plan.decide(number, status="accepted", intent="order", output=[given])
    shelter.waits(asked, "awaiting-acceptance", 110)

    # the house answers; what is not legal is refused, with what is
    (mine,) = house.search("Task?owner=Organization/house&status=requested")
    at_house = f"Task/{mine['id']}"
    refused = house.patch(at_house, status="completed")
    assert refused.status_code == 422
    assert "accepted, rejected" in refused.json()["issue"][0]["diagnostics"]
    for status in ("accepted", "in-progress"):
        assert house.patch(at_house, status=status).status_code == 200
        shelter.sees(asked, status)
    done = {"resourceType": "Procedure", "status": "completed", "code": {"text": "Deposit paid"},
            "subject": to("Patient/robin")}  # fmt: skip
    output = [
        {
            "type": coded(SDOHCC, "resulting-activity"),
            "valueReference": to(f"Procedure/{post(house.api, hub, done)}"),
        }
    ]
    closed = {"businessStatus": coded(REFERRAL_STATUS, "closed"),
              "statusReason": coded(CLOSURE_REASON, "services-received", "Services Received")}  # fmt: skip
    wrong = house.patch(
        at_house, status="completed", output=output, businessStatus=coded(REFERRAL_STATUS, "invented")
    )
    assert (wrong.status_code, wrong.json()["issue"][0]["code"]) == (422, "code-invalid")
    assert house.patch(at_house, status="completed", output=output, **closed).status_code == 200
    shelter.sees(asked, "completed")
    assert shelter.read(asked)["output"] == output

    # who must be told, and the plan's return file
    told = {
        (one["topic"]["coding"][0]["code"], one["recipient"][0]["reference"])
        for one in shelter.search("Communication?patient=Patient/robin")
        if one["partOf"] == [to(asked)]
    }
    assert told == {
        (kind, who)
        for kind in ("authorized", "assigned", "closed")
        for who in ("Organization/shelter", "Patient/robin")
    }
    today = clock.now().date().isoformat()
    words = ("Organization/house", "--start", today, "--end", today, "--client", "plan", "--csv")
    hub.command("send", "return", "returns", *words, "--out", str(tmp_path / "rtf.csv"))
    with (tmp_path / "rtf.csv").open(newline="") as file:
        (row,) = [one for one in csv.DictReader(file) if one["Authorization Number"] == "AUTH-7"]
    assert (row["CIN"], row["Referral Status"].lower()) == ("91234567A", "loop closed")
    assert row["Reason for Referral Loop Closure"].lower() == "services received"
    assert row["Date of Referral Status Update"]

    # the old one ran out: a search finds it, and it says why
    (late,) = shelter.search(f"Task?code={REFERRAL_CLOCK}|authorization&_tag={CLOCK_STATE}|escalated")
    assert late["focus"] == to("Task/old-referral")
    why = shelter.read(f"Task/{late['id']}/$explain-clock")
    texts = [one.get("valueString", "") for one in why["parameter"] if one["name"] == "text"]
    assert "It is escalated." in texts[0]
    assert f"Task/{late['id']}" in hub.command("clocks", "list", "--state", "escalated")
