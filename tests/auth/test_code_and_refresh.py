"""Codes and refresh tokens: what they give, to whom, once; and what ends a family."""

import base64
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select, update

from auth import clients, users
from auth.guard import Guard
from auth.housekeeping import forget_expired
from hub.problems import Problem
from hub.store import tables, tables_auth
from hub.store.engine import Database
from tests.auth.apps import (
    ASYMMETRIC,
    BACK,
    CHALLENGE,
    CONTEXT,
    PUBLIC,
    SCOPES,
    SECRET,
    SYMMETRIC,
    VERIFIER,
    Apps,
    app_client,
)

KINDS = (PUBLIC, SYMMETRIC, ASYMMETRIC)
DAY = 86_400


@pytest.fixture
def apps(registered: Database, web: FlaskClient, clock: Any, rsa_key: dict[str, Any]) -> Apps:
    found = Apps(registered, web, clock, rsa_key)
    found.register()
    return found


def is_let_in(guard: Guard, token: str) -> bool:
    try:
        guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {token}"})
    except Problem as problem:
        told = (problem.status, problem.kind, 'error="invalid_token"' in problem.headers["WWW-Authenticate"])
        return told != (401, "login", True)
    return True


def refused(answer: Any, error: str = "invalid_grant", status: int = 400) -> None:
    assert (answer.status_code, answer.get_json()["error"]) == (status, error), answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


@pytest.mark.parametrize("client", KINDS)
def test_a_code_gives_each_kind_of_client_tokens_and_the_launch_context(apps: Apps, client: str) -> None:
    answer = apps.exchange(apps.code(client), client)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    body = answer.get_json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 900
    assert body["scope"] == SCOPES
    assert {name: body[name] for name in CONTEXT if name != "who_launched"} == {
        name: value for name, value in CONTEXT.items() if name != "who_launched"
    }
    assert "who_launched" not in body
    assert {"access_token", "refresh_token", "id_token"} <= set(body)


def test_the_access_is_the_clients_for_this_person_and_patient(
    apps: Apps, registered: Database, clock: Any
) -> None:
    guard = Guard(registered, clock, "https://hub.example/fhir")
    access = guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {apps.tokens()['access_token']}"})
    assert (access.who, access.role, access.user) == (PUBLIC, "custodian", apps.user)
    assert access.may("read", "Observation")
    assert access.may("search-type", "Task")
    assert not access.may("update", "Task")
    assert access.sight.patient  # patient/ scopes: this patient, and no other


def test_the_id_token_is_signed_by_the_published_key_and_names_the_person(
    apps: Apps, web: FlaskClient, clock: Any
) -> None:
    body = apps.tokens(nonce="n-0S6_WzA2Mj")
    published = web.get("/auth/jwks").get_json()
    assert all(set(key) & {"d", "p", "q", "k"} == set() for key in published["keys"])
    token = jwt.decode(body["id_token"], KeySet.import_key_set(published), algorithms=["RS256"])
    at = int(clock().timestamp())
    assert token.header["alg"] == "RS256"
    assert token.claims == {
        "iss": "https://hub.example",
        "sub": apps.user,
        "aud": PUBLIC,
        "iat": at,
        "exp": at + 300,
        "auth_time": at,
        "nonce": "n-0S6_WzA2Mj",
        "fhirUser": "https://hub.example/fhir/Practitioner/robin",
    }


def test_what_the_scopes_do_not_ask_for_is_not_told(apps: Apps) -> None:
    body = apps.tokens(scopes="patient/*.rs", context={})
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}


def test_without_fhir_user_among_the_scopes_the_id_token_names_no_resource(apps: Apps, web: FlaskClient) -> None:
    body = apps.tokens(scopes="openid patient/*.rs", nonce="")
    keys = KeySet.import_key_set(web.get("/auth/jwks").get_json())
    claims = jwt.decode(body["id_token"], keys, algorithms=["RS256"]).claims
    assert {"fhirUser", "nonce"} & set(claims) == set()


def test_version_1_scopes_are_answered_as_they_were_granted(apps: Apps) -> None:
    assert apps.tokens(scopes="openid patient/*.read")["scope"] == "openid patient/*.read"


