"""What the tests of `auth` share: a hand-set clock, keys, registered clients, and a forge for assertions."""

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import delete
from werkzeug.test import TestResponse

from auth import clients, passwords
from auth.assertion import ASSERTION_TYPE
from auth.blueprint import blueprint
from auth.development_token import new_key, public_jwks
from auth.guard import Guard
from hub.clock import now
from hub.settings import read_settings
from hub.store import tables
from hub.store.engine import Database

BASE = "https://hub.example"
TOKEN_URL = f"{BASE}/auth/token"
EHR = "ehr-riverbend"
SCOPES = "system/Patient.rs system/Task.cru"
SECRET_KEY = "a secret of the tests, 32 long!!"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CHEAP_DECOY = CHEAP.hash("nobody has this password")
SETTINGS = read_settings({"HUB_BASE_URL": BASE, "HUB_SECRET_KEY": SECRET_KEY})


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def auth_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests of this wing: they are many, and write to three tables only."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        return f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('auth') / 'hub.db')}"
    found: str = request.getfixturevalue("postgresql").create_database("auth_tests", "migrated")
    return found


@pytest.fixture(scope="session")
def opened(auth_url: str) -> Iterator[Database]:
    found = Database(auth_url, pool_size=32)
    yield found
    found.close()


@pytest.fixture
def database(opened: Database) -> Database:
    """No client, token or assertion in it; the test runs on SQLite and on PostgreSQL."""
    with opened.write() as connection:
        for table in (tables.client, tables.token, tables.assertion):
            connection.execute(delete(table))
    return opened


@pytest.fixture(autouse=True)
def cheap_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and secrets are hashed at next to no cost, but in tests that ask for `real_costs`."""
    if "real_costs" not in request.fixturenames:
        monkeypatch.setattr(passwords, "_costs", CHEAP)
        monkeypatch.setattr(passwords, "_decoy", lambda: CHEAP_DECOY)


@pytest.fixture
def real_costs() -> None:
    """For a test of how long something takes."""


class HandClock:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session", autouse=True)
def checked_keys() -> Iterator[None]:
    """OpenSSL checks a private RSA key for 80 ms whenever it is read: each of the tests' keys once is enough."""
    read = RSAKey.import_key
    kept: dict[str, RSAKey] = {}

    def import_key(value: Any, *words: Any, **more: Any) -> RSAKey:
        if not isinstance(value, dict) or "d" not in value or words or more:
            return read(value, *words, **more)
        return kept.get(written := json.dumps(value, sort_keys=True)) or kept.setdefault(written, read(value))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RSAKey, "import_key", import_key)
        yield


@pytest.fixture(scope="session")
def rsa_key() -> dict[str, Any]:
    return new_key("RS384")


@pytest.fixture(scope="session")
def ec_key() -> dict[str, Any]:
    return new_key("ES384")


@pytest.fixture(scope="session")
def foreign_key() -> dict[str, Any]:
    """A key that nobody registered."""
    return new_key("RS384")


@pytest.fixture
def registered(database: Database, rsa_key: dict[str, Any], ec_key: dict[str, Any]) -> Database:
    """The database with an EHR, a disabled plan, and a provider that may only be sent notices."""
    keys = public_jwks(rsa_key, ec_key)
    with database.write() as connection:
        for client in (
            clients.Client(EHR, "Riverbend Demo EHR", "ehr", SCOPES, keys),
            clients.Client("plan-asleep", "Sleeping Demo Plan", "plan", SCOPES, keys),
            clients.Client("notices-only", "Harbor Demo Kitchen", "ilos-provider", "", keys),
        ):
            clients.add(connection, client, now())
        clients.disable(connection, "plan-asleep")
    return database


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@cache
def _private(jwk: str) -> RSAKey | ECKey:
    key = json.loads(jwk)
    return RSAKey.import_key(key) if key["kty"] == "RSA" else ECKey.import_key(key)


@dataclass
class Forge:
    """Makes token requests, right ones and wrong ones."""

    clock: HandClock
    key: dict[str, Any]
    foreign: dict[str, Any]
    used: int = 0

    def claims(self, **changes: Any) -> dict[str, Any]:
        self.used += 1
        seconds = int(self.clock().timestamp())
        found = {"iss": EHR, "sub": EHR, "aud": TOKEN_URL, "exp": seconds + 240, "jti": f"jti-{self.used}"}
        return {name: value for name, value in (found | changes).items() if value is not None}

    def assertion(
        self, header: dict[str, Any] | None = None, key: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Signed with any algorithm: the header says which."""
        key = key or self.key
        wanted = {"alg": key["alg"], "typ": "JWT", "kid": key["kid"]} | (header or {})
        return self.signed({n: v for n, v in wanted.items() if v is not None}, self.claims(**claims), key)

    def signed(self, header: dict[str, Any], claims: Any, key: dict[str, Any]) -> str:
        plain = {name: value for name, value in key.items() if name not in ("alg", "use", "key_ops")}
        private = _private(json.dumps(plain))
        signing_input = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
        algorithm = jws.JWSRegistry.algorithms[str(header.get("alg", "RS384"))]
        return f"{signing_input}.{b64(algorithm.sign(signing_input.encode(), private))}"

    def form(self, assertion: str | None = None, **changes: str | None) -> dict[str, str]:
        found: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "scope": "system/Patient.rs",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion() if assertion is None else assertion,
        }
        return {name: value for name, value in (found | changes).items() if value is not None}


@pytest.fixture
def forge(clock: HandClock, rsa_key: dict[str, Any], foreign_key: dict[str, Any]) -> Forge:
    return Forge(clock, rsa_key, foreign_key)


def node(database: Database, clock: HandClock) -> Flask:
    found = Flask("test")
    found.register_blueprint(blueprint(database, SETTINGS, clock))
    return found


@pytest.fixture
def app(registered: Database, clock: HandClock) -> Flask:
    return node(registered, clock)


@pytest.fixture
def other_node(registered: Database, auth_url: str, clock: HandClock) -> Iterator[Flask]:
    """Another process of the hub, as far as the database can tell."""
    database = Database(auth_url, pool_size=32)
    yield node(database, clock)
    database.close()


@pytest.fixture
def web(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def guard(registered: Database, clock: HandClock) -> Guard:
    return Guard(registered, clock)


@pytest.fixture
def token(web: FlaskClient, forge: Forge) -> str:
    answer: TestResponse = web.post("/auth/token", data=forge.form())
    found: str = answer.get_json()["access_token"]
    return found
