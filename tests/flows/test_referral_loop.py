"""A shelter refers a member to the hub; the plan authorizes through its API; a house accepts, delivers, closes. The
shelter reads each state in its own Task, the plan's return file says the same. A request that nobody decides runs
late, and escalates."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from hub import clock
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.fhir.systems import (
    CIN_SYSTEM,
    CLOCK_STATE,
    CLOSURE_REASON,
    COMMUNITY_SUPPORT,
    REFERRAL_CLOCK,
    REFERRAL_STATUS,
    SDOHCC,
    TASK_CODE,
)
from hub.referrals.effects import effects
from hub.referrals.terms import AUTHORIZATION, STEP
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.flows.county_partners import eventually, organization, partner, post, session
from tests.flows.hub_process import HubProcess
from tests.reference_plan.process import ReferencePlan, reference_plan

NUMBERS = "https://plan.example/authorization"
REFERRALS = f"""
organization = "Organization/hub"
[[plan]]
organization = "Organization/plan"
authorization_system = "{NUMBERS}"
"""
# DHCS' full lists are not public: these words are invented, as a plan would give its own
STATUS = "code,display\nclosed,Invented: loop closed\n"
FEEDS = f"""
[feeds.returns]
kind = "cs-rtf"
layout = "returns"
system = "https://house.example/returns"
organization = "Organization/house"
plan = "Organization/plan"
authorization_system = "{NUMBERS}"
"""
LAYOUT = """
kinds = ["cs-rtf"]
plan = "Example Health Plan"
sheets = ["RTF CS"]
key = ["cin", "authorization_number"]
one_of = ["cin"]
[[column]]
fact = "cin"
header = "CIN"
type = "cin"
[[column]]
fact = "authorization_number"
header = "Authorization Number"
[[column]]
fact = "referral_status"
header = "Referral Status"
type = "code"
codes = "referral_status"
[[column]]
fact = "referral_status_date"
header = "Date of Referral Status Update"
type = "date"
[[column]]
fact = "loop_closure_reason"
header = "Reason for Referral Loop Closure"
type = "code"
codes = "loop_closure_reason"
[codes.referral_status]
"Loop Closed" = "closed"
"Accepted" = "accepted"
[codes.loop_closure_reason]
"Services Received" = "services-received"
"""


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def coded(system: str, code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


MEMBER = {"resourceType": "Patient", "id": "robin", "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}],
          "name": [{"family": "Testperson-Alder", "given": ["Robin"]}]}  # fmt: skip
COVERAGE = {"resourceType": "Coverage", "id": "medi-cal", "status": "active", "beneficiary": to("Patient/robin"),
            "payor": [to("Organization/plan")]}  # fmt: skip
PANEL = {"resourceType": "Group", "id": "panel", "type": "person", "actual": True,
         "managingEntity": to("Organization/shelter"), "member": [{"entity": to("Patient/robin")}]}  # fmt: skip
REQUEST = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "intent": "order",
    "code": coded(COMMUNITY_SUPPORT, "housing-deposits", "Housing Deposits"),
    "subject": to("Patient/robin"),
    "requester": to("Organization/shelter"),
    "performer": [to("Organization/house")],
}
TASK = {
    "resourceType": "Task",
    "status": "requested",
    "intent": "order",
    "code": coded(TASK_CODE, "fulfill"),
    "for": to("Patient/robin"),
    "requester": to("Organization/shelter"),
    "owner": to("Organization/hub"),
}


def brought(database_url: str, *resources: dict[str, Any], days_ago: int = 0) -> None:
    """As other systems bring it, before the hub starts."""
    database = Database(database_url)
    own = Transactions(
        database, lambda *_: (), effects, "http://hub.invalid/fhir", lambda: clock.now() - timedelta(days=days_ago)
    )
    entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
    own.commit(entries, Access.system("a story"), many=True)
    database.close()


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[ReferencePlan]:
    with reference_plan(tmp_path) as started:
        yield started


@pytest.fixture
def hub(database_url: str, tmp_path: Path, plan: ReferencePlan) -> Iterator[HubProcess]:
    """With a shelter, a house and a plan; one referral lies there since thirty days."""
    (tmp_path / "referrals.toml").write_text(REFERRALS)
    (tmp_path / "feeds.toml").write_text(FEEDS)
    for folder, name, text in (
        ("layouts", "returns.toml", LAYOUT),
        ("terminology/codes", "referral-status.csv", STATUS),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(text)
    with ExitStack() as stack:
        found = HubProcess(tmp_path, database_url, **plan.settings(HUB_PLAN_API_POLL_MINUTES="1"))
        found.command("migrate")
        names = ("hub", "plan", "shelter", "house", "other-plan")
        brought(database_url, *map(organization, names), MEMBER, COVERAGE, PANEL)
        brought(database_url, REQUEST | {"id": "old"}, OLD, days_ago=30)
        stack.callback(found.stop)
        found.start()
        yield found


# the plan never decides this one
OLD = {**TASK, "id": "old-referral", "owner": to("Organization/plan"), "focus": to("ServiceRequest/old")}


class Asking:
    """One client at the hub's door."""

    def __init__(self, hub: HubProcess, api: requests.Session):
        self.hub, self.api = hub, api

    def read(self, reference: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{self.hub.fhir}/{reference}", timeout=20).json()
        return found

    def search(self, query: str) -> list[dict[str, Any]]:
        answer = self.api.get(f"{self.hub.fhir}/{query}", timeout=20)
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in answer.json().get("entry", ()) if one["search"]["mode"] == "match"]

    def patch(self, reference: str, **said: Any) -> requests.Response:
        steps = [{"op": "add", "path": f"/{name}", "value": value} for name, value in said.items()]
        kind = {"Content-Type": "application/json-patch+json"}
        return self.api.patch(f"{self.hub.fhir}/{reference}", json=steps, headers=kind, timeout=20)


