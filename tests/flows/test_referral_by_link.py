"""A shelter refers a member through the hub; a house without FHIR opens a signed link in Chromium, accepts, tells
that it has begun, and closes with what was done; or it declines. The shelter reads all of it in its own Task."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from hub import clock
from hub.referrals.links import PATH, Link, signed
from hub.settings import read_settings
from tests.flows.browsing import Person
from tests.flows.county_partners import organization, partner, session
from tests.flows.hub_process import HubProcess
from tests.flows.referring import MEMBER, PANEL, Asking, brought, to

REFERRALS = 'organization = "Organization/hub"\nauthorization = "none"\n'
YESTERDAY = (clock.now() - timedelta(days=1)).date().isoformat()  # here, and in California
DEAD = "This link does not work, or not any more"
NAME = "Robin Testperson-Alder"


class Shelter(Asking):
    """It refers, and reads what becomes of it."""

    def asks_the_house(self) -> str:
        """The referral, when the hub has asked the house."""
        _, referral = self.refers()
        self.waits(referral, "awaiting-acceptance")
        return referral


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[HubProcess]:
    (tmp_path / "referrals.toml").write_text(REFERRALS)
    found = HubProcess(tmp_path, database_url)
    found.command("migrate")
    brought(database_url, *(organization(name) for name in ("hub", "shelter", "house")), MEMBER, PANEL)
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
    referral = shelter.asks_the_house()
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
    referral = shelter.asks_the_house()
    link = hub.command("referrals", "link", referral).strip()
    custodian = session(hub, partner(hub, "custodian", "custodian"))
    asked = custodian.get(f"{hub.fhir}/Task?owner=Organization/house&code=fulfill", timeout=20).json()
    task = asked["entry"][0]["resource"]["id"]
    key = read_settings({"HUB_DATA_DIR": str(hub.folder)}).secret_key()
    ended = signed(Link(task, "Organization/house", int(clock.now().timestamp()) - 1, "letter"), key)
    forged = signed(Link(task, "Organization/house", 2**40, "letter"), b"a key that is not the hub's, not")
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