# T21 and T22 at the token endpoint: what a code needs beside itself
CODE_FAULTS = (
    ("T21 no verifier", {"code_verifier": None}),
    ("T21 a blank verifier", {"code_verifier": ""}),
    ("T21 a wrong verifier", {"code_verifier": "w" * 64}),
    ("T21 a verifier that is too short", {"code_verifier": "v" * 42}),
    ("T21 the challenge itself, as for plain", {"code_verifier": CHALLENGE}),
    ("T21 a verifier with odd characters", {"code_verifier": "é" * 64}),
    ("T22 no redirect_uri", {"redirect_uri": None}),
    ("T22 a redirect_uri that differs by a character", {"redirect_uri": BACK + "/"}),
    ("T22 a redirect_uri with other letters", {"redirect_uri": BACK.upper()}),
    ("no code", {"code": None}),
    ("a code nobody gave", {"code": "A" * 43}),
    ("a code that is none", {"code": "é' OR 1 --"}),
)


@pytest.mark.parametrize("changes", [changes for _, changes in CODE_FAULTS], ids=[name for name, _ in CODE_FAULTS])
def test_a_code_shown_with_a_fault_gives_nothing_and_is_good_still(
    apps: Apps, registered: Database, changes: dict[str, str | None]
) -> None:
    code = apps.code()
    refused(apps.exchange(code, **changes))
    with registered.read() as connection:
        assert connection.execute(select(tables.token)).all() == []
    assert apps.exchange(code).status_code == 200


def test_a_code_is_good_for_a_minute(apps: Apps, clock: Any) -> None:
    code, late = apps.code(), apps.code()
    clock.move(59)
    assert apps.exchange(code).status_code == 200
    clock.move(1)
    refused(apps.exchange(late))


def test_a_code_is_for_the_client_it_was_given_to(apps: Apps) -> None:
    code = apps.code(PUBLIC)
    for other in ("app-other", SYMMETRIC, ASYMMETRIC):
        refused(apps.exchange(code, other))
    assert apps.exchange(code, PUBLIC).status_code == 200


def test_t20_a_code_shown_again_ends_all_that_came_of_it(apps: Apps, guard: Guard, clock: Any) -> None:
    code = apps.code()
    first = apps.exchange(code).get_json()
    apart = apps.tokens()
    later = apps.refresh(first["refresh_token"]).get_json()
    refused(apps.exchange(code))
    for body in (first, later):
        assert not is_let_in(guard, body["access_token"])
        refused(apps.refresh(body["refresh_token"]))
    assert is_let_in(guard, apart["access_token"])
    assert apps.refresh(apart["refresh_token"]).status_code == 200


def test_t20_a_code_shown_by_another_client_ends_nothing(apps: Apps, guard: Guard) -> None:
    code = apps.code()
    first = apps.exchange(code).get_json()
    refused(apps.exchange(code, "app-other"))
    assert is_let_in(guard, first["access_token"])


