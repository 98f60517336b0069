"""The introspection endpoint: what a token is worth now, told to whom it concerns.

Rules: RFC 7662; SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/token-introspection.html (scope,
client_id, exp; the launch context; iss and sub where there was an ID token, and fhirUser); RFC 8705
section 3.2 (`cnf`)
Who may ask: a client about its own tokens, one that is registered as resource server about any access token. It
proves itself, or shows an access token of its own; a public client's name alone proves nothing here.
Refuses: callers that do not (401 `invalid_client`). Whatever is unknown, over, or another's is `active: false`, and
nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from auth import clients, exchange, known_tokens, persons, scopes, tokens, users
from auth.assertion import Proof
from auth.client_authentication import Authentication, refusal
from auth.client_words import PUBLIC, Client
from auth.id_token import Issuer, Subject
from auth.known_tokens import KnownToken
from auth.recorded import note
from auth.tokens import SECOND
from hub.clock import Clock
from hub.store.engine import Database

INACTIVE = {"active": False}
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Introspection:
    """The endpoint, without the web."""

    def __init__(self, database: Database, authentication: Authentication, issuer: Issuer, clock: Clock):
        self._database, self._authentication = database, authentication
        self._issuer, self._clock = issuer, clock

    def answer(self, form: Mapping[str, Any], authorization: str) -> dict[str, Any]:
        """What the caller may know of the token in the form. Raises ClientRefusedError."""
        now = self._clock()
        caller = self._caller(form, authorization, now)
        return self._database.reading(lambda connection: self._told(connection, caller, form["token"], now))

    def _caller(self, form: Mapping[str, Any], authorization: str, now: datetime) -> Client:
        if bearer := _BEARER.fullmatch(authorization.strip()):
            return self._bearer(bearer[1], now)
        proof = self._authentication.proof(form, authorization, now)
        if proof.client.kind == PUBLIC:
            raise refusal("public-client")
        if proof.jti and not self._recorded(proof):
            raise refusal("replay")
        return proof.client

    def _recorded(self, proof: Proof) -> bool:
        return self._database.writing(lambda connection: tokens.record(connection, proof))

    def _bearer(self, token: str, now: datetime) -> Client:
        def holder(connection: Connection) -> Client | None:
            known = known_tokens.find(connection, token)
            if known is None or known.is_refresh or known.row.certificate:
                return None  # whose certificate was shown is not known here
            found = _usable(connection, known, now)
            # what a person's app holds goes through many hands: it asks about its own only
            return replace(found, resource_server=False) if found and known.row.user_id else found

        client = self._database.reading(holder)
        if client is None:
            raise refusal("bearer")
        note(client=client.id, role=client.role)
        return client

    def _told(self, connection: Connection, caller: Client, token: str, now: datetime) -> dict[str, Any]:
        known = known_tokens.find(connection, token)
        if known is None or not _concerns(known, caller):
            return INACTIVE
        if _usable(connection, known, now) is None:
            return INACTIVE
        row = known.row
        found = {"active": True, "scope": row.scopes, "client_id": row.client}
        found |= {"exp": row.expires // SECOND, "iat": row.issued // SECOND}
        if not known.is_refresh:
            found["token_type"] = "Bearer"  # noqa: S105 - a word
            if row.certificate:  # RFC 8705 section 3.2: who takes the token must ask for the certificate, too
                found["cnf"] = {"x5t#S256": row.certificate}
        return found | self._person(connection, row) | exchange.told(tokens.read(row.context))

    def _person(self, connection: Connection, row: Any) -> dict[str, Any]:
        words = scopes.words(scopes.parse(row.scopes))
        user = users.by_id(connection, row.user_id) if row.user_id and "openid" in words else None
        return self._issuer.identity(Subject(user.id, user.fhir_user, 0), words) if user else {}


def _concerns(known: KnownToken, caller: Client) -> bool:
    """A client's tokens are its own affair. A resource server takes access tokens: of a refresh token it is told
    what it is told of no token, or it might let one in."""
    return bool(known.row.client == caller.id or (caller.resource_server and not known.is_refresh))


def _usable(connection: Connection, known: KnownToken, now: datetime) -> Client | None:
    """The client whose token it is, if the token is good, and client and person are still switched on."""
    client = clients.find(connection, known.row.client)
    if client is None or not client.usable(now) or not known.is_good(now):
        return None
    if known.row.user_id:
        user = users.by_id(connection, known.row.user_id)
        return client if user and persons.client_of(client, user) else None
    return client
