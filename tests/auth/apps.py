"""Apps and people of the token tests: each kind of client with what it proves itself by, and codes as the pages of
/auth/authorize give them."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import delete
from werkzeug.test import TestResponse

from auth import authorization_codes, clients
from auth.assertion import ASSERTION_TYPE
from auth.client_words import Client
from auth.development_token import assertion, public_jwks
from hub.clock import now as real
from hub.store import tables_auth
from hub.store.engine import Database
from tests.auth.browsing import have_user

TOKEN_URL = "https://hub.example/auth/token"
BACK = "https://app.example/back"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SECRET = "a-secret-of-43-characters-of-the-tests-only"
SCOPES = "openid fhirUser offline_access launch/patient patient/*.rs user/Task.rs"
CONTEXT = {
    "patient": "p-1",
    "encounter": "e-1",
    "need_patient_banner": True,
    "smart_style_url": "https://hub.example/auth/smart-style.json",
    "fhirContext": [{"reference": "ImagingStudy/1"}],
    "who_launched": "nobody is told this",
}
ROLE = "custodian"
CODES = ("authorization_code", "refresh_token")
PUBLIC, SYMMETRIC, ASYMMETRIC = "app-public", "app-symmetric", "app-asymmetric"


@cache
def hashed_secret() -> str:
    """Of SECRET; hashing takes its time."""
    return clients.hashed_secret(SECRET)


def app_client(identity: str, kind: str, **parts: Any) -> Client:
    return Client(
        identity, "A Demo App", ROLE, SCOPES, kind=kind, redirect_uris=(BACK,), grant_types=CODES, **parts
    )


@dataclass
class Apps:
    """The three kinds of app, one person, and a browser's worth of codes."""

    database: Database
    web: FlaskClient
    clock: Any
    key: dict[str, Any]
    user: str = ""

    def register(self) -> None:
        keys = public_jwks(self.key)
        hashed = hashed_secret()
        with self.database.write() as connection:
            for table in (tables_auth.user_account, tables_auth.authorization_code, tables_auth.refresh_token):
                connection.execute(delete(table))
            for client in (
                app_client(PUBLIC, "public"),
                app_client("app-other", "public"),
                app_client(SYMMETRIC, "confidential-symmetric", secret_hash=hashed),
                app_client(ASYMMETRIC, "confidential-asymmetric", jwks=keys),
            ):
                clients.add(connection, client, real())
        self.user = have_user(self.database, "robin", (ROLE,), fhir_user="Practitioner/robin")

    def register_more(self, *more: Client) -> None:
        with self.database.write() as connection:
            for client in more:
                clients.add(connection, client, real())

    def code(
        self, client: str = PUBLIC, scopes: str = SCOPES, context: dict[str, Any] | None = None, nonce: str = "n-1"
    ) -> str:
        with self.database.write() as connection:
            found = clients.find(connection, client)
            assert found
            told = CONTEXT if context is None else context
            words = (self.user, BACK, scopes, CHALLENGE, nonce, told, self.clock())
            return authorization_codes.issue(connection, found, *words)

    def credentials(self, client: str) -> dict[str, str]:
        """What a client adds to its form."""
        if client in (SYMMETRIC, "watcher"):
            return {"client_id": client, "client_secret": SECRET}
        if client == ASYMMETRIC:
            signed = assertion(TOKEN_URL, client, self.key, self.clock)
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
        return {"client_id": client}

    def exchange(self, code: str, client: str = PUBLIC, /, **changes: str | None) -> TestResponse:
        form: dict[str, str | None] = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        return self.ask(client, {**form, "code_verifier": VERIFIER, **changes})

    def refresh(self, token: str, client: str = PUBLIC, **changes: str | None) -> TestResponse:
        return self.ask(client, {"grant_type": "refresh_token", "refresh_token": token, **changes})

    def ask(self, client: str, form: dict[str, str | None], path: str = "/auth/token") -> TestResponse:
        pairs = {**self.credentials(client), **form}
        return self.web.post(path, data={name: value for name, value in pairs.items() if value is not None})

    def tokens(self, client: str = PUBLIC, **parts: Any) -> dict[str, Any]:
        answer = self.exchange(self.code(client, **parts), client)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found
