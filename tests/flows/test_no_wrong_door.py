"""A neighbour refers by a library's form, in Chromium and with the keyboard alone; a house without FHIR is asked by
a link in a mail, accepts, and closes by a line of a file in its folder (docs/referrals.md)."""

import csv
import re
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from hub import clock
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.referrals.effects import effects
from hub.referrals.form import FIELDS
from hub.referrals.links import PATH
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.flows.browsing import Person
from tests.flows.county_partners import eventually, organization, partner, session
from tests.flows.hub_process import HubProcess
from tests.flows.test_referral_by_link import DEAD, MEMBER, NAME
from tests.hub.notifications.deliver.test_channels import Mailroom, _Relay

MAILBOX = "asked@house.invalid"
REFERRALS = f"""
organization = "Organization/hub"
authorization = "none"
[[contact]]
organization = "Organization/house"
email = "{MAILBOX}"
door = "link"
"""
FEEDS = """
[feeds.house]
kind = "referral-answers"
organization = "Organization/house"
folder = {{ path = "{folder}/house", match = "*.csv", quiet_seconds = 0 }}
"""
YESTERDAY = (clock.now() - timedelta(days=1)).date().isoformat()  # here, and in California
BORN = "1980-04-02"


@pytest.fixture
def room() -> Iterator[Mailroom]:
    """A mail relay."""
    made = Mailroom()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Relay) as server:
        server.daemon_threads = True
        server.room = made  # type: ignore[attr-defined]
        made.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def hub(database_url: str, tmp_path: Path, room: Mailroom) -> Iterator[HubProcess]:
    (tmp_path / "house" / "in").mkdir(parents=True)
    (tmp_path / "referrals.toml").write_text(REFERRALS)
    (tmp_path / "feeds.toml").write_text(FEEDS.format(folder=tmp_path))
    mail = {"HUB_SMTP_HOST": "127.0.0.1", "HUB_SMTP_PORT": str(room.port), "HUB_SMTP_TLS": "none"}
    found = HubProcess(
        tmp_path, database_url, HUB_FILES_EVERY_SECONDS="1", HUB_EMAIL_FROM="hub@county.invalid", **mail
    )
    found.command("migrate")
    database = Database(database_url)
    own = Transactions(database, lambda *_: (), effects, "http://hub.invalid/fhir")
    known = (*(organization(name) for name in ("hub", "library", "house")), MEMBER | {"birthDate": BORN})
    entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in known]
    own.commit(entries, Access.system("a story"), many=True)
    database.close()
    found.command("identity", "index")
    found.start()
    try:
        yield found
    finally:
        found.stop()


def by_keyboard(driver: webdriver.Chrome, said: dict[str, str]) -> list[str]:
    """Go through the form with the tab key, write into each field, and send it with Enter; the fields that
    came."""
    seen: list[str] = []
    driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    while (here := driver.switch_to.active_element).tag_name != "button":
        name = str(here.get_attribute("id"))
        assert name not in seen, "the tab key does not come to the button"
        seen.append(name)
        here.send_keys(said.get(name, ""))
        here.send_keys(Keys.TAB)
    here.send_keys(Keys.ENTER)
    return seen


def referral(api: requests.Session, hub: HubProcess) -> str:
    """The one referral that the hub coordinates, of the member."""

    def found() -> list[dict[str, object]]:
        answer = api.get(f"{hub.fhir}/Task?owner=Organization/hub&code=fulfill", timeout=20).json()
        return [one["resource"] for one in answer.get("entry", ())]

    eventually(lambda: len(found()) == 1, "the form has become a referral")
    (task,) = found()
    assert task["for"] == {"reference": "Patient/robin"}
    return f"Task/{task['id']}"


def test_a_form_a_mailed_link_and_a_line_of_a_file_close_the_loop(
    hub: HubProcess, room: Mailroom, browser: webdriver.Chrome
) -> None:
    person = Person(browser)
    form = hub.command("referrals", "form-link", "--organization", "Organization/library").strip()
    person.open(form)
    person.sees("Who needs help")
    said = {"referrer": "Kim Samplewood", "relation": "Family", "contact": "555-0199", "given": "Robin",
            "family": "Testperson-Alder", "cin": "91234567A", "service": "Housing Deposits"}  # fmt: skip
    assert by_keyboard(browser, said) == [one.name for one in FIELDS]
    person.sees("This is not sent yet")
    person.click(By.LINK_TEXT, "Write the birth date as year-month-day, such as 1980-04-02.")
    assert browser.switch_to.active_element.get_attribute("id") == "born"
    browser.switch_to.active_element.send_keys(BORN)
    person.press("Send the referral")
    person.sees("Your referral is kept.")

    api = session(hub, partner(hub, "custodian", "custodian"))
    task = referral(api, hub)
    assert "Housing Deposits" not in str(room.taken)
    hub.command("referrals", "assign", task, "Organization/house")
    eventually(lambda: any(one["To"] == MAILBOX for one in room.taken), "the house is asked by mail")
    (mail,) = [one for one in room.taken if one["To"] == MAILBOX]
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    address = re.search(rf"{re.escape(PATH)}(\S+)", text.decode())
    assert address
    link = f"{hub.base}{PATH}{address[1]}"
    assert NAME not in mail.as_string() + text.decode()
    person.open(link)
    person.sees(NAME)
    person.press("Accept this referral")
    person.sees("You accepted it.")

    hub.command("send", "referrals", "house", "--name", "open.csv")
    with (hub.folder / "house" / "out" / "open.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["status"], row["born"]) == (NAME, "accepted", BORN)
    answers = hub.folder / "house" / "in" / "answers.csv"
    line = f"{row['task']},complete,,Deposit paid (invented),{YESTERDAY}"
    answers.with_suffix(".part").write_text(f"task,answer,reason,done,day\n{line}\n")
    answers.with_suffix(".part").rename(answers)

    def status() -> str:
        return str(api.get(f"{hub.fhir}/{task}", timeout=20).json().get("status"))

    eventually(lambda: status() == "completed", "the loop is closed")
    person.open(link)
    person.sees("It is closed: done.")
    assert NAME not in browser.page_source
    listed = hub.command("referrals", "links")
    (letter,) = re.findall(r"Communication/\S+", listed)
    hub.command("referrals", "revoke", letter)
    person.open(link)
    person.sees(DEAD)
