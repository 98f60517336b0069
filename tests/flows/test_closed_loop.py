"""The whole loop: a shelter refers, the plan authorizes by API, a house without FHIR accepts by a link in Chromium
and closes it; the shelter's EHR (fhirpy) is told of each state; the plan's return file says the same."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fhirpy import SyncFHIRClient
from selenium import webdriver
from selenium.webdriver.common.by import By

from hub import clock
from hub.notifications.topics import GRAVITY
from hub.referrals.terms import AUTHORIZATION
from tests.flows import stories
from tests.flows.browsing import Person
from tests.flows.county_partners import eventually, organization, partner
from tests.flows.hub_process import HubProcess
from tests.flows.partners import Receiver, receiving
from tests.flows.referring import (
    COVERAGE,
    MEMBER,
    NUMBERS,
    PANEL,
    REQUEST,
    TASK,
    brought,
    coded,
    return_files,
    step,
    to,
)
from tests.reference_plan.process import ReferencePlan, reference_plan

REFERRALS = f"""
organization = "Organization/hub"
[[plan]]
organization = "Organization/plan"
authorization_system = "{NUMBERS}"
"""
# what the EHR is told, in this order: how the Task stands and what it waits for
STATES = (
    ("requested", "awaiting-authorization"),
    ("requested", "awaiting-acceptance"),
    ("accepted", "with-provider"),
    ("in-progress", "with-provider"),
    ("completed", "closed"),
)


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[ReferencePlan]:
    with reference_plan(tmp_path) as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hub(database_url: str, tmp_path: Path, plan: ReferencePlan, receiver: Receiver) -> Iterator[HubProcess]:
    (tmp_path / "referrals.toml").write_text(REFERRALS)
    settings = plan.settings(HUB_PLAN_API_POLL_MINUTES="0.05", HUB_WEBHOOK_HOSTS=receiver.host)
    with ExitStack() as stack:
        found = HubProcess(tmp_path, database_url, **settings)
        return_files(found)
        found.command("migrate")
        brought(database_url, *map(organization, ("hub", "plan", "shelter", "house")), MEMBER, COVERAGE, PANEL)
        stack.callback(found.stop)
        found.start()
        yield found


class Ehr:
    """The shelter's: fhirpy for what it asks and writes, a webhook for what it is told."""

    def __init__(self, hub: HubProcess, receiver: Receiver):
        token = partner(hub, "shelter", "ecm-provider").token(hub)
        self.client = SyncFHIRClient(hub.fhir, authorization=f"Bearer {token}")
        self.receiver = receiver

    def subscribes(self) -> None:
        asked = stories.subscription(f"{GRAVITY}Task", self.receiver.url)
        asked["_criteria"]["extension"][0]["valueString"] = "Task?requester=Organization/shelter"
        made = self._saved(asked)
        eventually(lambda: self._read("Subscription", made)["status"] == "active", "it is subscribed")

    def refers(self) -> tuple[str, str]:
        request = f"ServiceRequest/{self._saved(REQUEST)}"
        return request, self._saved({**TASK, "focus": to(request)})

    def sees(self, task: str, status: str, waits_for: str, seconds: float = 60) -> None:
        """It is told of this state, and finds at least that when it looks."""
        eventually(lambda: (status, waits_for) in self.told(task), f"told that it is {waits_for}", seconds)
        assert self._read("Task", task)["for"] == to("Patient/robin")

    def told(self, task: str) -> list[tuple[str, str]]:
        """The states of the Task that notices brought, in order, each once."""
        entries = [entry for body in self.receiver.events() for entry in body["entry"]]
        tasks = [entry.get("resource", {}) for entry in entries if task in entry.get("fullUrl", "")]
        return list(dict.fromkeys((one["status"], step(one)) for one in tasks if step(one)))

    def _saved(self, resource: dict[str, Any]) -> str:
        """The id that the hub gave it."""
        said = {name: value for name, value in resource.items() if name != "resourceType"}
        made = self.client.resource(resource["resourceType"], **said)
        made.save()
        return str(made.id)

    def _read(self, kind: str, identity: str) -> Any:
        return self.client.reference(kind, identity).to_resource().serialize()


def test_a_referral_is_closed_and_everybody_knows(
    hub: HubProcess, plan: ReferencePlan, receiver: Receiver, browser: webdriver.Chrome
) -> None:
    partner(hub, "plan", "plan")
    ehr, person = Ehr(hub, receiver), Person(browser)
    ehr.subscribes()
    request, task = ehr.refers()
    ehr.sees(task, *STATES[0])

    # the plan decides by its API
    eventually(lambda: request in str(plan.state["referrals"]), "the plan has it")
    number = next(one for one, bundle in plan.state["referrals"].items() if request in str(bundle))
    given = {"type": coded(AUTHORIZATION, "authorization-number"), "valueString": "AUTH-7"}
    plan.decide(number, status="accepted", intent="order", output=[given])
    ehr.sees(task, *STATES[1], seconds=110)

    # the house has a browser and a link
    person.open(hub.command("referrals", "link", f"Task/{task}").strip())
    person.sees("Testperson-Alder")
    person.press("Accept this referral")
    ehr.sees(task, *STATES[2])
    person.press("Say that work has begun")
    ehr.sees(task, *STATES[3])
    person.sees("Work has begun.")
    today = clock.now().date().isoformat()
    person.driver.find_element(By.ID, "completed-done").send_keys("Deposit paid (invented)")
    person.driver.find_element(By.ID, "completed-day").send_keys("2026-11-02")
    person.press("Close as done")
    ehr.sees(task, *STATES[4])
    assert ehr.told(task) == list(STATES)

    # the house's return file to the plan
    words = ("Organization/house", "--start", "2026-11-01", "--end", today, "--client", "plan", "--csv")
    hub.command("send", "return", "returns", *words, "--out", str(hub.folder / "rtf.csv"))
    with (hub.folder / "rtf.csv").open(newline="") as file:
        (row,) = [one for one in csv.DictReader(file) if one["Authorization Number"] == "AUTH-7"]
    assert (row["CIN"], row["Referral Status"].lower()) == ("91234567A", "loop closed")
    assert row["Reason for Referral Loop Closure"].lower() == "services received"
    assert row["Date of Referral Status Update"]
