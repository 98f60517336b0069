"""Apps that register themselves, with a statement of somebody this deployment trusts. Off unless it is switched on.

Rules: RFC 7591 (sections 2, 2.3 and 3; what the statement says counts before what the app says)
The trusted issuers and their keys stand in a file (HUB_REGISTRATION_ISSUERS_FILE). A statement is a JWS by RS384 or
ES384 with `iss`, `exp`, `jti` and `software_id`; it registers one client. Without a role in the settings the client
waits, switched off.
Refuses (RegistrationError): no statement or one that is not trusted, unknown words, what the register refuses.
"""

import base64
import json
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authlib.oauth2.base import OAuth2Error
from flask import Request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from werkzeug.exceptions import RequestEntityTooLarge

from auth import clients, tokens
from auth.assertion import ALGORITHMS, SKEW_SECONDS, Proof, verified
from auth.client_authentication import BASIC, KIND, METHODS
from auth.client_rules import allowed_redirect
from auth.client_words import AUTHORIZATION_CODE, GRANT_TYPES, SYMMETRIC, Client
from auth.discovery import REGISTER_PATH
from auth.keys import Keys
from hub.clock import Clock
from hub.fhir import json as strict_json
from hub.problems import Problem
from hub.settings import Settings
from hub.store.engine import Database

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
WAITING_ROLE = "member"
HEADERS = frozenset(("alg", "kid", "typ"))


class RegistrationError(OAuth2Error):  # type: ignore[misc]
    """Nothing is registered; the error codes are those of RFC 7591 section 3.2.2."""

    def __init__(self, error: str, description: str):
        super().__init__(description=description, status_code=400, error=error)


class _Metadata(Schema):
    """What is registered of an app; other words are left out (RFC 7591 section 2)."""

    class Meta:
        unknown = EXCLUDE

    client_name = fields.String(required=True, validate=validate.Length(1, 200))
    redirect_uris = fields.List(fields.String(), load_default=list)
    grant_types = fields.List(
        fields.String(validate=validate.OneOf(GRANT_TYPES)), load_default=lambda: [AUTHORIZATION_CODE]
    )
    token_endpoint_auth_method = fields.String(load_default=BASIC, validate=validate.OneOf(METHODS))
    scope = fields.String(required=True)
    jwks = fields.Dict()
    jwks_uri = fields.String()
    launch_uri = fields.String(load_default="")


class _Statement(Schema):
    class Meta:
        unknown = EXCLUDE

    iss = fields.String(required=True, validate=validate.Length(1, 120))
    exp = fields.Integer(required=True, strict=True)
    jti = fields.String(required=True, validate=validate.Regexp(r"[\x20-\x7e]{1,256}\Z"))
    software_id = fields.String(required=True, validate=validate.Regexp(r"[\x20-\x7e]{1,256}\Z"))
    nbf = fields.Integer(strict=True)


_METADATA = _Metadata()
_STATEMENT = _Statement()


