"""The whole way of an app: a person signs in and allows, the code becomes tokens, the tokens open one record, a
refresh goes on with it, and all ends when the app gives it back."""

from collections.abc import Iterator
from typing import Any

import pytest

from auth import clients
from auth.blueprint import blueprint
from auth.guard import Guard
from hub.clock import now as real
from hub.problems import Problem
from hub.store.engine import Database
from tests.auth.browsing import (
    APP,
    BACK,
    BASE,
    FHIR,
    VERIFIER,
    Browser,
    address,
    app_client,
    emptied,
    have,
    have_user,
    patient,
    settings,
    site,
    told,
)
from tests.auth.conftest import HandClock


@pytest.fixture
def browser(database: Database, clock: HandClock) -> Iterator[Browser]:
    emptied(database)
    have(database, patient("p-1", "Robin", "Demo"))
    have_user(database, roles=("member",), fhir_user="Patient/p-1")
    with database.write() as connection:
        clients.add(connection, app_client(role="member"), real())
    app = site(database, clock)
    app.register_blueprint(blueprint(database, settings(), clock))
    yield Browser(app)
    emptied(database)


def tokens(browser: Browser, **form: str) -> Any:
    return browser.post("/auth/token", {"client_id": APP, **form})


def test_a_members_app_reads_the_members_record_from_sign_in_to_revocation(
    browser: Browser, database: Database, clock: HandClock
) -> None:
    asked = "openid fhirUser offline_access launch/patient patient/*.rs"
    answer = browser.allow(browser.to(address(scope=asked, nonce="n-1")))
    form = {"code": told(answer)["code"], "redirect_uri": BACK, "code_verifier": VERIFIER}
    first = tokens(browser, grant_type="authorization_code", **form)
    assert first.status_code == 200, first.text
    body = first.get_json()
    assert (body["patient"], body["need_patient_banner"]) == ("p-1", True)
    assert body["smart_style_url"] == f"{BASE}/auth/smart-style.json"
    assert browser.get("/auth/smart-style.json").status_code == 200
    guard = Guard(database, clock, FHIR)
    access = guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {body['access_token']}"})
    assert (access.who, access.role) == (APP, "member")
    assert access.may("read", "Patient")
    assert not access.may("update", "Patient")
    assert not access.sight.all_patients
    assert access.sight.patient
    clock.move(900)
    second = tokens(browser, grant_type="refresh_token", refresh_token=body["refresh_token"]).get_json()
    assert (second["patient"], second["scope"]) == ("p-1", asked)
    again = guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {second['access_token']}"})
    assert again.sight == access.sight
    assert browser.post("/auth/revoke", {"client_id": APP, "token": second["refresh_token"]}).status_code == 200
    clock.move(10)
    with pytest.raises(Problem) as raised:
        guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {second['access_token']}"})
    assert raised.value.status == 401
