"""Revocation and introspection: what a client may end, and what it is told of a token (T19, T25, T28)."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from auth import clients
from auth.guard import Guard
from hub.clock import now as real
from hub.problems import Problem
from hub.store import tables, tables_auth
from hub.store.engine import Database
from tests.auth.apps import ASYMMETRIC, CONTEXT, PUBLIC, SCOPES, SECRET, SYMMETRIC, Apps, app_client, hashed_secret

KINDS = (PUBLIC, SYMMETRIC, ASYMMETRIC)
INTROSPECT, REVOKE = "/auth/introspect", "/auth/revoke"
WATCHER = "resource-server"


@pytest.fixture
def apps(registered: Database, web: FlaskClient, clock: Any, rsa_key: dict[str, Any]) -> Apps:
    found = Apps(registered, web, clock, rsa_key)
    found.register()
    found.register_more(
        clients.Client(
            WATCHER,
            "A Demo Gateway",
            "custodian",
            kind="confidential-symmetric",
            grant_types=(),
            secret_hash=hashed_secret(),
            resource_server=True,
        )
    )
    return found


def about(apps: Apps, client: str, path: str, token: str, **more: str) -> Any:
    if client == WATCHER:
        more = {"client_id": WATCHER, "client_secret": SECRET, **more}
        return apps.web.post(path, data={"token": token, **more})
    return apps.ask(client, {"token": token, **more}, path)


def is_let_in(guard: Guard, token: str) -> bool:
    try:
        return bool(guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {token}"}).who)
    except Problem as problem:
        return problem.status != 401


@pytest.mark.parametrize("client", [SYMMETRIC, ASYMMETRIC])
def test_a_client_is_told_what_its_token_is_worth(apps: Apps, clock: Any, client: str) -> None:
    body = apps.tokens(client)
    answer = about(apps, client, INTROSPECT, body["access_token"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    at = int(clock().timestamp())
    assert answer.get_json() == {
        "active": True,
        "scope": SCOPES,
        "client_id": client,
        "token_type": "Bearer",
        "iat": at,
        "exp": at + 900,
        "iss": "https://hub.example",
        "sub": apps.user,
        "fhirUser": "https://hub.example/fhir/Practitioner/robin",
        **{name: value for name, value in CONTEXT.items() if name != "who_launched"},
    }


def test_of_a_backends_token_there_is_no_person(apps: Apps, web: FlaskClient, forge: Any) -> None:
    token = web.post("/auth/token", data=forge.form()).get_json()["access_token"]
    found = about(apps, WATCHER, INTROSPECT, token).get_json()
    assert set(found) == {"active", "scope", "client_id", "token_type", "iat", "exp"}
    assert (found["scope"], found["client_id"]) == ("system/Patient.rs", "ehr-riverbend")


def test_without_openid_nobody_is_told_who_signed_in(apps: Apps) -> None:
    body = apps.tokens(SYMMETRIC, scopes="patient/*.rs")
    found = about(apps, SYMMETRIC, INTROSPECT, body["access_token"]).get_json()
    assert found["active"] is True
    assert {"iss", "sub", "fhirUser"} & set(found) == set()


def test_a_refresh_token_is_told_apart_and_no_more_when_it_was_used(apps: Apps) -> None:
    token = apps.tokens(SYMMETRIC)["refresh_token"]
    found = about(apps, SYMMETRIC, INTROSPECT, token, token_type_hint="access_token").get_json()
    assert found["active"] is True
    assert "token_type" not in found
    apps.refresh(token, SYMMETRIC)
    assert about(apps, SYMMETRIC, INTROSPECT, token).get_json() == {"active": False}


def test_t28_another_clients_token_is_told_to_a_resource_server_only(apps: Apps) -> None:
    for owner in KINDS:
        for token in (apps.tokens(owner)["access_token"], apps.tokens(owner)["refresh_token"]):
            for asker in (SYMMETRIC, ASYMMETRIC):
                found = about(apps, asker, INTROSPECT, token).get_json()
                assert found == {"active": False} if asker != owner else found["active"]
        token = apps.tokens(owner)["access_token"]
        assert about(apps, WATCHER, INTROSPECT, token).get_json()["client_id"] == owner


@pytest.mark.parametrize("token", ["A" * 43, "no token", "é", "x" * 4096])
def test_what_is_no_token_is_not_active_and_nothing_else(apps: Apps, token: str) -> None:
    assert about(apps, WATCHER, INTROSPECT, token).get_json() == {"active": False}


@pytest.mark.parametrize(
    "how", ["expired", "client disabled", "client expired", "person disabled", "role taken", "revoked", "gone"]
)
def test_what_is_over_is_not_active(apps: Apps, registered: Database, clock: Any, how: str) -> None:
    body = apps.tokens()
    token = body["access_token"]
    is_client = tables.client.c.id == PUBLIC
    changes = {
        "client disabled": update(tables.client).where(is_client).values(active=False),
        "client expired": update(tables.client).where(is_client).values(expires=1),
        "person disabled": update(tables_auth.user_account).values(active=False),
        "role taken": update(tables_auth.user_account).values(roles="plan"),
        "gone": tables.client.delete().where(is_client),
    }
    if how == "expired":
        clock.move(900)
    elif how == "revoked":
        assert about(apps, PUBLIC, REVOKE, token).status_code == 200
    else:
        with registered.write() as connection:
            connection.execute(changes[how])
    assert about(apps, WATCHER, INTROSPECT, token).get_json() == {"active": False}


def test_an_access_token_of_ones_own_is_proof_enough_to_ask(apps: Apps, web: FlaskClient) -> None:
    mine, second, others = (apps.tokens(client)["access_token"] for client in (PUBLIC, PUBLIC, SYMMETRIC))

    def ask(bearer: str, token: str) -> Any:
        return web.post(INTROSPECT, data={"token": token}, headers={"Authorization": f"Bearer {bearer}"})

    assert ask(mine, mine).get_json()["patient"] == "p-1"
    assert ask(mine, second).get_json()["active"] is True
    assert ask(mine, others).get_json() == {"active": False}


NO_PROOF: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
    ("nothing", {}, {}),
    ("a wrong secret", {"client_id": SYMMETRIC, "client_secret": "wrong"}, {}),
    ("a symmetric client's name", {"client_id": SYMMETRIC}, {}),
    ("an unknown client", {"client_id": "nobody"}, {}),
    ("a bearer token nobody gave", {}, {"Authorization": "Bearer " + "A" * 43}),
    ("a bearer token of another shape", {}, {"Authorization": "Bearer x.y.z"}),
)


@pytest.mark.parametrize("path", [INTROSPECT, REVOKE])
@pytest.mark.parametrize(("form", "headers"), [row[1:] for row in NO_PROOF], ids=[row[0] for row in NO_PROOF])
def test_t28_without_proof_of_a_client_it_is_401_and_nothing_happens(
    apps: Apps, web: FlaskClient, guard: Guard, path: str, form: dict[str, str], headers: dict[str, str]
) -> None:
    token = apps.tokens(SYMMETRIC)["access_token"]
    answer = web.post(path, data={"token": token, **form}, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert is_let_in(guard, token)


def test_t28_a_public_clients_name_alone_is_no_proof_to_introspect(apps: Apps, web: FlaskClient) -> None:
    answer = web.post(INTROSPECT, data={"token": apps.tokens()["access_token"], "client_id": PUBLIC})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


def test_a_refresh_token_or_one_that_is_over_is_no_proof_to_introspect(
    apps: Apps, web: FlaskClient, clock: Any
) -> None:
    body = apps.tokens()
    headers = {"Authorization": f"Bearer {body['refresh_token']}"}
    assert web.post(INTROSPECT, data={"token": body["access_token"]}, headers=headers).status_code == 401
    clock.move(900)
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert web.post(INTROSPECT, data={"token": body["access_token"]}, headers=headers).status_code == 401


@pytest.mark.parametrize("client", KINDS)
def test_an_access_token_given_back_is_over_within_10_seconds_and_the_rest_stays(
    apps: Apps, guard: Guard, clock: Any, client: str
) -> None:
    body = apps.tokens(client)
    assert is_let_in(guard, body["access_token"])
    answer = about(apps, client, REVOKE, body["access_token"])
    assert (answer.status_code, answer.data) == (200, b"")
    clock.move(10)
    assert not is_let_in(guard, body["access_token"])
    assert apps.refresh(body["refresh_token"], client).status_code == 200


@pytest.mark.parametrize("client", KINDS)
def test_a_refresh_token_given_back_takes_its_family_along(
    apps: Apps, guard: Guard, clock: Any, client: str
) -> None:
    body, other = apps.tokens(client), apps.tokens(client)
    assert about(apps, client, REVOKE, body["refresh_token"], token_type_hint="access_token").status_code == 200
    clock.move(10)
    assert not is_let_in(guard, body["access_token"])
    assert apps.refresh(body["refresh_token"], client).status_code == 400
    assert is_let_in(guard, other["access_token"])


def test_t28_another_clients_token_is_200_and_stays(apps: Apps, guard: Guard) -> None:
    body = apps.tokens(PUBLIC)
    for asker in ("app-other", SYMMETRIC, ASYMMETRIC, WATCHER):
        for token in (body["access_token"], body["refresh_token"], "A" * 43, "no token"):
            assert about(apps, asker, REVOKE, token).status_code == 200
    assert is_let_in(guard, body["access_token"])
    assert apps.refresh(body["refresh_token"]).status_code == 200


@pytest.mark.parametrize("path", [INTROSPECT, REVOKE])
def test_an_assertion_works_once_here_too(apps: Apps, web: FlaskClient, path: str) -> None:
    form = {"token": "A" * 43, **apps.credentials(ASYMMETRIC)}
    assert [web.post(path, data=form).status_code for _ in range(2)] == [200, 401]
    again = {"grant_type": "client_credentials", "scope": "system/*.rs", **form}
    assert web.post("/auth/token", data=again).status_code in (400, 401)


@pytest.mark.parametrize("path", [INTROSPECT, REVOKE])
def test_other_methods_bodies_and_doubles_are_refused_t19(apps: Apps, web: FlaskClient, path: str) -> None:
    assert web.get(path).status_code == 405
    assert web.post(path, json={"token": "x"}).status_code == 400
    form = "token=a&token=b"
    doubled = web.post(path, data=form, content_type="application/x-www-form-urlencoded")
    assert (doubled.status_code, doubled.get_json()["error"]) == (400, "invalid_request")
    assert web.post(path, data=apps.credentials(SYMMETRIC)).status_code == 400
    assert web.post(path, data={"token": "x" * 40_000}).status_code == 413


def test_what_is_revoked_on_one_node_is_over_on_the_other_sec_12(
    apps: Apps, other_node: Flask, registered: Database, auth_url: str, clock: Any
) -> None:
    there = Database(auth_url)
    guard = Guard(there, clock)
    body = apps.tokens(SYMMETRIC)
    assert is_let_in(guard, body["access_token"])
    about(apps, SYMMETRIC, REVOKE, body["refresh_token"])
    clock.move(10)
    assert not is_let_in(guard, body["access_token"])
    web = other_node.test_client()
    told = web.post(INTROSPECT, data={"token": body["access_token"], **apps.credentials(SYMMETRIC)})
    assert told.get_json() == {"active": False}
    there.close()


def test_the_register_shows_who_may_introspect(apps: Apps, registered: Database) -> None:
    with registered.write() as connection:
        clients.add(connection, app_client("app-plain", "public"), real())
        rows = connection.execute(select(tables.client).where(tables.client.c.resource_server)).all()
    assert [row.id for row in rows] == [WATCHER]


def test_a_browser_of_any_origin_may_ask_first(web: FlaskClient) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    for path in ("/auth/token", INTROSPECT, REVOKE):
        answer = web.options(path, headers=asked)
        assert answer.status_code == 204
        assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
