"""Each way a token request can be wrong, and what it is answered (RFC 6749 section 5.2, RFC 7523 section 3)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import func, select

from auth import assertion as assertions
from auth import clients
from auth.blueprint import blueprint
from auth.development_token import public_jwks
from auth.tokens import token_hash
from hub.clock import micros
from hub.problems import Problem
from hub.settings import read_settings
from hub.store import tables
from hub.store.engine import Database

Ask = Callable[[Any], dict[str, str]]


def test_a_right_request_gets_a_bearer_token_of_five_minutes_that_nobody_may_cache(
    web: FlaskClient, forge: Any
) -> None:
    answer = web.post("/auth/token", data=forge.form())
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert body["token_type"].lower() == "bearer"
    assert body["expires_in"] == 300
    assert body["scope"] == "system/Patient.rs"
    assert len(body["access_token"]) == 43
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


def test_es384_is_taken_as_well_as_rs384(web: FlaskClient, forge: Any, ec_key: dict[str, Any]) -> None:
    answer = web.post("/auth/token", data=forge.form(forge.assertion(key=ec_key)))
    assert answer.status_code == 200, answer.text


def test_only_the_hash_of_a_token_is_stored(web: FlaskClient, forge: Any, registered: Database, clock: Any) -> None:
    token = web.post("/auth/token", data=forge.form()).get_json()["access_token"]
    with registered.read() as connection:
        row = connection.execute(select(tables.token)).one()
    assert row.hash == token_hash(token) == hashlib.sha256(token.encode()).digest()
    assert row.expires == micros(clock() + timedelta(seconds=300))
    assert token not in repr(row)


def test_a_longer_life_in_the_settings_is_cut_to_300_seconds(registered: Database, clock: Any, forge: Any) -> None:
    app = Flask("test")
    long = {"HUB_BASE_URL": "https://hub.example", "HUB_SECRET_KEY": "s" * 32, "HUB_TOKEN_SECONDS": "86400"}
    settings = read_settings(long)
    app.register_blueprint(blueprint(registered, settings, clock))
    assert app.test_client().post("/auth/token", data=forge.form()).get_json()["expires_in"] == 300


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _unsigned(forge: Any, alg: object, signature: str = "x") -> str:
    header = {"alg": alg, "typ": "JWT", "kid": forge.key["kid"]}
    return f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(forge.claims()).encode())}.{signature}"


def _hmac(forge: Any, secret: bytes, bits: int) -> str:
    signing_input = _unsigned(forge, f"HS{bits}").rsplit(".", 1)[0]
    return f"{signing_input}.{_b64(hmac.digest(secret, signing_input.encode(), f'sha{bits}'))}"


def _public_forms(forge: Any) -> dict[str, bytes]:
    public = RSAKey.import_key(public_jwks(forge.key)["keys"][0])
    return {
        "pem": public.as_pem(private=False),
        "der": public.as_der(private=False),
        "jwk": json.dumps(public_jwks(forge.key)["keys"][0]).encode(),
    }


def _jwe(forge: Any) -> str:
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, b"{}", OctKey.generate_key(256))


def _tampered(forge: Any) -> str:
    header, _, signature = forge.assertion().split(".")
    return f"{header}.{_b64(json.dumps(forge.claims(jti='other')).encode())}.{signature}"


def _seconds(forge: Any, ahead: float) -> int:
    return int(forge.clock().timestamp() + ahead)


def _own_key_in_header(forge: Any) -> str:
    attacker = {"jwk": public_jwks(forge.foreign)["keys"][0], "kid": forge.foreign["kid"]}
    return str(forge.assertion(header=attacker, key=forge.foreign))


# row of the catalogue, what is wrong, the reason in the log, the assertion
INVALID_CLIENT: tuple[tuple[str, str, str, Callable[[Any], str]], ...] = (
    ("T04", "garbage", "not-a-jws", lambda f: "not a jwt"),
    ("T04", "two segments", "not-a-jws", lambda f: f.assertion().rsplit(".", 1)[0]),
    ("T04", "four segments", "not-a-jws", lambda f: f.assertion() + ".x"),
    ("T04", "an encrypted JWT", "not-a-jws", _jwe),
    ("T04", "a header that is no JSON", "not-json", lambda f: f"{_b64(b'{')}.{f.assertion().split('.', 1)[1]}"),
    (
        "T04",
        "claims that are a list",
        "not-json",
        lambda f: f.signed({"alg": "RS384", "typ": "JWT", "kid": f.key["kid"]}, [], f.key),
    ),
    ("T05", "alg none", "alg", lambda f: _unsigned(f, "none")),
    ("T05", "alg None", "alg", lambda f: _unsigned(f, "None")),
    ("T05", "alg nOnE", "alg", lambda f: _unsigned(f, "nOnE")),
    ("T05", "HS256 with the public PEM", "alg", lambda f: _hmac(f, _public_forms(f)["pem"], 256)),
    ("T05", "HS384 with the public PEM", "alg", lambda f: _hmac(f, _public_forms(f)["pem"], 384)),
    ("T05", "HS384 with the public DER", "alg", lambda f: _hmac(f, _public_forms(f)["der"], 384)),
    ("T05", "HS512 with the public JWK", "alg", lambda f: _hmac(f, _public_forms(f)["jwk"], 512)),
    ("T05", "RS256 by the registered key", "alg", lambda f: f.assertion(header={"alg": "RS256"})),
    ("T05", "PS384 by the registered key", "alg", lambda f: f.assertion(header={"alg": "PS384"})),
    ("T05", "alg that is a list", "alg", lambda f: _unsigned(f, ["RS384"])),
    (
        "T05",
        "RS384 by a foreign key under a registered kid",
        "signature",
        lambda f: f.assertion(header={"kid": f.key["kid"]}, key=f.foreign),
    ),
    ("T05", "claims changed after signing", "signature", _tampered),
    ("T06", "the attacker's jwk in the header", "header-member", _own_key_in_header),
    (
        "T06",
        "jku that is not registered",
        "jku",
        lambda f: f.assertion(header={"jku": "https://169.254.169.254/jwks"}),
    ),
    ("T06", "x5u", "header-member", lambda f: f.assertion(header={"x5u": "https://keys.example/cert"})),
    ("T06", "x5c", "header-member", lambda f: f.assertion(header={"x5c": ["MIIB"]})),
    ("T06", "kid that is a path", "unknown-key", lambda f: f.assertion(header={"kid": "../../dev/null"})),
    ("T06", "kid that is SQL", "unknown-key", lambda f: f.assertion(header={"kid": "' OR 1"})),
    ("T06", "kid missing", "kid", lambda f: f.assertion(header={"kid": None})),
    ("T06", "kid that is a number", "kid", lambda f: f.assertion(header={"kid": 7})),
    ("T07", "unknown crit", "header-member", lambda f: f.assertion(header={"crit": ["exp2"], "exp2": 1})),
    ("T07", "empty crit", "header-member", lambda f: f.assertion(header={"crit": []})),
    ("T07", "crit naming an absent header", "header-member", lambda f: f.assertion(header={"crit": ["b64"]})),
    ("T07", "b64 false", "header-member", lambda f: f.assertion(header={"b64": False})),
    ("T07", "another type of JWT", "typ", lambda f: f.assertion(header={"typ": "at+jwt"})),
    (
        "T07",
        "a header of 300 members",
        "header-member",
        lambda f: f.assertion(header={f"h{i}": i for i in range(300)}),
    ),
    ("T08", "exp missing", "exp", lambda f: f.assertion(exp=None)),
    ("T08", "exp past", "exp-past", lambda f: f.assertion(exp=_seconds(f, -1))),
    ("T08", "exp now", "exp-past", lambda f: f.assertion(exp=_seconds(f, 0))),
    ("T08", "exp 301 s ahead", "exp-far", lambda f: f.assertion(exp=_seconds(f, 302))),
    ("T08", "exp a year ahead", "exp-far", lambda f: f.assertion(exp=_seconds(f, 31_536_000))),
    ("T08", "exp with a fraction", "exp", lambda f: f.assertion(exp=_seconds(f, 240) + 0.5)),
    ("T08", "exp as text", "exp", lambda f: f.assertion(exp=str(_seconds(f, 240)))),
    ("T08", "exp true", "exp", lambda f: f.assertion(exp=True)),
    ("T09", "nbf beyond the skew", "nbf", lambda f: f.assertion(nbf=_seconds(f, 62))),
    ("T09", "iat beyond the skew", "iat", lambda f: f.assertion(iat=_seconds(f, 62))),
    ("T09", "iat as text", "iat", lambda f: f.assertion(iat="yesterday")),
    ("T10", "aud missing", "aud", lambda f: f.assertion(aud=None)),
    ("T10", "aud of another server", "aud", lambda f: f.assertion(aud="https://other.example/auth/token")),
    (
        "T10",
        "aud with ours and another",
        "aud",
        lambda f: f.assertion(aud=["https://hub.example/auth/token", "https://other.example"]),
    ),
    ("T10", "aud with a trailing slash", "aud", lambda f: f.assertion(aud="https://hub.example/auth/token/")),
    ("T10", "aud is the base", "aud", lambda f: f.assertion(aud="https://hub.example")),
    ("T11", "iss is not sub", "sub", lambda f: f.assertion(iss="plan-asleep")),
    ("T11", "sub is not iss", "sub", lambda f: f.assertion(sub="plan-asleep")),
    ("T11", "iss missing", "iss", lambda f: f.assertion(iss=None)),
    ("T11", "iss is a list", "iss", lambda f: f.assertion(iss=["ehr-riverbend"], sub=["ehr-riverbend"])),
    ("T12", "jti missing", "jti", lambda f: f.assertion(jti=None)),
    ("T12", "jti empty", "jti", lambda f: f.assertion(jti="")),
    ("T12", "jti too long", "jti", lambda f: f.assertion(jti="j" * 257)),
    ("T12", "jti with NUL", "jti", lambda f: f.assertion(jti="a\0b")),
    ("T12", "jti with half a surrogate pair", "not-json", lambda f: f.assertion(jti="\ud800")),
    ("T12", "jti is a number", "jti", lambda f: f.assertion(jti=12)),
    ("T13", "unknown client", "unknown-client", lambda f: f.assertion(iss="nobody", sub="nobody")),
    ("T13", "client id with NUL", "iss", lambda f: f.assertion(iss="ehr\0", sub="ehr\0")),
    ("T13", "disabled client", "disabled-client", lambda f: f.assertion(iss="plan-asleep", sub="plan-asleep")),
    ("T18", "assertion over 16 KB", "too-long", lambda f: f.assertion(padding="x" * 16_000)),
)


@pytest.mark.parametrize(
    ("row", "wrong", "reason", "assertion"),
    INVALID_CLIENT,
    ids=[f"{row} {wrong}" for row, wrong, *_ in INVALID_CLIENT],
)
def test_an_assertion_with_a_fault_is_answered_invalid_client_and_always_the_same(
    web: FlaskClient,
    forge: Any,
    registered: Database,
    caplog: pytest.LogCaptureFixture,
    row: str,
    wrong: str,
    reason: str,
    assertion: Callable[[Any], str],
) -> None:
    answer = web.post("/auth/token", data=forge.form(assertion(forge)))
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "invalid_client", "error_description": "Client authentication failed"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert [record.getMessage() for record in caplog.records] == [f"Token refused: {reason}"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert _count(registered, tables.token) == _count(registered, tables.assertion) == 0


def _count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


# row, what is asked, the form, status, error
OTHER_FAULTS: tuple[tuple[str, str, Ask, int, str], ...] = (
    ("T01", "unknown grant", lambda f: f.form(grant_type="password"), 400, "unsupported_grant_type"),
    ("T01", "the implicit grant", lambda f: f.form(grant_type="implicit"), 400, "unsupported_grant_type"),
    ("T02", "a code from a backend", lambda f: f.form(grant_type="authorization_code"), 400, "unauthorized_client"),
    ("T02", "a refresh by a backend", lambda f: f.form(grant_type="refresh_token"), 400, "unauthorized_client"),
    ("T01", "a grant with odd characters", lambda f: f.form(grant_type='"\\\n'), 400, "unsupported_grant_type"),
    ("T01", "no grant", lambda f: f.form(grant_type=None), 400, "invalid_request"),
    (
        "T02",
        "a client without scopes",
        lambda f: f.form(f.assertion(iss="notices-only", sub="notices-only")),
        400,
        "unauthorized_client",
    ),
    ("T03", "wrong assertion type", lambda f: f.form(client_assertion_type="urn:other"), 400, "invalid_request"),
    ("T03", "no assertion type", lambda f: f.form(client_assertion_type=None), 400, "invalid_request"),
    ("T03", "no assertion", lambda f: f.form(client_assertion=None), 400, "invalid_request"),
    ("T03", "empty assertion", lambda f: f.form(""), 400, "invalid_request"),
    ("T03", "a client secret besides", lambda f: f.form(client_secret="s"), 400, "invalid_request"),
    ("T11", "client_id of another client", lambda f: f.form(client_id="plan-asleep"), 401, "invalid_client"),
    ("T14", "no scope", lambda f: f.form(scope=None), 400, "invalid_scope"),
    ("T14", "empty scope", lambda f: f.form(scope=""), 400, "invalid_scope"),
    ("T14", "control character", lambda f: f.form(scope="system/Patient.r\tsystem/Task.r"), 400, "invalid_scope"),
    ("T14", "NUL", lambda f: f.form(scope="system/Patient.r\0"), 400, "invalid_scope"),
    ("T14", "unregistered", lambda f: f.form(scope="system/Observation.rs"), 400, "invalid_scope"),
    ("T14", "unregistered letter", lambda f: f.form(scope="system/Patient.d"), 400, "invalid_scope"),
    ("T14", "no such type", lambda f: f.form(scope="system/Patiant.rs"), 400, "invalid_scope"),
    (
        "T14",
        "9 KB of scopes",
        lambda f: f.form(scope="system/Patient.r " * 540 + "system/Patient.r"),
        400,
        "invalid_scope",
    ),
    ("T16", "patient context", lambda f: f.form(scope="patient/*.rs"), 400, "invalid_scope"),
    ("T16", "user context", lambda f: f.form(scope="system/Patient.r user/Patient.rs"), 400, "invalid_scope"),
    ("T16", "launch", lambda f: f.form(scope="launch/patient openid"), 400, "invalid_scope"),
    ("T17", "letters out of order", lambda f: f.form(scope="system/Patient.sr"), 400, "invalid_scope"),
    ("T17", "unknown letters", lambda f: f.form(scope="system/Patient.xyz"), 400, "invalid_scope"),
    ("T17", "no letters", lambda f: f.form(scope="system/Patient."), 400, "invalid_scope"),
    ("T17", "granular", lambda f: f.form(scope="system/Patient.rs?birthdate=2000"), 400, "invalid_scope"),
    ("T18", "64 KB body", lambda f: f.form("x" * 65_536), 413, "invalid_request"),
    ("T19", "too many parameters", lambda f: f.form() | {f"p{i}": "" for i in range(40)}, 400, "invalid_request"),
)


@pytest.mark.parametrize(
    ("row", "asked", "form", "status", "error"),
    OTHER_FAULTS,
    ids=[f"{row} {asked}" for row, asked, *_ in OTHER_FAULTS],
)
def test_a_request_with_a_fault_is_answered_with_the_error_code_of_the_rfc(
    web: FlaskClient, forge: Any, registered: Database, row: str, asked: str, form: Ask, status: int, error: str
) -> None:
    answer = web.post("/auth/token", data=form(forge))
    assert (answer.status_code, answer.get_json()["error"]) == (status, error)
    assert answer.headers["Cache-Control"] == "no-store"
    assert _count(registered, tables.token) == _count(registered, tables.assertion) == 0


def test_more_than_registered_is_asked_and_no_more_than_registered_is_granted_t15(
    web: FlaskClient, forge: Any
) -> None:
    answer = web.post("/auth/token", data=forge.form(scope="system/*.cruds"))
    assert answer.get_json()["scope"] == "system/Patient.rs system/Task.cru"


def test_version_1_scopes_are_read_as_version_2(web: FlaskClient, forge: Any) -> None:
    answer = web.post("/auth/token", data=forge.form(scope="system/Patient.read system/Task.*"))
    assert answer.get_json()["scope"] == "system/Patient.rs system/Task.cru"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_than_post_is_405_t19(web: FlaskClient, forge: Any, method: str) -> None:
    answer = web.open("/auth/token", method=method, query_string=forge.form())
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.get_json()["error"] == "invalid_request"


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
def test_a_right_form_under_another_media_type_is_an_invalid_request_t19(
    web: FlaskClient, forge: Any, media_type: str
) -> None:
    answer = web.post("/auth/token", data=urlencode(forge.form()), content_type=media_type)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_a_json_body_is_an_invalid_request_t19(web: FlaskClient, forge: Any) -> None:
    answer = web.post("/auth/token", json=forge.form())
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["grant_type", "scope", "client_assertion", "unknown"])
def test_a_repeated_parameter_is_an_invalid_request_t19(web: FlaskClient, forge: Any, name: str) -> None:
    form = forge.form() | {"unknown": "1"}
    pairs = [*form.items(), (name, form[name])]
    answer = web.post("/auth/token", data=urlencode(pairs), content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_parameters_in_the_url_are_not_read(web: FlaskClient, forge: Any) -> None:
    answer = web.post("/auth/token", query_string=forge.form(), data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_bytes_that_are_not_utf_8_are_an_invalid_request(web: FlaskClient) -> None:
    answer = web.post("/auth/token", data=b"grant_type=%FF", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_an_authorization_header_next_to_the_assertion_is_an_invalid_request(web: FlaskClient, forge: Any) -> None:
    answer = web.post("/auth/token", data=forge.form(), headers={"Authorization": "Basic ZWhyOng="})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_a_boundary_assertion_is_taken(web: FlaskClient, forge: Any) -> None:
    edge = {"exp": _seconds(forge, 300), "iat": _seconds(forge, 60), "nbf": _seconds(forge, 60)}
    assertion = forge.assertion(jti="j" * 256, aud=["https://hub.example/auth/token"], **edge)
    answer = web.post("/auth/token", data=forge.form(assertion, client_id="ehr-riverbend"))
    assert answer.status_code == 200, answer.text


def test_a_used_assertion_gets_no_second_token_t12(web: FlaskClient, forge: Any, registered: Database) -> None:
    form = forge.form()
    assert web.post("/auth/token", data=form).status_code == 200
    again = web.post("/auth/token", data=form)
    assert (again.status_code, again.get_json()["error"]) == (401, "invalid_client")
    assert _count(registered, tables.token) == 1


def test_the_same_jti_of_another_client_is_another_jti(
    web: FlaskClient, forge: Any, registered: Database, ec_key: dict[str, Any], clock: Any
) -> None:
    other = clients.Client(
        "ecm-lantern", "Lantern Demo ECM", "ecm-provider", "system/Patient.rs", public_jwks(ec_key)
    )
    with registered.write() as connection:
        clients.add(connection, other, clock())
    first = forge.form(forge.assertion(jti="same"))
    second = forge.form(forge.assertion(jti="same", iss="ecm-lantern", sub="ecm-lantern", key=ec_key))
    assert [web.post("/auth/token", data=form).status_code for form in (first, second)] == [200, 200]


def test_a_database_that_is_away_is_a_json_503(
    web: FlaskClient, forge: Any, registered: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_work: Any) -> None:
        raise Problem("busy", "The database is not available now", headers={"Retry-After": "5"})

    monkeypatch.setattr(registered, "writing", away)
    answer = web.post("/auth/token", data=forge.form())
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_a_fault_of_ours_is_a_json_500_without_its_content(
    web: FlaskClient, forge: Any, registered: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_work: Any) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr(registered, "writing", broken)
    answer = web.post("/auth/token", data=forge.form())
    assert (answer.status_code, answer.get_json()) == (500, {"error": "server_error"})


@pytest.mark.parametrize(
    "claims",
    [{}, {"iss": "nobody", "sub": "nobody"}, {"iss": "plan-asleep", "sub": "plan-asleep"}],
    ids=["unknown kid", "unknown client", "disabled client"],
)
def test_a_signature_is_verified_also_where_there_is_no_key_so_that_the_answer_takes_as_long_t13(
    web: FlaskClient, forge: Any, monkeypatch: pytest.MonkeyPatch, claims: dict[str, str]
) -> None:
    verified_with = []
    verify = assertions.verified
    monkeypatch.setattr(assertions, "verified", lambda jwt, key: verified_with.append(key) or verify(jwt, key))
    assertion = forge.assertion(header={"kid": "unknown"}, **claims)
    assert web.post("/auth/token", data=forge.form(assertion)).status_code == 401
    assert len(verified_with) == 1


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_the_key_that_stands_in_for_a_missing_one_proves_nothing(
    forge: Any, ec_key: dict[str, Any], algorithm: str
) -> None:
    signed = forge.assertion(key=ec_key if algorithm == "ES384" else None)
    assert assertions.verified(signed, assertions._decoy(algorithm)) is False