def test_a_code_asked_for_by_many_at_once_gives_one_answer(apps: Apps, app: Flask, other_node: Flask) -> None:
    code, start = apps.code(), Barrier(8)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}

    def ask(number: int) -> int:
        start.wait()
        web = (app, other_node)[number % 2].test_client()
        return web.post("/auth/token", data={**form, "client_id": PUBLIC}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [200] + [400] * 7


@pytest.mark.parametrize("client", KINDS)
def test_a_refresh_gives_new_tokens_of_the_same_kind(apps: Apps, guard: Guard, client: str) -> None:
    first = apps.tokens(client)
    answer = apps.refresh(first["refresh_token"], client)
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert body["scope"] == SCOPES
    assert body["patient"] == "p-1"
    assert not {body["access_token"], body["refresh_token"]} & {first["access_token"], first["refresh_token"]}
    assert is_let_in(guard, body["access_token"])


def test_t24_a_refresh_token_shown_again_ends_its_family(apps: Apps, guard: Guard) -> None:
    first = apps.tokens()
    second = apps.refresh(first["refresh_token"]).get_json()
    refused(apps.refresh(first["refresh_token"]))
    refused(apps.refresh(second["refresh_token"]))
    for body in (first, second):
        assert not is_let_in(guard, body["access_token"])


def test_t24_a_refresh_token_shown_by_another_client_is_unknown_and_stays_good(apps: Apps) -> None:
    first = apps.tokens()
    refused(apps.refresh(first["refresh_token"], "app-other"))
    assert apps.refresh(first["refresh_token"]).status_code == 200


@pytest.mark.parametrize("token", ["", "A" * 43, "é", "' OR 1", None])
def test_what_is_no_refresh_token_is_an_invalid_grant(apps: Apps, token: str | None) -> None:
    refused(apps.ask(PUBLIC, {"grant_type": "refresh_token", "refresh_token": token}))


def test_a_refresh_token_is_good_for_three_months_and_then_no_more(apps: Apps, clock: Any) -> None:
    first, late = apps.tokens(), apps.tokens()
    clock.move(92 * DAY)
    second = apps.refresh(first["refresh_token"])
    assert second.status_code == 200
    clock.move(DAY)
    refused(apps.refresh(late["refresh_token"]))
    clock.move(91 * DAY)
    assert apps.refresh(second.get_json()["refresh_token"]).status_code == 200


def test_a_refresh_may_ask_for_less_and_the_next_for_all_again(apps: Apps, guard: Guard) -> None:
    first = apps.tokens()
    less = apps.refresh(first["refresh_token"], scope="patient/Observation.r").get_json()
    assert less["scope"] == "patient/Observation.r"
    assert "id_token" not in less
    access = guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {less['access_token']}"})
    assert access.may("read", "Observation")
    assert not access.may("read", "Patient")
    assert apps.refresh(less["refresh_token"]).get_json()["scope"] == SCOPES


@pytest.mark.parametrize(
    "scope", ["patient/*.cruds", "user/Patient.rs", "system/*.rs", "patient/Patient.sr", "profile"]
)
def test_a_refresh_never_gets_more_and_the_token_is_not_used_up(apps: Apps, scope: str) -> None:
    first = apps.tokens()
    refused(apps.refresh(first["refresh_token"], scope=scope), "invalid_scope")
    assert apps.refresh(first["refresh_token"]).status_code == 200


def test_there_is_a_refresh_token_for_offline_access_and_no_other(apps: Apps, registered: Database) -> None:
    for scopes in ("openid patient/*.rs", "patient/*.rs"):
        assert "refresh_token" not in apps.tokens(scopes=scopes)
    with registered.write() as connection:
        connection.execute(update(tables.client).values(grant_types="authorization_code"))
    assert "refresh_token" not in apps.tokens()


def test_what_the_register_took_away_since_is_not_granted(apps: Apps, registered: Database) -> None:
    first, code = apps.tokens(), apps.code()
    with registered.write() as connection:
        connection.execute(
            update(tables.client).where(tables.client.c.id == PUBLIC).values(scopes="openid patient/Patient.r")
        )
    assert apps.exchange(code).get_json()["scope"] == "openid patient/Patient.r"
    assert apps.refresh(first["refresh_token"]).get_json()["scope"] == "openid patient/Patient.r"


@pytest.mark.parametrize("what", ["switched off", "no longer in the role", "gone"])
def test_a_person_the_app_is_not_for_gets_nothing_more_and_is_out_within_10_seconds(
    apps: Apps, registered: Database, guard: Guard, clock: Any, what: str
) -> None:
    first, code = apps.tokens(), apps.code()
    assert is_let_in(guard, first["access_token"])
    account = tables_auth.user_account
    with registered.write() as connection:
        if what == "switched off":
            connection.execute(update(account).values(active=False))
        elif what == "gone":
            connection.execute(account.delete())
        else:
            connection.execute(update(account).values(roles="plan"))
    clock.move(10)
    assert not is_let_in(guard, first["access_token"])
    refused(apps.exchange(code))
    refused(apps.refresh(first["refresh_token"]))


def test_who_is_disabled_by_the_operator_loses_all_tokens(apps: Apps, registered: Database) -> None:
    first = apps.tokens()
    with registered.write() as connection:
        users.set_active(connection, "robin", False, apps.clock())
        users.set_active(connection, "robin", True, apps.clock())
    refused(apps.refresh(first["refresh_token"]))


@pytest.mark.parametrize("how", ["disabled", "expired", "new secret"])
def test_a_client_that_is_over_gets_nothing_and_its_tokens_end_sec_12(
    apps: Apps, registered: Database, guard: Guard, clock: Any, how: str
) -> None:
    first = apps.tokens(SYMMETRIC)
    with registered.write() as connection:
        if how == "disabled":
            clients.disable(connection, SYMMETRIC)
        elif how == "new secret":
            clients.new_secret(connection, SYMMETRIC)
        else:
            row = tables.client.c.id == SYMMETRIC
            connection.execute(update(tables.client).where(row).values(expires=1))
    clock.move(10)
    assert not is_let_in(guard, first["access_token"])
    refused(apps.refresh(first["refresh_token"], SYMMETRIC), "invalid_client", 401)


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def test_a_symmetric_client_may_tell_its_secret_in_a_basic_header(apps: Apps, web: FlaskClient) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    answer = web.post("/auth/token", data={**form, "code": apps.code(SYMMETRIC)}, headers=basic(SYMMETRIC, SECRET))
    assert answer.status_code == 200, answer.text


# who says what: each refused with the same words
WRONG_CREDENTIALS: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
    ("no client at all", {}, {}),
    ("a wrong secret", {"client_id": SYMMETRIC, "client_secret": "wrong"}, {}),
    ("a symmetric client without its secret", {"client_id": SYMMETRIC}, {}),
    ("an asymmetric client without an assertion", {"client_id": ASYMMETRIC}, {}),
    ("a public client with a secret", {"client_id": PUBLIC, "client_secret": SECRET}, {}),
    ("an unknown client", {"client_id": "nobody"}, {}),
    ("an unknown client with a secret", {"client_id": "nobody", "client_secret": SECRET}, {}),
    ("a client id with NUL", {"client_id": "app\0"}, {}),
    ("a disabled client", {"client_id": "plan-asleep"}, {}),
    ("a wrong secret in a header", {}, basic(SYMMETRIC, "wrong")),
    ("a header that is not Base64", {}, {"Authorization": "Basic é"}),
    ("a header without a colon", {}, {"Authorization": "Basic QUFB"}),
    ("a bearer token", {}, {"Authorization": "Bearer " + "A" * 43}),
    ("a header of 2 KB", {}, {"Authorization": "Basic " + "A" * 2048}),
    ("a header and another client's name", {"client_id": PUBLIC}, basic(SYMMETRIC, SECRET)),
)


