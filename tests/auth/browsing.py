"""A person at a browser, in tests: pages are read as HTML, forms are sent with what they hold."""

import base64
import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete
from werkzeug.test import TestResponse

from auth import passwords, users
from auth.clients import Client
from auth.guard import Guard
from auth.pages_blueprint import pages_blueprint
from hub.access import Access
from hub.clock import Clock
from hub.clock import now as real
from hub.settings import Settings, read_settings
from hub.store import tables_auth
from hub.store.engine import Database
from hub.store.tables import metadata
from hub.transactions import Entry, Transactions
from tests.hub.asking import WRITTEN

BASE = "https://hub.example"
FHIR = f"{BASE}/fhir"
APP = "chart-app"
BACK = "https://app.example/back"
PASSWORD = "correct horse battery"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPES = "launch launch/patient openid fhirUser offline_access patient/*.rs user/Patient.rs patient/Observation.r"
STATE = "state-of-a-test-0123456789"
TABLES = (
    tables_auth.user_account,
    tables_auth.user_session,
    tables_auth.sign_in_failure,
    tables_auth.launch_context,
    tables_auth.authorization_code,
    tables_auth.refresh_token,
)
HARBOR = "Organization/harbor"


def settings(**more: str) -> Settings:
    return read_settings({"HUB_BASE_URL": BASE, "HUB_SECRET_KEY": "a secret of the tests, 32 long!!", **more})


def emptied(database: Database) -> None:
    with database.write() as connection:
        # PostgreSQL takes them all at once: each on its own is a way there and back
        for statement in _deletes() if database.is_sqlite else ("; ".join(_deletes()),):
            connection.exec_driver_sql(statement)


@cache
def _deletes() -> tuple[str, ...]:
    indexes = [table for name, table in metadata.tables.items() if name.startswith("index_")]
    return tuple(str(delete(table)) for table in (*TABLES, *WRITTEN, *indexes))


def app_client(identity: str = APP, role: str = "custodian", **parts: Any) -> Client:
    """A public app of the web, registered for codes."""
    client = Client(identity, "Chart App", role, SCOPES, kind="public", redirect_uris=(BACK,))
    more = {"grant_types": ("authorization_code", "refresh_token"), "launch_uri": "https://app.example/launch"}
    return replace(client, **{**more, **parts})


def have_user(
    database: Database, login: str = "robin", roles: tuple[str, ...] = ("custodian",), **parts: Any
) -> str:
    """An account with PASSWORD; its id."""
    hashed = _hash()
    user = users.User("", login, f"{login.title()} Demo", roles=roles, password_hash=hashed, **parts)
    return database.writing(lambda connection: users.add(connection, user, real())).id


_kept: list[str] = []


def _hash() -> str:
    if not _kept:
        _kept.append(passwords.hashed(PASSWORD, "", 12))
    return _kept[0]


def have(database: Database, *resources: dict[str, Any], source: str = "") -> None:
    """Store these, as the hub itself."""
    store = Transactions(database, lambda *_: [], lambda _: (), FHIR)
    access = Access.system("a test", source)
    for resource in resources:
        store.commit([Entry("PUT", resource["resourceType"], id=resource["id"], resource=resource)], access)


def patient(identity: str, given: str, family: str, born: str = "1980-04-02", **parts: Any) -> dict[str, Any]:
    name = [{"use": "official", "given": [given], "family": family}]
    return {"resourceType": "Patient", "id": identity, "name": name, "birthDate": born, **parts}


def site(database: Database, clock: Clock = real, oidc_hosts: tuple[str, ...] = (), **more: str) -> Flask:
    found = Flask("test")
    guard = Guard(database, clock)
    found.register_blueprint(pages_blueprint(database, settings(**more), guard.access_of, clock, oidc_hosts))
    return found


def request(**changes: str | None) -> dict[str, str]:
    """What an app asks; None leaves a parameter out."""
    asked: dict[str, str | None] = {
        "response_type": "code",
        "client_id": APP,
        "redirect_uri": BACK,
        "scope": "openid fhirUser user/Patient.rs",
        "state": STATE,
        "aud": FHIR,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (asked | changes).items() if value is not None}


def address(**changes: str | None) -> str:
    return f"/auth/authorize?{urlencode(request(**changes))}"


def told(answer: TestResponse) -> dict[str, str]:
    """What an app is told at its address."""
    assert answer.status_code == 303, answer.text
    where = answer.headers["Location"]
    assert where.startswith(f"{BACK}?"), where
    return dict(parse_qsl(urlsplit(where).query))


@dataclass
class Form:
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """The forms of a page, its labels, and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.forms: list[Form] = []
        self.labelled: set[str] = set()
        self.inputs: list[dict[str, str]] = []
        self.links: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found["action"]))
        elif tag == "label":
            self.labelled.add(found["for"])
        elif tag == "a":
            self.links.append(found["href"])
        elif tag == "script":
            self.scripts += 1
        elif tag == "input":
            self._input(found)
        elif tag == "button" and "name" in found:
            self.forms[-1].buttons.append((found["name"], found["value"]))

    def _input(self, found: dict[str, str]) -> None:
        self.inputs.append(found)
        pair = (found["name"], found.get("value", ""))
        if found["type"] in ("radio", "checkbox"):
            self.forms[-1].boxes.append(pair)
            if "checked" not in found:
                return
        self.forms[-1].fields.append(pair)

    def form(self, action: str, having: str = "") -> Form:
        return next(
            f
            for f in self.forms
            if f.action == action and (not having or having in {n for n, _ in f.fields + f.boxes})
        )


class Browser:
    """One browser: it keeps cookies, and sends forms as they stand on the page."""

    def __init__(self, app: Flask):
        self.web: FlaskClient = app.test_client()

    def get(self, path: str) -> TestResponse:
        return self.web.get(path, base_url=BASE)

    def post(self, path: str, data: Any) -> TestResponse:
        return self.web.post(path, data=data, base_url=BASE)

    def send(
        self, page: TestResponse, action: str, *add: tuple[str, str], having: str = "", **changes: str
    ) -> TestResponse:
        form = Page(page.text).form(action, having)
        fields = [(name, changes.pop(name, value)) for name, value in form.fields]
        pairs = [*fields, *changes.items()]
        return self.web.post(
            action, data=urlencode(pairs), content_type="application/x-www-form-urlencoded", base_url=BASE
        )

    def sign_in(
        self, page: TestResponse, login: str = "robin", password: str = PASSWORD, **more: str
    ) -> TestResponse:
        return self.send(page, "/auth/sign-in", login=login, password=password, **more)

    def follow(self, answer: TestResponse) -> TestResponse:
        assert answer.status_code == 303, answer.text
        where = answer.headers["Location"]
        assert where.startswith("/"), where
        return self.get(where)

    def to(self, path: str, login: str = "robin") -> TestResponse:
        """Open an address, sign in, and what comes then."""
        return self.follow(self.sign_in(self.get(path), login))

    def allow(self, page: TestResponse, **changes: str) -> TestResponse:
        return self.send(page, "/auth/decision", decision="allow", **changes)
