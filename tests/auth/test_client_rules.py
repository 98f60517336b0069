"""Each rule of the register, broken alone; and the commands that register apps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from auth import clients, passwords
from auth.client_rules import allowed_redirect, fault
from auth.clients import Client
from auth.commands import client_commands
from auth.development_token import public_jwks
from hub.settings import read_settings
from hub.store.engine import Database

CODES = ("authorization_code", "refresh_token")
APP = Client(
    "app-1",
    "Demo",
    "member",
    "openid patient/*.rs",
    kind="public",
    redirect_uris=("https://app.example/back",),
    grant_types=CODES,
)
BACKEND = Client("ehr-1", "Demo", "ehr", "system/*.rs", {"keys": []})
SECRET = {"kind": "confidential-symmetric", "secret_hash": "$argon2id$x"}


@pytest.mark.parametrize(
    "client", [APP, BACKEND, replace(APP, **SECRET), Client("notices", "Demo", "plan"), replace(APP, jwks=None)]
)
def test_a_client_that_breaks_no_rule_has_no_fault(client: Client) -> None:
    assert fault(client) == ""


BROKEN: tuple[tuple[str, Client], ...] = (
    ("client id", replace(APP, id="a b")),
    ("no role", replace(APP, role="superuser")),
    ("A client is one of", replace(APP, kind="secret")),
    ("Grant types", replace(APP, grant_types=("password",))),
    ("An organization", replace(APP, organization="harbor")),
    ("An organization", replace(APP, organization="Patient/1")),
    ("Purposes", replace(APP, purposes=("MARKETING",))),
    ("A certificate", replace(BACKEND, certificate="AB:CD")),
    ("clients with keys", replace(BACKEND, jwks=None, **SECRET)),
    ("clients with keys", replace(APP, grant_types=("client_credentials", *CODES))),
    ("needs public keys", replace(BACKEND, jwks=None)),
    ("needs public keys", replace(APP, kind="confidential-asymmetric")),
    ("no JWK Set", replace(APP, jwks={"keys": []})),
    ("no JWK Set", replace(APP, jwks_url="https://app.example/jwks")),
    ("has a secret", replace(APP, kind="confidential-symmetric")),
    ("has a secret", replace(APP, secret_hash="$argon2id$x")),
    ("system/ scopes", replace(APP, scopes="system/*.rs")),
    ("not for a backend", replace(BACKEND, scopes="patient/*.rs")),
    ("not for a backend", replace(BACKEND, scopes="openid")),
    ("refresh_token goes", replace(BACKEND, grant_types=("client_credentials", "refresh_token"))),
    ("redirect address goes", replace(APP, redirect_uris=())),
    ("redirect address goes", replace(BACKEND, redirect_uris=("https://app.example/",))),
    ("A redirect address is https", replace(APP, redirect_uris=("http://app.example/",))),
    ("A redirect address is https", replace(APP, redirect_uris=("https://app.example/",) * 21)),
    ("A launch address", replace(APP, launch_uri="javascript:alert(1)")),
)


@pytest.mark.parametrize(("why", "client"), BROKEN)
def test_a_client_that_breaks_a_rule_is_told_which(why: str, client: Client) -> None:
    assert why in fault(client)


@pytest.mark.parametrize(
    ("address", "kind", "allowed"),
    [
        ("https://app.example/back", "public", True),
        ("https://app.example:8443/back?a=b", "confidential-symmetric", True),
        ("http://127.0.0.1:3000/back", "public", True),
        ("http://[::1]:3000/back", "public", True),
        ("http://localhost/back", "confidential-symmetric", True),
        ("com.example.app:/back", "public", True),
        ("com.example.app:/back", "confidential-symmetric", False),
        ("http://localhost.evil.example/", "public", False),
        ("http://localhost@evil.example/", "public", False),
        ("http://app.example/back", "public", False),
        ("https://app.example/back#here", "public", False),
        ("https://app.example/#", "public", False),
        ("https://user@app.example/back", "public", False),
        ("https://app.example/a/../back", "public", False),
        ("https://*.example/back", "public", False),
        ("https://app.example\\@evil.example/", "public", False),
        ("https:///back", "public", False),
        ("https://app.example/é", "public", False),
        ("https://app.example/\r\nX: y", "public", False),
        ("myapp:/back", "public", False),
        ("com.example.app://host/back", "public", False),
        ("javascript:alert(1)", "public", False),
        ("data:text/html,x", "public", False),
        ("file:///etc/passwd", "public", False),
        ("//app.example/", "public", False),
        ("", "public", False),
    ],
)
def test_an_address_for_codes_is_https_or_on_the_apps_own_machine(address: str, kind: str, allowed: bool) -> None:
    assert allowed_redirect(address, kind) is allowed


def test_operators_register_apps_by_commands(database: Database, ec_key: dict[str, Any], tmp_path: Path) -> None:
    app = client_commands(lambda: database, lambda: read_settings({"HUB_SECRET_KEY": "s" * 32}))
    keys = tmp_path / "keys.jwks"
    keys.write_text(json.dumps(public_jwks(ec_key)))

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        return done.output

    def found(identity: str) -> Client:
        with database.read() as connection:
            client = clients.find(connection, identity)
        assert client
        return client

    named = ("--name", "Demo", "--role", "ecm-provider")
    person = ("--scope", "openid patient/*.rs", "--redirect", "https://app.example/back")
    told = run(
        "add", "chart", *named, *person, "--kind", "confidential-symmetric", "--organization", "Organization/h"
    )
    secret = told.split()[-1]
    assert passwords.matches(found("chart").secret_hash, secret)
    assert (found("chart").organization, found("chart").grant_types) == ("Organization/h", CODES)
    newer = run("secret", "chart").strip()
    assert passwords.matches(found("chart").secret_hash, newer)
    assert not passwords.matches(found("chart").secret_hash, secret)
    assert secret not in run("list")
    run("add", "phone", *named, *person, "--kind", "public", "--days", "30", "--purpose", "TREAT")
    assert found("phone").expires
    assert found("phone").purposes == ("TREAT",)
    run("add", "both", *named, "--scope", "system/*.rs user/*.rs", "--redirect", BACK, "--jwks", str(keys))
    assert set(found("both").grant_types) == {"client_credentials", *CODES}
    run("add", "backend", *named, "--scope", "system/*.rs", "--jwks", str(keys), "--certificate", "t" * 43)
    assert (found("backend").grant_types, found("backend").certificate) == (("client_credentials",), "t" * 43)
    assert "has a secret" in run("secret", "phone", code=1)
    assert "https" in run(
        "add", "x", *named, "--scope", "openid", "--redirect", "http://a", "--kind", "public", code=1
    )


BACK = "https://app.example/back"