def step(task: dict[str, Any]) -> str:
    return next(
        (one["code"] for one in task.get("businessStatus", {}).get("coding", ()) if one["system"] == STEP), ""
    )


def test_a_referral_goes_round_and_its_return_file_says_so(
    hub: HubProcess, plan: ReferencePlan, tmp_path: Path
) -> None:
    partner(hub, "plan", "plan")
    shelter = Asking(hub, session(hub, partner(hub, "shelter", "ecm-provider")))
    house = Asking(hub, session(hub, partner(hub, "house", "ilos-provider")))

    # the shelter refers, and reads in its Task what becomes of it
    request = post(shelter.api, hub, REQUEST)
    asked = f"Task/{post(shelter.api, hub, {**TASK, 'focus': to(f'ServiceRequest/{request}')})}"
    eventually(lambda: step(shelter.read(asked)) == "awaiting-authorization", "the plan is asked")
    assert house.search("Task?owner=Organization/house&status=requested") == []

    # the plan decides by its API
    eventually(lambda: f"ServiceRequest/{request}" in str(plan.state["referrals"]), "the plan has it")
    number = next(
        one for one, bundle in plan.state["referrals"].items() if f"ServiceRequest/{request}" in str(bundle)
    )
    given = {"type": coded(AUTHORIZATION, "authorization-number"), "valueString": "AUTH-7"}
    plan.decide(number, status="accepted", intent="order", output=[given])
    eventually(lambda: step(shelter.read(asked)) == "awaiting-acceptance", "the house is asked", 110)

    # the house answers; what is not legal is refused, with what is
    (mine,) = house.search("Task?owner=Organization/house&status=requested")
    at_house = f"Task/{mine['id']}"
    refused = house.patch(at_house, status="completed")
    assert refused.status_code == 422
    assert "accepted, rejected" in refused.json()["issue"][0]["diagnostics"]
    for status in ("accepted", "in-progress"):
        assert house.patch(at_house, status=status).status_code == 200
        eventually(lambda status=status: shelter.read(asked)["status"] == status, f"the shelter sees {status}")  # type: ignore[misc]
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
    eventually(lambda: shelter.read(asked)["status"] == "completed", "the shelter sees that it is closed")
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
