"""Apps that register themselves: off by default, and then only with a statement of somebody who is trusted."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auth import clients
from auth.blueprint import blueprint
from auth.clients import Client
from auth.development_token import public_jwks
from hub.settings import read_settings
from hub.store.engine import Database
from tests.auth.conftest import BASE, SECRET_KEY, Forge, HandClock

ISSUER = "https://trust.example"
METADATA = {
    "client_name": "Lantern Demo App",
    "redirect_uris": ["https://lantern.example/back"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
    "scope": "openid fhirUser offline_access launch/patient patient/*.read",
}


class Registrar:
    """A hub with registration switched on, and an issuer it trusts."""

    def __init__(self, database: Database, clock: HandClock, forge: Forge, folder: Path, **more: str):
        self.database, self.clock, self.forge = database, clock, forge
        trusted = {ISSUER: {"jwks": public_jwks(forge.key)}}
        (folder / "registration_issuers.json").write_text(json.dumps(trusted))
        words = {"HUB_BASE_URL": BASE, "HUB_SECRET_KEY": SECRET_KEY, "HUB_DATA_DIR": str(folder)}
        settings = read_settings({**words, "HUB_REGISTRATION": "software-statement", **more})
        app = Flask("test")
        app.register_blueprint(blueprint(database, settings, clock))
        self.web: FlaskClient = app.test_client()

    def statement(
        self, header: dict[str, Any] | None = None, key: dict[str, Any] | None = None, **said: Any
    ) -> str:
        claims = {"iss": ISSUER, "software_id": "lantern", "sub": None, "aud": None, **said}
        return self.forge.assertion(header, key, **claims)

    def ask(self, statement: str | None, **changes: Any) -> Any:
        body = {**METADATA, "software_statement": statement, **changes}
        return self.web.post("/auth/register", json={n: v for n, v in body.items() if v is not None})

    def client(self, identity: str) -> Client:
        with self.database.read() as connection:
            found = clients.find(connection, identity)
        assert found
        return found

    def count(self) -> int:
        with self.database.read() as connection:
            return len(clients.listed(connection))


@pytest.fixture
def registrar(registered: Database, clock: HandClock, forge: Forge, tmp_path: Path) -> Registrar:
    return Registrar(registered, clock, forge, tmp_path)


def test_registration_is_off_where_nobody_switched_it_on(web: FlaskClient) -> None:
    assert web.post("/auth/register", json=METADATA).status_code == 404


def test_an_app_with_a_trusted_statement_is_registered_and_waits(registrar: Registrar, clock: HandClock) -> None:
    answer = registrar.ask(registrar.statement())
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json()
    assert told["client_id_issued_at"] == int(clock().timestamp())
    assert "client_secret" not in told
    client = registrar.client(told["client_id"])
    assert (client.active, client.role, client.kind) == (False, "member", "public")
    assert client.redirect_uris == tuple(METADATA["redirect_uris"])
    assert client.scopes == "openid fhirUser offline_access launch/patient patient/*.rs"
    assert client.software == f"{ISSUER} lantern"
    assert (client.organization, client.purposes, client.resource_server) == ("", (), False)


def test_a_role_in_the_settings_lets_it_begin_at_once(
    registered: Database, clock: HandClock, forge: Forge, tmp_path: Path
) -> None:
    registrar = Registrar(registered, clock, forge, tmp_path, HUB_REGISTRATION_ROLE="ecm-provider")
    client = registrar.client(registrar.ask(registrar.statement()).get_json()["client_id"])
    assert (client.active, client.role) == (True, "ecm-provider")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_symmetric_app_is_told_its_secret_once(registrar: Registrar, method: str) -> None:
    told = registrar.ask(registrar.statement(), token_endpoint_auth_method=method).get_json()
    assert len(told["client_secret"]) == 43
    assert told["client_secret_expires_at"] == 0
    client = registrar.client(told["client_id"])
    assert client.kind == "confidential-symmetric"
    assert client.secret_hash.startswith("$argon2id$")
    assert told["client_secret"] not in client.secret_hash


def test_an_app_with_keys_is_asymmetric(registrar: Registrar, ec_key: dict[str, Any]) -> None:
    keys = {"token_endpoint_auth_method": "private_key_jwt", "jwks": public_jwks(ec_key)}
    told = registrar.ask(registrar.statement(), **keys).get_json()
    assert registrar.client(told["client_id"]).jwks == public_jwks(ec_key)


def test_what_the_statement_says_counts_before_what_the_app_says(registrar: Registrar) -> None:
    said = {"client_name": "As Signed", "redirect_uris": ["https://signed.example/back"], "scope": "patient/*.r"}
    told = registrar.ask(registrar.statement(**said)).get_json()
    client = registrar.client(told["client_id"])
    assert (client.name, client.redirect_uris, client.scopes) == (
        "As Signed",
        ("https://signed.example/back",),
        "patient/*.r",
    )


def test_a_statement_registers_one_app(registrar: Registrar) -> None:
    statement = registrar.statement()
    assert registrar.ask(statement).status_code == 201
    again = registrar.ask(statement)
    assert (again.status_code, again.get_json()["error"]) == (400, "unapproved_software_statement")


def test_without_a_statement_nothing_is_registered(registrar: Registrar) -> None:
    before = registrar.count()
    for statement in (None, "", 7, ["x"]):
        answer = registrar.ask(statement)  # type: ignore[arg-type]
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_software_statement")
    assert registrar.count() == before


UNTRUSTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("another issuer", {"iss": "https://other.example"}),
    ("an issuer that is a word of Python", {"iss": "__class__"}),
    ("no issuer", {"iss": None}),
    ("no software_id", {"software_id": None}),
    ("no jti", {"jti": None}),
    ("no exp", {"exp": None}),
    ("past its time", {"exp": 1}),
    ("exp as text", {"exp": "9999999999"}),
    ("RS256", {"header": {"alg": "RS256"}}),
    ("a key in the header", {"header": {"jwk": {"kty": "RSA"}}}),
    ("crit", {"header": {"crit": ["exp2"]}}),
    ("an unknown kid", {"header": {"kid": "unknown"}}),
)


@pytest.mark.parametrize("changes", [row[1] for row in UNTRUSTED], ids=[row[0] for row in UNTRUSTED])
def test_a_statement_with_a_fault_is_not_trusted(registrar: Registrar, changes: dict[str, Any]) -> None:
    before = registrar.count()
    answer = registrar.ask(registrar.statement(**changes))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unapproved_software_statement")
    assert registrar.count() == before


def test_a_statement_of_a_foreign_key_or_a_broken_one_is_not_trusted(
    registrar: Registrar, foreign_key: dict[str, Any], forge: Forge
) -> None:
    signed = registrar.statement()
    header, payload, signature = signed.split(".")
    kid = {"kid": forge.key["kid"]}
    for wrong in (
        registrar.statement(kid, foreign_key),
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload[:-2]}.{signature}",
        "x.y.z",
        "garbage",
    ):
        answer = registrar.ask(wrong)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "unapproved_software_statement")


WRONG_METADATA: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("a redirect to http", {"redirect_uris": ["http://app.example/back"]}, "invalid_redirect_uri"),
    ("a redirect with a fragment", {"redirect_uris": ["https://app.example/#a"]}, "invalid_redirect_uri"),
    ("no redirect", {"redirect_uris": []}, "invalid_client_metadata"),
    ("a redirect that is no list", {"redirect_uris": "https://app.example"}, "invalid_client_metadata"),
    ("no name", {"client_name": None}, "invalid_client_metadata"),
    ("no scope", {"scope": None}, "invalid_client_metadata"),
    ("scopes that are none", {"scope": "patient/Patient.sr"}, "invalid_client_metadata"),
    ("a backend's scopes", {"scope": "system/*.cruds"}, "invalid_client_metadata"),
    ("an unknown grant", {"grant_types": ["password"]}, "invalid_client_metadata"),
    ("a backend's grant without keys", {"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    ("an unknown way to prove itself", {"token_endpoint_auth_method": "tls"}, "invalid_client_metadata"),
    ("keys for a public app", {"jwks_uri": "https://app.example/jwks"}, "invalid_client_metadata"),
)


@pytest.mark.parametrize(
    ("changes", "error"), [row[1:] for row in WRONG_METADATA], ids=[row[0] for row in WRONG_METADATA]
)
def test_what_the_register_refuses_is_told_and_the_statement_is_good_still(
    registrar: Registrar, changes: dict[str, Any], error: str
) -> None:
    statement = registrar.statement()
    answer = registrar.ask(statement, **changes)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert registrar.ask(statement).status_code == 201


def test_a_body_that_is_no_json_or_too_long_is_refused(registrar: Registrar) -> None:
    post = registrar.web.post
    assert post("/auth/register", data={"a": "b"}).status_code == 400
    assert post("/auth/register", data="[", content_type="application/json").status_code == 400
    assert post("/auth/register", data="[]", content_type="application/json").status_code == 400
    assert post("/auth/register", data=b" " * 70_000, content_type="application/json").status_code == 413
    assert registrar.web.get("/auth/register").status_code == 405


def test_without_a_file_of_issuers_nobody_is_trusted(registrar: Registrar, tmp_path: Path) -> None:
    for content in ("", "[]", '{"https://trust.example": 7}'):
        (tmp_path / "registration_issuers.json").write_text(content)
        assert registrar.ask(registrar.statement()).status_code == 400
    (tmp_path / "registration_issuers.json").unlink()
    assert registrar.ask(registrar.statement()).status_code == 400
