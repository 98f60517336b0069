"""The people of a referral: the member, the shelter that refers, the house that is asked, and what they write."""

from datetime import timedelta
from typing import Any

import requests

from hub import clock
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.fhir.systems import CIN_SYSTEM, COMMUNITY_SUPPORT, TASK_CODE
from hub.referrals.effects import effects
from hub.referrals.terms import STEP
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.flows.county_partners import eventually, post
from tests.flows.hub_process import HubProcess

NUMBERS = "https://plan.example/authorization"
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


def return_files(hub: HubProcess) -> None:
    """The house's return file to the plan, as a deployment sets it up."""
    (hub.folder / "feeds.toml").write_text(FEEDS)
    for folder, name, text in (
        ("layouts", "returns.toml", LAYOUT),
        ("terminology/codes", "referral-status.csv", STATUS),
    ):
        (hub.folder / folder).mkdir(parents=True)
        (hub.folder / folder / name).write_text(text)


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

    def refers(self) -> tuple[str, str]:
        """The request and the referral, such as `ServiceRequest/1` and `Task/1`."""
        request = f"ServiceRequest/{post(self.api, self.hub, REQUEST)}"
        return request, f"Task/{post(self.api, self.hub, {**TASK, 'focus': to(request)})}"

    def waits(self, referral: str, for_what: str, seconds: float = 60) -> None:
        eventually(lambda: step(self.read(referral)) == for_what, f"the referral is {for_what}", seconds)

    def sees(self, referral: str, status: str) -> None:
        eventually(lambda: self.read(referral)["status"] == status, f"the referrer sees {status}")


def step(task: dict[str, Any]) -> str:
    """What a referral through the hub waits for."""
    return next(
        (one["code"] for one in task.get("businessStatus", {}).get("coding", ()) if one["system"] == STEP), ""
    )
