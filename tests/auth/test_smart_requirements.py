"""What SMART App Launch asks of a server and no other test holds (docs/requirements.csv, guide `smart`)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import update

from auth import clients
from auth.blueprint import blueprint
from auth.discovery import smart_configuration
from auth.guard import Guard
from auth.launch import Launch, LaunchError, check
from conformance.capability_statement import capability_statement
from hub.clock import now as real
from hub.rights.facts import facts_of
from hub.search.edges import address
from hub.settings import read_settings
from hub.sight import SEVERAL
from hub.store import tables_auth
from hub.store.engine import Database
from tests.auth.apps import ASYMMETRIC, PUBLIC, SCOPES, SYMMETRIC, Apps, app_client
from tests.auth.browsing import emptied, have, patient
from tests.auth.conftest import EHR, SETTINGS, Forge, HandClock
from tests.hub.asking import app_of, observation

FHIR = "https://hub.example/fhir"
CONTEXT: dict[str, Any] = {
    "patient": "p-1",
    "encounter": "e-1",
    "fhirContext": [
        {"reference": "ImagingStudy/1"},
        {"reference": "ImagingStudy/2", "role": "launch"},
        {"canonical": "https://q.example/1|2", "type": "Questionnaire", "role": "https://roles.example/shown"},
        {"identifier": {"system": "urn:demo", "value": "1"}, "type": "Task", "role": "https://roles.example/shown"},
    ],
    "need_patient_banner": False,
    "smart_style_url": "https://hub.example/auth/smart-style.json",
    "intent": "reconcile-medications",
    "tenant": "north",
}


@pytest.fixture
def apps(registered: Database, web: FlaskClient, clock: HandClock, rsa_key: dict[str, Any]) -> Apps:
    found = Apps(registered, web, clock, rsa_key)
    found.register()
    return found


def told(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body.get(name) for name in CONTEXT}


def test_all_of_the_launch_context_is_told_with_the_token_its_refresh_and_its_introspection(apps: Apps) -> None:
    given = {name: value for name, value in CONTEXT.items() if name in ("fhirContext", "intent", "tenant")}
    check(Launch("p-1", "e-1", context=given | {"need_patient_banner": False}))
    body = apps.tokens(SYMMETRIC, context=CONTEXT)
    assert told(body) == CONTEXT
    assert told(apps.refresh(body["refresh_token"], SYMMETRIC).get_json()) == CONTEXT
    about = apps.ask(SYMMETRIC, {"token": body["access_token"]}, "/auth/introspect").get_json()
    assert told(about) == CONTEXT
    assert (about["active"], about["scope"], about["client_id"]) == (True, body["scope"], SYMMETRIC)


@pytest.mark.parametrize(
    ("role", "good"),
    [
        ("launch", True),
        ("https://roles.example/shown", True),
        ("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", True),
        ("shown", False),
        ("roles/shown", False),
        ("", False),
        (" ", False),
        (7, False),
        (None, False),
    ],
)
def test_a_role_of_a_context_is_smarts_own_or_an_absolute_uri(role: Any, good: bool) -> None:
    launch = Launch("p-1", context={"fhirContext": [{"reference": "ImagingStudy/1", "role": role}]})
    if good:
        check(launch)
    else:
        with pytest.raises(LaunchError):
            check(launch)


@pytest.mark.parametrize("client", [PUBLIC, SYMMETRIC, ASYMMETRIC])
def test_a_refresh_is_answered_with_all_that_smart_asks_for(apps: Apps, client: str) -> None:
    answer = apps.refresh(apps.tokens(client)["refresh_token"], client)
    body = answer.get_json()
    assert {"access_token", "refresh_token", "id_token"} <= set(body)
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, SCOPES)
    assert answer.content_type == "application/json"
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


def test_a_token_fits_a_header_and_lasts_no_longer_than_an_hour(apps: Apps, web: FlaskClient, forge: Forge) -> None:
    bodies = [apps.tokens(), web.post("/auth/token", data=forge.form()).get_json()]
    assert all(len(body["access_token"]) == 43 for body in bodies)
    assert [body["expires_in"] for body in bodies] == [900, 300]
    assert bodies[1]["expires_in"] <= 300


def test_who_is_no_resource_here_is_not_granted_fhir_user(apps: Apps, registered: Database) -> None:
    with registered.write() as connection:
        connection.execute(update(tables_auth.user_account).values(fhir_user=""))
    body = apps.tokens()
    assert "fhirUser" not in body["scope"].split()
    keys = KeySet.import_key_set(apps.web.get("/auth/jwks").get_json())
    assert "fhirUser" not in jwt.decode(body["id_token"], keys, algorithms=["RS256"]).claims
    assert "fhirUser" not in apps.refresh(body["refresh_token"]).get_json()["scope"].split()


def test_a_resource_server_with_a_token_of_its_own_may_ask_about_any(
    apps: Apps, web: FlaskClient, forge: Forge
) -> None:
    apps.register_more(
        clients.Client("gateway", "G", "custodian", "system/*.rs", _keys(apps), resource_server=True),
        app_client("app-nosy", "public"),
    )
    form = forge.form(forge.assertion(iss="gateway", sub="gateway"), scope="system/*.rs")
    bearer = web.post("/auth/token", data=form).get_json()["access_token"]

    def ask(token: str, by: str) -> Any:
        headers = {"Authorization": f"Bearer {by}"}
        return web.post("/auth/introspect", data={"token": token}, headers=headers).get_json()

    token = apps.tokens(ASYMMETRIC)["access_token"]
    assert ask(token, bearer)["client_id"] == ASYMMETRIC
    assert ask(token, apps.tokens("app-nosy")["access_token"]) == {"active": False}


def _keys(apps: Apps) -> dict[str, Any]:
    from auth.development_token import public_jwks

    return public_jwks(apps.key)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "system/Observation.rs"}, "invalid_scope"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": None}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unauthorized_client"),
    ],
)
def test_an_error_of_the_token_endpoint_is_described(
    web: FlaskClient, forge: Forge, changes: dict[str, Any], error: str
) -> None:
    body = web.post("/auth/token", data=forge.form(**changes)).get_json()
    assert body["error"] == error
    if error != "unsupported_grant_type":
        assert body["error_description"]


SETS = {
    "patient access, standalone": "launch-standalone context-standalone-patient permission-patient",
    "patient access, EHR launch": "launch-ehr context-ehr-patient permission-patient",
    "clinician access, standalone": "launch-standalone permission-user permission-patient",
    "clinician access, EHR launch": "launch-ehr context-ehr-patient context-ehr-encounter permission-user "
    "permission-patient",
}


@pytest.mark.parametrize("of", SETS)
def test_the_capability_sets_of_smart_are_whole(web: FlaskClient, of: str) -> None:
    listed = set(web.get("/fhir/.well-known/smart-configuration").get_json()["capabilities"])
    assert set(SETS[of].split()) <= listed
    assert {"client-public", "client-confidential-symmetric", "client-confidential-asymmetric"} <= listed


@pytest.mark.parametrize("registration", ["off", "software-statement"])
def test_every_address_in_the_configuration_is_absolute(tmp_path: Any, registration: str) -> None:
    (tmp_path / "brands.csv").write_text("id,name,url\nharbor,Harbor,https://harbor.example\n")
    words = {"HUB_BASE_URL": "https://hub.example", "HUB_DATA_DIR": str(tmp_path), "HUB_REGISTRATION": registration}
    found = smart_configuration(read_settings(words))
    named = {name: value for name, value in found.items() if name.endswith(("_endpoint", "_uri", "_bundle"))}
    assert len(named) == (7 if registration == "off" else 8)
    assert {urlsplit(value)[:2] for value in named.values()} == {("https", "hub.example")}
    assert found["issuer"] == "https://hub.example"


def test_a_patient_that_links_to_another_is_about_both() -> None:
    """docs/access.md says so: a link opens nothing, and asks for a relation to each."""
    linked = patient("p-1", "Ann", "Invented", link=[{"other": {"reference": "Patient/p-2"}, "type": "seealso"}])
    facts = facts_of(linked, FHIR)
    assert facts.patient == SEVERAL
    assert facts.patients == {address("Patient", "p-1"), address("Patient", "p-2")}


@pytest.fixture
def hub(registered: Database, clock: HandClock) -> Iterator[Flask]:
    """Token endpoint and FHIR API together, with a patient, an encounter, and another patient."""
    emptied(registered)
    coded = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    visit: dict[str, Any] = {"resourceType": "Encounter", "id": "e-1", "status": "in-progress", "class": coded}
    have(registered, patient("p-1", "Ann", "Invented"), patient("p-2", "Bob", "Invented"))
    have(registered, visit | {"subject": {"reference": "Patient/p-1"}})
    have(registered, observation("o-1", subject={"reference": "Patient/p-1"}))
    app = app_of(registered, guard=Guard(registered, clock, FHIR).access_of)
    app.register_blueprint(blueprint(registered, SETTINGS, clock))
    yield app
    emptied(registered)


def test_patient_and_encounter_of_the_launch_are_read_with_its_token_and_no_others(
    hub: Flask, registered: Database, clock: HandClock, rsa_key: dict[str, Any]
) -> None:
    apps = Apps(registered, hub.test_client(), clock, rsa_key)
    apps.register()
    body = apps.tokens(scopes="launch openid patient/*.rs", context=CONTEXT)
    bearer = {"Authorization": f"Bearer {body['access_token']}"}

    def read(path: str) -> Any:
        return apps.web.get(f"/fhir/{path}", headers=bearer)

    assert read(f"Patient/{body['patient']}").get_json()["id"] == "p-1"
    found = read(f"Encounter/{body['encounter']}").get_json()
    assert (found["id"], found["subject"]["reference"]) == ("e-1", "Patient/p-1")
    assert read("Patient/p-2").status_code == 404
    assert [entry["resource"]["id"] for entry in read("Patient").get_json()["entry"]] == ["p-1"]


def test_who_asks_for_what_the_scopes_or_the_server_have_not_is_refused_at_once(
    hub: Flask, forge: Forge, clock: HandClock
) -> None:
    """T26"""
    web = hub.test_client()
    bearer = {"Authorization": f"Bearer {web.post('/auth/token', data=forge.form()).get_json()['access_token']}"}
    assert web.get("/fhir/Observation", headers=bearer).status_code == 403
    assert web.get("/fhir/Nothing", headers=bearer).status_code == 404
    assert web.get("/fhir/Patient", headers=bearer).status_code == 200


def test_a_token_that_ended_or_was_never_given_opens_nothing(hub: Flask, forge: Forge, clock: HandClock) -> None:
    web = hub.test_client()
    token = web.post("/auth/token", data=forge.form()).get_json()["access_token"]
    assert web.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    clock.move(300)
    for wrong in (token, "A" * 43):
        answer = web.get("/fhir/Patient", headers={"Authorization": f"Bearer {wrong}"})
        assert (answer.status_code, answer.get_json()["resourceType"]) == (401, "OperationOutcome")


def test_a_page_of_a_listed_origin_asks_for_tokens_and_for_records(registered: Database) -> None:
    app = app_of(registered, origins=("https://app.example",))
    app.register_blueprint(blueprint(registered, SETTINGS))
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    for path in ("/auth/token", "/fhir/Patient"):
        answer = app.test_client().options(path, headers=asked)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://app.example")


def test_a_backend_is_registered_before_it_asks(web: FlaskClient, forge: Forge, registered: Database) -> None:
    with registered.write() as connection:
        found = clients.find(connection, EHR)
    assert found is not None
    assert found.usable(real())
    assert web.post("/auth/token", data=forge.form(forge.assertion(iss="new", sub="new"))).status_code == 401


def test_the_capability_statement_tells_where_to_sign_in() -> None:
    """(g)(10) AUT-PAT-7: for apps of SMART 1."""
    token, authorize = "https://hub.example/auth/token", "https://hub.example/auth/authorize"
    found = capability_statement(FHIR, token, "0", "2026-01-01T00:00:00Z", authorize_endpoint=authorize)
    (extension,) = found["rest"][0]["security"]["extension"]
    assert extension["url"] == "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    assert {one["url"]: one["valueUri"] for one in extension["extension"]} == {
        "token": token,
        "authorize": authorize,
    }