class Registration:
    """The endpoint, without the web but for the body it reads."""

    def __init__(self, database: Database, settings: Settings, keys: Keys, clock: Clock):
        self._database, self._settings, self._keys, self._clock = database, settings, keys, clock

    def answer(self, request: Request) -> dict[str, Any]:
        """Register the app of a request; what it is told (RFC 7591 section 3.2.1). Raises RegistrationError."""
        asked, now = _body(request), self._clock()
        statement = self._statement(asked.get("software_statement"), now)
        metadata = _metadata({**asked, **statement})
        secret = clients.made_secret() if KIND[metadata["token_endpoint_auth_method"]] == SYMMETRIC else ""
        client = self._client(metadata, statement, secret)
        proof = Proof(Client(f"statement {statement['iss']}"[:128], "", ""), statement["jti"], statement["exp"])
        self._database.writing(lambda connection: _registered(connection, client, proof, now))
        log.warning("A client registered itself, %s", "active" if client.active else "waiting")
        return _told(client, metadata, secret, now) | {"software_statement": asked["software_statement"]}

    def _client(self, metadata: Mapping[str, Any], statement: Mapping[str, Any], secret: str) -> Client:
        role = self._settings["HUB_REGISTRATION_ROLE"]
        return Client(
            id=f"app-{secrets.token_hex(12)}",
            name=metadata["client_name"],
            role=role or WAITING_ROLE,
            scopes=metadata["scope"],
            jwks=metadata.get("jwks"),
            jwks_url=metadata.get("jwks_uri"),
            active=bool(role),
            kind=KIND[metadata["token_endpoint_auth_method"]],
            redirect_uris=tuple(metadata["redirect_uris"]),
            grant_types=tuple(metadata["grant_types"]),
            launch_uri=metadata["launch_uri"],
            secret_hash=clients.hashed_secret(secret) if secret else "",
            software=f"{statement['iss']} {statement['software_id']}",
        )

    def _statement(self, text: object, now: datetime) -> dict[str, Any]:
        """What the statement says, all of it; it is signed by an issuer that counts."""
        if not isinstance(text, str) or not text:
            raise RegistrationError("invalid_software_statement", "A software statement is required")
        header, said = _unpacked(text)
        try:
            required = _STATEMENT.load(said)
        except ValidationError:
            raise _not_trusted("members") from None
        if header.get("alg") not in ALGORITHMS or set(header) - HEADERS:
            raise _not_trusted("header")
        if not required.get("nbf", 0) - SKEW_SECONDS <= now.timestamp() < required["exp"]:
            raise _not_trusted("nbf-or-exp")
        if not self._is_addressed(said.get("aud")):
            raise _not_trusted("aud")
        issuer = self._issuer(required["iss"])
        key = self._keys.key(issuer, str(header.get("kid")), now) if issuer else None
        if key is None or not verified(text, key):
            raise _not_trusted("issuer-or-signature")
        return said

    def _is_addressed(self, audience: object) -> bool:
        """A statement may be for every server; one that names others is not for this one."""
        base = self._settings.base_url
        mine = {base, self._settings.fhir_base, base + REGISTER_PATH}
        named = audience if isinstance(audience, list) else [audience]
        return audience is None or any(isinstance(each, str) and each in mine for each in named)

    def _issuer(self, name: str) -> Client | None:
        """An issuer as a client: its keys are found in the same way."""
        try:
            known = json.loads(self._settings.registration_issuers_file.read_text(encoding="utf-8"))[name]
            return Client("issuer", "", "", jwks=known.get("jwks"), jwks_url=known.get("jwks_uri"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def _registered(connection: Any, client: Client, proof: Proof, now: datetime) -> None:
    if not tokens.record(connection, proof):
        raise _not_trusted("used")
    try:
        clients.add(connection, client, now)
    except clients.ClientError as error:
        is_redirect = not all(allowed_redirect(uri, client.kind) for uri in client.redirect_uris)
        raise RegistrationError(
            "invalid_redirect_uri" if is_redirect else "invalid_client_metadata", str(error)
        ) from None


def _metadata(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = _METADATA.load(asked)
    except ValidationError as error:
        raise RegistrationError(
            "invalid_client_metadata", f"Missing or not usable: {', '.join(sorted(error.messages_dict))}"
        ) from None
    return found


def _told(client: Client, metadata: Mapping[str, Any], secret: str, now: datetime) -> dict[str, Any]:
    found = {**metadata, "client_id": client.id, "client_id_issued_at": int(now.timestamp())}
    if secret:
        found |= {"client_secret": secret, "client_secret_expires_at": 0}
    return found


def _body(request: Request) -> dict[str, Any]:
    request.max_content_length = MAX_BYTES
    if request.mimetype != "application/json":
        raise RegistrationError("invalid_client_metadata", "The body must be application/json")
    try:
        return strict_json.read(request.get_data(cache=False))
    except RequestEntityTooLarge:
        raise
    except (Problem, ValueError):
        raise RegistrationError("invalid_client_metadata", "The body is not a JSON object") from None


def _unpacked(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header, payload, _ = text.split(".")
        parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (header, payload)]
        return strict_json.read(parts[0]), strict_json.read(parts[1])
    except (Problem, ValueError):
        raise _not_trusted("not-a-jws") from None


def _not_trusted(reason: str) -> RegistrationError:
    log.warning("Software statement refused: %s", reason)
    return RegistrationError("unapproved_software_statement", "The software statement is not trusted here")
