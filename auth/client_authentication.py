"""How a client proves who it is, at the token, revocation and introspection endpoints: one way at a time.

Rules: RFC 6749 section 2.3 (one way a request; Basic's two halves are form-encoded), RFC 7523 section 3; SMART App
Launch 2.2, https://hl7.org/fhir/smart-app-launch/client-confidential-symmetric.html
A client has one kind, and a kind has its ways: keys sign, a secret is told, a public client only says its name.
Refuses: two ways at once (`invalid_request`), and with one `invalid_client` for all of it whatever
`auth.assertion` refuses, clients unknown, switched off or past their last day, wrong secrets, another kind's way.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from auth import clients, passwords, token_form
from auth.assertion import AssertionRefusedError, Proof, authenticate
from auth.client_words import ASYMMETRIC, PUBLIC, SYMMETRIC, Client
from auth.keys import Keys
from auth.recorded import note
from hub.store.engine import Database

log = logging.getLogger(__name__)

PRIVATE_KEY_JWT, BASIC, POST, NONE = METHODS = (
    "private_key_jwt",
    "client_secret_basic",
    "client_secret_post",
    "none",
)
KIND = {PRIVATE_KEY_JWT: ASYMMETRIC, BASIC: SYMMETRIC, POST: SYMMETRIC, NONE: PUBLIC}
REALM = "calaim-fhir-hub"
MAX_HEADER = 1024

Form = Mapping[str, Any]


class ClientRefusedError(InvalidClientError):  # type: ignore[misc]
    """One answer for every client that is not authenticated. The challenge is of the kind that was tried."""

    def __init__(self, scheme: str = "Bearer") -> None:
        super().__init__(description="Client authentication failed", status_code=401)
        self.scheme = scheme

    def get_headers(self) -> list[tuple[str, str]]:
        plain = [(name, value) for name, value in super().get_headers() if name != "WWW-Authenticate"]
        return [*plain, ("WWW-Authenticate", f'{self.scheme} realm="{REALM}"')]


def refusal(reason: str, scheme: str = "Bearer") -> ClientRefusedError:
    """The refusal to raise; the reason, a code, goes to the log."""
    log.warning("Token refused: %s", reason)
    return ClientRefusedError(scheme)


def way_of(form: Form, header: str) -> str:
    """The way a request authenticates its client; empty where it says nothing of a client."""
    tried = {
        PRIVATE_KEY_JWT: "client_assertion" in form or "client_assertion_type" in form,
        BASIC: bool(header),
        POST: bool(form.get("client_secret")),
    }
    found = [way for way, is_tried in tried.items() if is_tried]
    if len(found) > 1:
        raise InvalidRequestError("Authenticate in one way: with an assertion, a header or a secret")
    return found[0] if found else (NONE if form.get("client_id") else "")


class Authentication:
    """The clients of one register, and how each is recognized."""

    def __init__(self, database: Database, keys: Keys, token_url: str):
        self._database, self._keys, self._token_url = database, keys, token_url
        self._ways: Mapping[str, Callable[[Form, str, datetime], Proof]] = {
            PRIVATE_KEY_JWT: self._by_assertion,
            BASIC: self._by_header,
            POST: self._by_form,
            NONE: self._by_name,
        }

    def proof(self, form: Form, header: str, now: datetime) -> Proof:
        """Who asks. Raises ClientRefusedError or InvalidRequestError."""
        way = way_of(form, header)
        if not way:
            raise refusal("no-client")
        found = self._ways[way](form, header, now)
        if form.get("client_id", found.client.id) != found.client.id:
            raise refusal("client-id")
        if found.client.kind != KIND[way]:
            raise refusal("way-of-another-kind")
        note(client=found.client.id, role=found.client.role)
        return found

    def _by_assertion(self, form: Form, _: str, now: datetime) -> Proof:
        assertion = token_form.require_assertion(form)
        try:
            return authenticate(assertion, self._token_url, now, self._find, self._keys.key)
        except AssertionRefusedError as error:
            raise refusal(error.reason) from None

    def _by_header(self, _: Form, header: str, now: datetime) -> Proof:
        name, secret = _told_in(header)
        return self._by_secret(name, secret, now, "Basic")

    def _by_form(self, form: Form, _: str, now: datetime) -> Proof:
        return self._by_secret(form.get("client_id", ""), form["client_secret"], now, "Bearer")

    def _by_secret(self, name: str, secret: str, now: datetime, scheme: str) -> Proof:
        client = self._usable(name, now)
        # without a client a secret is checked all the same, so that both take the same time
        if not passwords.matches(client.secret_hash if client else "", secret) or client is None:
            raise refusal("secret", scheme)
        return Proof(client, "", 0)

    def _by_name(self, form: Form, _: str, now: datetime) -> Proof:
        client = self._usable(form["client_id"], now)
        if client is None:
            raise refusal("unknown-client")
        return Proof(client, "", 0)

    def _usable(self, client_id: str, now: datetime) -> Client | None:
        client = self._find(client_id)
        return client if client and client.usable(now) else None

    def _find(self, client_id: str) -> Client | None:
        with self._database.read() as connection:
            return clients.find(connection, client_id)


def _told_in(header: str) -> tuple[str, str]:
    """Client id and secret of a Basic header."""
    scheme, _, told = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_HEADER:
        raise refusal("not-basic", "Basic")
    try:
        name, _, secret = base64.b64decode(told.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        raise refusal("not-basic", "Basic") from None
    return unquote_plus(name), unquote_plus(secret)