@pytest.mark.parametrize(
    ("form", "headers"), [row[1:] for row in WRONG_CREDENTIALS], ids=[row[0] for row in WRONG_CREDENTIALS]
)
def test_a_client_that_does_not_prove_itself_is_an_invalid_client_t13(
    apps: Apps, web: FlaskClient, form: dict[str, str], headers: dict[str, str]
) -> None:
    grant = {"grant_type": "refresh_token", "refresh_token": apps.tokens(SYMMETRIC)["refresh_token"]}
    answer = web.post("/auth/token", data={**grant, **form}, headers=headers)
    refused(answer, "invalid_client", 401)
    assert answer.get_json()["error_description"] == "Client authentication failed"
    wanted = "Basic" if "Basic" in headers.get("Authorization", "") and "client_id" not in form else "Bearer"
    if "Authorization" not in headers or wanted == "Basic":
        assert answer.headers["WWW-Authenticate"].startswith(wanted)


def test_two_ways_of_authenticating_are_an_invalid_request(apps: Apps, web: FlaskClient) -> None:
    grant = {"grant_type": "refresh_token", "refresh_token": "A" * 43}
    both = {**apps.credentials(SYMMETRIC), **apps.credentials(ASYMMETRIC)}
    refused(web.post("/auth/token", data={**grant, **both}), "invalid_request")
    again = web.post("/auth/token", data={**grant, **apps.credentials(SYMMETRIC)}, headers=basic(SYMMETRIC, SECRET))
    refused(again, "invalid_request")


