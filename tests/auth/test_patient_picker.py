"""Choosing a patient: only those the person may see are listed, found or taken."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from auth import clients
from auth.authorization_codes import redeem
from hub.clock import now as real
from hub.store import tables
from hub.store.engine import Database
from tests.auth.browsing import (
    APP,
    BACK,
    HARBOR,
    VERIFIER,
    Browser,
    Page,
    address,
    app_client,
    emptied,
    have,
    have_user,
    patient,
    site,
    told,
)
from tests.auth.conftest import HandClock
from tests.auth.test_launch import episode

SCOPE = "launch/patient openid patient/Observation.r"
ASKED = address(scope=SCOPE)


@pytest.fixture
def people(database: Database) -> Iterator[Database]:
    emptied(database)
    have_user(database)
    with database.write() as connection:
        clients.add(connection, app_client(), real())
    have(
        database,
        {"resourceType": "Organization", "id": "harbor", "name": "Harbor Demo"},
        patient("ann", "Ann", "Invented", "1980-04-02", gender="female"),
        patient("bob", "Bob", "Invented", "1975-01-31", identifier=[{"system": "urn:x", "value": "MRN-77"}]),
        patient("cleo", "Cleo", "Madeup", "1999-12-01"),
    )
    yield database
    emptied(database)


@pytest.fixture
def browser(people: Database, clock: HandClock) -> Browser:
    return Browser(site(people, clock))


def role(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(tables.client.update().values(role=name))


def listed(page: TestResponse) -> set[str]:
    assert page.status_code == 200, page.text
    return {each["value"] for each in Page(page.text).inputs if each["name"] == "patient"}


def search(browser: Browser, page: TestResponse, text: str) -> TestResponse:
    return browser.send(page, "/auth/patient", having="search", search=text)


def choose(browser: Browser, page: TestResponse, identity: str) -> TestResponse:
    form = next(f for f in Page(page.text).forms if f.action == "/auth/decision")
    return browser.post("/auth/patient", dict([*form.fields, ("patient", identity)]))


def given(database: Database, clock: HandClock, answer: TestResponse) -> str:
    with database.write() as connection:
        client = clients.find(connection, APP)
        assert client
        found: str = redeem(connection, client, told(answer)["code"], BACK, VERIFIER, clock()).context["patient"]
        return found


def test_a_person_chooses_a_patient_and_the_app_is_told_which(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    page = browser.to(ASKED)
    assert listed(page) == {"ann", "bob", "cleo"}
    consent = browser.send(page, "/auth/patient", having="patient", patient="bob")
    assert "Bob Invented" in consent.text
    assert given(people, clock, browser.allow(consent)) == "bob"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"ann", "bob", "cleo"}),
        ("inv", {"ann", "bob"}),
        ("Ann Invented", {"ann"}),
        ("invented ann", {"ann"}),
        ("ann madeup", set()),
        ("1975-01-31", {"bob"}),
        ("1980-04", {"ann"}),
        ("1980-13-99", set()),
        ("MRN-77", {"bob"}),
        ("mrn-7", set()),
        ("x,ann", set()),
        ("$ | \\", set()),
        ("%", set()),
        ("_nn", set()),
        ("' OR 1=1", set()),
        ("\x00", set()),
        ("x" * 5000, set()),
        (" ".join(["ann"] * 200), {"ann"}),
    ],
)
def test_patients_are_found_by_name_birth_date_and_number(browser: Browser, text: str, found: set[str]) -> None:
    assert listed(search(browser, browser.to(ASKED), text)) == found


def test_what_was_searched_for_is_escaped(browser: Browser) -> None:
    page = search(browser, browser.to(ASKED), "<script>x</script>")
    assert Page(page.text).scripts == 0


def test_a_name_in_a_record_is_escaped(browser: Browser, people: Database) -> None:
    have(people, patient("dot", "<script>", "x"))
    assert Page(browser.to(ASKED).text).scripts == 0


def test_a_long_list_says_that_there_are_more(browser: Browser, people: Database) -> None:
    have(people, *(patient(f"many-{number}", "Pat", f"Invented{number}") for number in range(20)))
    page = browser.to(ASKED)
    assert len(listed(page)) == 20
    assert "There are more" in page.text
    assert "There are more" not in search(browser, page, "cleo").text


def test_no_address_names_a_patient(browser: Browser) -> None:
    page = browser.to(ASKED)
    consent = browser.send(page, "/auth/patient", having="patient", patient="bob")
    answer = browser.allow(consent)
    assert "bob" not in answer.headers["Location"]
    assert {form.action for form in Page(page.text).forms} == {"/auth/patient", "/auth/decision", "/auth/sign-out"}


def test_staff_see_the_patients_of_their_organization_and_no_others(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    role(people, "ehr")
    have_user(people, "lee", ("ehr",), organization=HARBOR)
    have(people, episode("ann", HARBOR))
    page = browser.to(ASKED, "lee")
    assert listed(page) == {"ann"}
    assert listed(search(browser, page, "bob")) == set()
    refused = choose(browser, page, "bob")
    assert refused.status_code == 403
    assert "cannot be chosen" in refused.text
    consent = choose(browser, page, "ann")
    assert told(browser.allow(consent, patient="bob"))["error"] == "access_denied"
    assert given(people, clock, browser.allow(consent)) == "ann"


def test_who_is_no_longer_seen_at_the_decision_is_not_given(browser: Browser, people: Database) -> None:
    role(people, "ehr")
    have_user(people, "lee", ("ehr",), organization=HARBOR)
    have(people, episode("ann", HARBOR))
    consent = choose(browser, browser.to(ASKED, "lee"), "ann")
    have(people, {**episode("ann", HARBOR), "status": "cancelled"})
    assert told(browser.allow(consent))["error"] == "access_denied"


@pytest.mark.parametrize("name", ["auditor", "operator"])
def test_a_role_without_patients_has_an_empty_list(people: Database, clock: HandClock, name: str) -> None:
    role(people, name)
    have_user(people, "sam", (name,), organization=HARBOR)
    browser = Browser(site(people, clock, HUB_MFA_ROLES="none"))
    page = browser.to(ASKED, "sam")
    assert listed(page) == set()
    assert choose(browser, page, "ann").status_code == 403


def test_a_hidden_and_a_missing_patient_are_refused_alike(browser: Browser, people: Database) -> None:
    role(people, "ehr")
    have_user(people, "lee", ("ehr",), organization=HARBOR)
    page = browser.to(ASKED, "lee")
    hidden, missing = choose(browser, page, "bob"), choose(browser, page, "nobody")
    assert (hidden.status_code, hidden.text) == (missing.status_code, missing.text)


def test_a_member_has_no_choice_but_their_own_record(browser: Browser, people: Database, clock: HandClock) -> None:
    role(people, "member")
    have_user(people, "cleo", ("member",), fhir_user="Patient/cleo")
    consent = browser.to(ASKED, "cleo")
    assert "Cleo Madeup" in consent.text
    assert "Allow" in consent.text
    assert told(browser.allow(consent, patient="ann"))["error"] == "access_denied"
    assert choose(browser, consent, "ann").status_code == 403
    assert given(people, clock, browser.allow(consent)) == "cleo"


def related(identity: str, whose: str, **parts: Any) -> dict[str, Any]:
    return {"resourceType": "RelatedPerson", "id": identity, "patient": {"reference": f"Patient/{whose}"}, **parts}


def day(days: int) -> str:
    return (real() + timedelta(days=days)).date().isoformat()


@pytest.mark.parametrize(
    ("parts", "allowed"),
    [
        ({}, True),
        ({"active": True, "period": {"start": day(-9), "end": day(9)}}, True),
        ({"active": False}, False),
        ({"period": {"end": day(-2)}}, False),
        ({"period": {"start": day(2)}}, False),
    ],
)
def test_a_related_person_stands_for_whom_the_record_says_while_it_says_so(
    browser: Browser, people: Database, clock: HandClock, parts: dict[str, Any], allowed: bool
) -> None:
    role(people, "member")
    have_user(people, "pat", ("member",), fhir_user="RelatedPerson/pat")
    have(people, related("pat", "ann", **parts))
    page = browser.to(ASKED, "pat")
    if allowed:
        assert given(people, clock, browser.allow(page)) == "ann"
    else:
        assert listed(page) == set()
        assert choose(browser, page, "ann").status_code == 403


def test_a_related_person_who_is_not_recorded_stands_for_nobody(browser: Browser, people: Database) -> None:
    role(people, "member")
    have_user(people, "pat", ("member",), fhir_user="RelatedPerson/nowhere")
    assert listed(browser.to(ASKED, "pat")) == set()


def test_the_picker_needs_a_session_and_a_genuine_form(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    page = browser.to(ASKED)
    stranger = Browser(site(people, clock))
    assert stranger.send(page, "/auth/patient", having="search").status_code == 403
    assert browser.send(page, "/auth/patient", having="search", form_token="").status_code == 403


def test_a_person_cancels(browser: Browser) -> None:
    page = browser.to(ASKED)
    assert told(browser.send(page, "/auth/decision", decision="deny"))["error"] == "access_denied"


def test_without_a_scope_about_one_patient_nobody_is_chosen(browser: Browser) -> None:
    assert "Choose a patient" not in browser.to(address(scope="openid user/Patient.rs")).text
