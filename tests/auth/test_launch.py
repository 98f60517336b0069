"""EHR launches: what an EHR says is open reaches the app it is for, once, and nobody else."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner
from werkzeug.test import TestResponse

from auth import clients, launch, users
from auth.authorization_codes import redeem
from auth.clients import Client
from auth.development_token import public_jwks
from auth.housekeeping import forget_expired
from auth.launch import Launch, LaunchError
from auth.tokens import token_hash
from auth.user_commands import add_launch
from hub.clock import micros
from hub.clock import now as real
from hub.store import tables
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

TOKEN = {name: f"token-of-{name}".ljust(43, "x") for name in ("harbor-ehr", "other-ehr", "some-plan")}
SCOPE = "launch openid patient/Observation.r"
PARTS = {"client": APP, "patient": "ann", "encounter": "visit-1"}


def encounter(identity: str, whose: str) -> dict[str, Any]:
    coded = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    subject = {"reference": f"Patient/{whose}"}
    return {
        "resourceType": "Encounter",
        "id": identity,
        "status": "in-progress",
        "class": coded,
        "subject": subject,
    }


def episode(whose: str, organization: str) -> dict[str, Any]:
    return {
        "resourceType": "EpisodeOfCare",
        "id": f"episode-{whose}",
        "status": "active",
        "patient": {"reference": f"Patient/{whose}"},
        "managingOrganization": {"reference": organization},
        "period": {"start": "2020-01-01"},
    }


@pytest.fixture
def people(database: Database, ec_key: dict[str, Any], clock: HandClock) -> Iterator[Database]:
    emptied(database)
    have_user(database)
    have_user(database, "kim")
    at = micros(clock())
    with database.write() as connection:
        clients.add(connection, app_client(), real())
        clients.add(connection, app_client("second"), real())
        for identity, role in (("harbor-ehr", "ehr"), ("other-ehr", "ehr"), ("some-plan", "plan")):
            organization = f"Organization/{identity.partition('-')[0]}"
            keys = public_jwks(ec_key)
            client = Client(identity, identity, role, "system/*.cruds", keys, organization=organization)
            clients.add(connection, client, real())
            row = {"hash": token_hash(TOKEN[identity]), "client": identity, "scopes": "system/*.rs"}
            connection.execute(tables.token.insert().values(row | {"issued": at, "expires": at + 10**12}))
    have(database, {"resourceType": "Organization", "id": "harbor", "name": "Harbor Demo"})
    have(database, patient("ann", "Ann", "Invented"), patient("bob", "Bob", "Invented"))
    have(database, episode("ann", "Organization/harbor"))
    have(database, encounter("visit-1", "ann"), encounter("visit-2", "bob"))
    yield database
    emptied(database)


@pytest.fixture
def browser(people: Database, clock: HandClock) -> Browser:
    return Browser(site(people, clock))


def ask(browser: Browser, body: Any, who: str = "harbor-ehr") -> TestResponse:
    data = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {TOKEN[who]}"} if who else {}
    return browser.web.post(
        "/auth/launch", data=data, content_type="application/json", headers=headers, base_url=BASE
    )


def made(database: Database, clock: HandClock, opened: Launch, client: str = APP) -> str:
    def create(connection: Any) -> str:
        found = clients.find(connection, client)
        assert found
        return launch.create(connection, found, opened, clock(), 300)

    return database.writing(create)


def context(database: Database, clock: HandClock, answer: TestResponse) -> dict[str, Any]:
    with database.write() as connection:
        client = clients.find(connection, APP)
        assert client
        return dict(redeem(connection, client, told(answer)["code"], BACK, VERIFIER, clock()).context)


def test_what_is_open_in_the_ehr_reaches_the_app(browser: Browser, people: Database, clock: HandClock) -> None:
    other = [{"reference": "ImagingStudy/1", "role": "https://roles.example/shown"}]
    answer = ask(browser, {**PARTS, "fhirContext": other, "intent": "review", "need_patient_banner": False})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    split = urlsplit(answer.json["launch_url"])
    assert f"{split.scheme}://{split.netloc}{split.path}" == "https://app.example/launch"
    asked = {name: value for name, (value,) in parse_qs(split.query).items()}
    assert asked == {"iss": FHIR, "launch": answer.json["launch"]}
    page = browser.to(address(scope=SCOPE, launch=asked["launch"]))
    assert "Ann Invented" in page.text
    assert context(people, clock, browser.allow(page)) == {
        "patient": "ann",
        "encounter": "visit-1",
        "fhirContext": other,
        "intent": "review",
        "need_patient_banner": False,
        "smart_style_url": f"{BASE}/auth/smart-style.json",
    }


def test_the_form_of_a_launch_cannot_name_another_patient(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    page = browser.to(address(scope=SCOPE, launch=made(people, clock, Launch("ann"))))
    assert context(people, clock, browser.allow(page, patient="bob"))["patient"] == "ann"


def test_a_launch_without_a_patient_lets_the_person_choose(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    page = browser.to(address(scope=SCOPE, launch=made(people, clock, Launch())))
    assert "Choose a patient" in page.text
    chosen = browser.send(page, "/auth/patient", having="patient", patient="bob")
    assert context(people, clock, browser.allow(chosen))["patient"] == "bob"


def test_an_address_says_nothing_of_the_patient(browser: Browser) -> None:
    assert "ann" not in ask(browser, {"client": APP, "patient": "ann"}).json["launch_url"]


def test_a_launch_is_good_once(browser: Browser, people: Database, clock: HandClock) -> None:
    path = address(scope=SCOPE, launch=made(people, clock, Launch("ann")))
    first, second = browser.to(path), browser.get(path)
    assert "code" in told(browser.allow(first))
    assert told(browser.allow(second))["error"] == "invalid_request"
    assert told(browser.get(path))["error"] == "invalid_request"


def test_of_two_who_use_a_launch_at_once_one_gets_a_code(people: Database, clock: HandClock) -> None:
    value = made(people, clock, Launch("ann"))
    with people.write() as connection:
        assert [launch.use(connection, value, clock()), launch.use(connection, value, clock())] == [True, False]


@pytest.mark.parametrize("seconds", [299, 301])
def test_a_launch_is_good_for_minutes(browser: Browser, people: Database, clock: HandClock, seconds: int) -> None:
    value = made(people, clock, Launch("ann"))
    clock.move(seconds)
    answer = browser.get(address(scope=SCOPE, launch=value))
    if seconds < 300:
        assert "Sign in" in answer.text
    else:
        assert told(answer)["error"] == "invalid_request"
        with people.write() as connection:
            assert forget_expired(connection, clock()) == 0
            assert forget_expired(connection, clock() + timedelta(minutes=2)) == 1


def test_a_launch_of_another_app_is_none(browser: Browser, people: Database, clock: HandClock) -> None:
    value = made(people, clock, Launch("ann"), "second")
    assert told(browser.get(address(scope=SCOPE, launch=value)))["error"] == "invalid_request"


@pytest.mark.parametrize(("login", "error"), [("robin", None), ("kim", "access_denied")])
def test_a_launch_for_one_person_is_for_no_other(
    browser: Browser, people: Database, clock: HandClock, login: str, error: str | None
) -> None:
    with people.read() as connection:
        robin = users.found(connection, "robin").id
    page = browser.to(address(scope=SCOPE, launch=made(people, clock, Launch("ann", user=robin))), login)
    if error:
        assert told(page)["error"] == error
    else:
        assert "Allow" in page.text


def test_a_launch_about_somebody_the_person_may_not_see_is_denied(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    with people.write() as connection:
        connection.execute(tables.client.update().where(tables.client.c.id == APP).values(role="ehr"))
    have_user(people, "lee", ("ehr",), organization="Organization/harbor")
    denied = browser.to(address(scope=SCOPE, launch=made(people, clock, Launch("bob"))), "lee")
    assert told(denied)["error"] == "access_denied"
    allowed = browser.get(address(scope=SCOPE, launch=made(people, clock, Launch("ann"))))
    assert "Ann Invented" in allowed.text


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("", PARTS, 401),
        ("some-plan", PARTS, 403),
        ("other-ehr", PARTS, 400),  # who does not see the patient
        ("harbor-ehr", {**PARTS, "patient": "bob"}, 400),
        ("harbor-ehr", {**PARTS, "patient": "nobody"}, 400),
        ("harbor-ehr", {**PARTS, "encounter": "visit-2"}, 400),
        ("harbor-ehr", {**PARTS, "encounter": "nothing"}, 400),
        ("harbor-ehr", {"client": APP, "encounter": "visit-1"}, 400),
        ("harbor-ehr", {**PARTS, "patient": "../ann"}, 400),
        ("harbor-ehr", {**PARTS, "patient": 7}, 400),
        ("harbor-ehr", {**PARTS, "client": "nobody"}, 400),
        ("harbor-ehr", {**PARTS, "client": "harbor-ehr"}, 400),  # has no launch address
        ("harbor-ehr", {**PARTS, "user": "nobody"}, 400),
        ("harbor-ehr", {**PARTS, "surprise": 1}, 400),
        ("harbor-ehr", {**PARTS, "intent": ""}, 400),
        ("harbor-ehr", {**PARTS, "need_patient_banner": "yes"}, 400),
        ("harbor-ehr", {**PARTS, "fhirContext": [{}]}, 400),
        ("harbor-ehr", {**PARTS, "fhirContext": [{"role": "x"}]}, 400),
        ("harbor-ehr", {**PARTS, "fhirContext": [{"reference": "Patient/bob"}]}, 400),
        ("harbor-ehr", {**PARTS, "fhirContext": [{"reference": "Nothing/1"}]}, 400),
        ("harbor-ehr", {**PARTS, "fhirContext": "x"}, 400),
        ("harbor-ehr", "not json", 400),
        ("harbor-ehr", "[]", 400),
        ("harbor-ehr", json.dumps({**PARTS, "intent": "x" * 70_000}), 413),
    ],
)
def test_a_launch_that_may_not_be_is_refused(browser: Browser, who: str, body: Any, status: int) -> None:
    answer = ask(browser, body, who)
    assert answer.status_code == status, answer.text
    assert answer.json["resourceType"] == "OperationOutcome"


def test_missing_and_hidden_patients_are_one(browser: Browser) -> None:
    hidden, missing = (ask(browser, {"client": APP, "patient": identity}) for identity in ("bob", "nobody"))
    assert (hidden.status_code, hidden.text) == (missing.status_code, missing.text)


def test_a_context_may_name_what_smart_names() -> None:
    good = [{"canonical": "https://q.example/1"}, {"identifier": {"value": "1"}, "type": "Task"}]
    launch.check(Launch("ann", context={"fhirContext": good, "tenant": "north"}))
    with pytest.raises(LaunchError):
        launch.check(Launch("ann", context={"patient": "bob"}))


def test_an_operator_makes_a_launch_by_command(browser: Browser, people: Database, clock: HandClock) -> None:
    import typer

    app = typer.Typer()
    app.callback()(lambda: None)
    add_launch(app, lambda: people, settings)
    done = CliRunner().invoke(app, ["launch", APP, "--patient", "ann", "--user", "robin"])
    assert done.exit_code == 0, done.output
    (value,) = parse_qs(urlsplit(done.output.strip()).query)["launch"]
    assert "Ann Invented" in browser.to(address(scope=SCOPE, launch=value)).text
    for wrong in (["launch", "nobody"], ["launch", APP, "--user", "nobody"], ["launch", APP, "--encounter", "x"]):
        assert CliRunner().invoke(app, wrong).exit_code == 1