def test_an_assertion_works_once_for_these_grants_too_sec_06(
    apps: Apps, web: FlaskClient, registered: Database
) -> None:
    proof = apps.credentials(ASYMMETRIC)
    form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    codes = [apps.code(ASYMMETRIC) for _ in range(2)]
    assert web.post("/auth/token", data={**form, **proof, "code": codes[0]}).status_code == 200
    refused(web.post("/auth/token", data={**form, **proof, "code": codes[1]}), "invalid_client", 401)
    assert apps.exchange(codes[1], ASYMMETRIC).status_code == 200


@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token", "client_credentials"])
def test_a_grant_that_is_not_registered_is_an_unauthorized_client_t02(
    apps: Apps, web: FlaskClient, registered: Database, grant_type: str
) -> None:
    with registered.write() as connection:
        connection.execute(update(tables.client).values(grant_types=""))
    form = {"grant_type": grant_type, "scope": "system/*.rs", "code": "A" * 43, "refresh_token": "A" * 43}
    refused(web.post("/auth/token", data={**form, **apps.credentials(ASYMMETRIC)}), "unauthorized_client")


def test_t25_sec_10_what_is_no_access_token_is_not_let_in(apps: Apps, guard: Guard) -> None:
    body, code = apps.tokens(), apps.code()
    proof = apps.credentials(ASYMMETRIC)["client_assertion"]
    for wrong in (body["id_token"], body["refresh_token"], code, proof):
        assert not is_let_in(guard, wrong)
    assert is_let_in(guard, body["access_token"])


def test_only_hashes_are_stored(apps: Apps, registered: Database) -> None:
    code = apps.code()
    body = apps.exchange(code).get_json()
    with registered.read() as connection:
        stored = "".join(
            repr(connection.execute(select(table)).all())
            for table in (tables.token, tables_auth.refresh_token, tables_auth.authorization_code, tables.client)
        )
    for secret in (code, body["access_token"], body["refresh_token"], body["id_token"], SECRET):
        assert secret not in stored


def test_nothing_secret_is_logged(apps: Apps, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    code = apps.code(SYMMETRIC)
    body = apps.exchange(code, SYMMETRIC).get_json()
    apps.refresh(body["refresh_token"], SYMMETRIC)
    refused(apps.exchange(code, SYMMETRIC))
    for secret in (code, body["access_token"], body["refresh_token"], body["id_token"], SECRET, VERIFIER, "p-1"):
        assert secret not in caplog.text
    assert "Grant refused: used-code" in caplog.text


def test_codes_and_refresh_tokens_are_forgotten_when_nobody_can_show_them_any_more(
    apps: Apps, registered: Database, clock: Any
) -> None:
    apps.tokens()
    for days, codes, refreshes in ((0.9, 1, 1), (0.2, 0, 1), (93, 0, 0)):
        clock.move(days * DAY)
        with registered.write() as connection:
            forget_expired(connection, clock())
            assert len(connection.execute(select(tables_auth.authorization_code)).all()) == codes
            assert len(connection.execute(select(tables_auth.refresh_token)).all()) == refreshes


def test_a_life_of_a_persons_token_is_cut_to_an_hour() -> None:
    from auth.blueprint import _lives
    from hub.settings import read_settings

    assert _lives(read_settings({"HUB_USER_TOKEN_SECONDS": "86400", "HUB_REFRESH_DAYS": "100"})) == _lives(
        read_settings({"HUB_USER_TOKEN_SECONDS": "3600", "HUB_REFRESH_DAYS": "100"})
    )


def test_a_bound_client_gets_a_token_with_its_certificate_only(
    apps: Apps, registered: Database, clock: Any, rsa_key: dict[str, Any]
) -> None:
    """T27"""
    apps.register_more(app_client("app-bound", "public", certificate="t" * 43))
    refused(apps.exchange(apps.code("app-bound"), "app-bound"), "invalid_client", 401)
    with registered.write() as connection:
        connection.execute(update(tables.client).values(certificate=""))
    token = apps.tokens("app-bound")["access_token"]
    with registered.write() as connection:
        connection.execute(update(tables.token).values(certificate="t" * 43))
    for shown, let_in in (("t" * 43, True), ("u" * 43, False), ("", False)):
        guard = Guard(registered, clock, shown=lambda _, shown=shown: shown)
        assert is_let_in(guard, token) is let_in
