"""A shelter refers a member through the hub; a house without FHIR opens a signed link in Chromium, accepts, tells
that it has begun, and closes with what was done; or it declines. The shelter reads all of it in its own Task."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By

from hub import clock
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.fhir.systems import CIN_SYSTEM, COMMUNITY_SUPPORT, TASK_CODE
from hub.referrals.effects import effects
from hub.referrals.links import PATH, Link, signed
from hub.settings import read_settings
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.flows.browsing import Person
from tests.flows.county_partners import eventually, organization, partner, post, session
from tests.flows.hub_process import HubProcess

REFERRALS = 'organization = "Organization/hub"\nauthorization = "none"\n'
YESTERDAY = (clock.now() - timedelta(days=1)).date().isoformat()  # here, and in California
DEAD = "This link does not work, or not any more"
NAME = "Robin Testperson-Alder"


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def coded(system: str, code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


MEMBER = {"resourceType": "Patient", "id": "robin", "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}],
          "name": [{"family": "Testperson-Alder", "given": ["Robin"]}]}  # fmt: skip
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


@dataclass
class Shelter:
    """It refers, and reads what becomes of it."""

    hub: HubProcess
    api: requests.Session

    def refers(self) -> str:
        """The referral, when the hub has asked the house."""
        request = post(self.api, self.hub, REQUEST)
        made = f"Task/{post(self.api, self.hub, {**TASK, 'focus': to(f'ServiceRequest/{request}')})}"
        self.waits(made, "awaiting-acceptance")
        return made

    def read(self, reference: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{self.hub.fhir}/{reference}", timeout=20).json()
        return found

    def waits(self, referral: str, step: str) -> None:
        eventually(lambda: step in str(self.read(referral).get("businessStatus")), f"the referral is {step}")

    def sees(self, referral: str, status: str) -> None:
        eventually(lambda: self.read(referral)["status"] == status, f"the shelter sees {status}")


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[HubProcess]:
    (tmp_path / "referrals.toml").write_text(REFERRALS)
    found = HubProcess(tmp_path, database_url)
    found.command("migrate")
    database = Database(database_url)
    own = Transactions(database, lambda *_: (), effects, "http://hub.invalid/fhir")
    known = (*(organization(name) for name in ("hub", "shelter", "house")), MEMBER, PANEL)
    entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in known]
    own.commit(entries, Access.system("a story"), many=True)
    database.close()
    found.start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def shelter(hub: HubProcess) -> Shelter:
    return Shelter(hub, session(hub, partner(hub, "shelter", "ecm-provider")))


@pytest.fixture
def person(browser: webdriver.Chrome) -> Person:
    return Person(browser)


def write(person: Person, field: str, text: str) -> None:
    person.driver.find_element(By.ID, field).send_keys(text)


def test_a_house_without_fhir_accepts_delivers_and_closes(
    hub: HubProcess, shelter: Shelter, person: Person
) -> None:
    referral = shelter.refers()
    link = hub.command("referrals", "link", referral).strip()
    assert "robin" not in link.lower()
    person.open(link)
    person.sees(NAME)
    person.sees("Housing Deposits")
    assert shelter.read(referral)["status"] == "requested"

    person.press("Accept this referral")
    person.sees("Your answer is kept.")
    person.sees("You accepted it.")
    shelter.sees(referral, "accepted")
    person.press("Say that work has begun")
    person.sees("Work has begun.")
    shelter.sees(referral, "in-progress")

    # what is missing is told where it is missing
    person.press("Close as done")
    person.sees("Write what was done.")
    person.click(By.LINK_TEXT, "Write what was done.")
    assert person.driver.switch_to.active_element.get_attribute("id") == "completed-done"
    write(person, "completed-done", "Deposit paid (invented)")
    write(person, "completed-day", YESTERDAY)
    person.press("Close as done")
    person.sees("It is closed: done.")
    shelter.sees(referral, "completed")
    (output,) = shelter.read(referral)["output"]
    procedure = output["valueReference"]["reference"]
    custodian = session(hub, partner(hub, "custodian", "custodian"))
    done = custodian.get(f"{hub.fhir}/{procedure}", timeout=20).json()
    assert done["code"] == {"text": "Deposit paid (invented)"}
    assert done["performer"] == [{"actor": to("Organization/house")}]

    # the same link later: the state, and nothing to send
    person.open(link)
    person.sees("It is closed: done.")
    assert person.driver.find_elements(By.TAG_NAME, "form") == []
    assert hub.command("referrals", "link", referral, check=False).startswith("business-rule")


def test_a_house_declines_and_a_dead_link_shows_nothing(hub: HubProcess, shelter: Shelter, person: Person) -> None:
    referral = shelter.refers()
    link = hub.command("referrals", "link", referral).strip()
    custodian = session(hub, partner(hub, "custodian", "custodian"))
    asked = custodian.get(f"{hub.fhir}/Task?owner=Organization/house&code=fulfill", timeout=20).json()
    task = asked["entry"][0]["resource"]["id"]
    key = read_settings({"HUB_DATA_DIR": str(hub.folder)}).secret_key()
    ended = signed(Link(task, "Organization/house", int(clock.now().timestamp()) - 1), key)
    forged = signed(Link(task, "Organization/house", 2**40), b"a key that is not the hub's, not")
    for dead in (ended, forged):
        person.open(f"{hub.base}{PATH}{dead}")
        person.sees(DEAD)
        assert NAME not in person.driver.page_source
    assert shelter.read(referral)["status"] == "requested"

    person.open(link)
    write(person, "rejected-reason", "No free flat (invented)")
    person.press("Decline this referral")
    person.sees("It was declined.")
    shelter.waits(referral, "provider-declined")
    declined = custodian.get(f"{hub.fhir}/Task/{task}", timeout=20).json()
    assert (declined["status"], declined["statusReason"]) == ("rejected", {"text": "No free flat (invented)"})
