"""What a code or a refresh token is exchanged for, in one transaction with all that it uses up.

Rules: RFC 6749 sections 4.1.3, 5 and 6; SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html
(the answer names the launch context; refresh tokens are rotated), OpenID Connect Core 1.0 section 3.1.3.3
Refuses (Refusal, returned and not raised: that a family ended is to be committed): an assertion that was used
before, what `auth.authorization_codes` and `auth.refresh` refuse, people who were switched off
meanwhile or whom the app is not for any more, scopes beyond those given (`invalid_scope`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from auth import authorization_codes, clients, persons, refresh, scopes, users
from auth.assertion import Proof
from auth.authorization_codes import CodeError, Given
from auth.client_words import REFRESH_TOKEN, Client
from auth.id_token import Issuer, Subject, id_token
from auth.recorded import note
from auth.refresh import RefreshError
from auth.signing_keys import Signer
from auth.tokens import SECOND, Grant, end_family, new_token, record, store
from auth.users import User

# what of a launch context a client is told (SMART App Launch 2.2, launch context arrives with your access_token)
TOLD = ("patient", "encounter", "fhirContext", "need_patient_banner", "smart_style_url", "intent", "tenant")
INVALID_GRANT, INVALID_SCOPE, INVALID_CLIENT = "invalid_grant", "invalid_scope", "invalid_client"

Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is given: the error of RFC 6749 for the client, and a reason code for the log."""

    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lives:
    """How long what is given lasts (seconds)."""

    access: int
    refresh: int


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a person's word is worth now: the scopes of the access token, and those that a refresh keeps."""

    user: User
    family: str
    scopes: str
    kept: str
    context: Mapping[str, Any]
    signed_in: int
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The exchange of one hub."""

    issuer: Issuer
    lives: Lives

    def of_code(
        self, connection: Connection, proof: Proof, form: Form, signer: Signer, now: datetime
    ) -> dict[str, Any] | Refusal:
        """The token answer for an authorization code."""
        if not record(connection, proof) or not clients.stands(connection, proof.client):
            return Refusal(INVALID_CLIENT, "replay")
        try:
            given = _redeemed(connection, proof.client, form, now)
        except CodeError as error:
            end_family(connection, error.family)
            return Refusal(INVALID_GRANT, error.reason)
        ready = _ready(connection, proof.client, given, given.scopes)
        if isinstance(ready, Refusal):
            return ready
        return self._answer(connection, proof.client, ready, signer, now)

    def of_refresh(
        self, connection: Connection, proof: Proof, form: Form, signer: Signer, now: datetime
    ) -> dict[str, Any] | Refusal:
        """The token answer for a refresh token. It is used up; a narrower scope is for this access token only."""
        if not record(connection, proof) or not clients.stands(connection, proof.client):
            return Refusal(INVALID_CLIENT, "replay")
        token = form["refresh_token"]
        try:
            held = refresh.usable(connection, proof.client, token, now)
            ready = _ready(connection, proof.client, held, form["scope"] or held.scopes)
            if isinstance(ready, Refusal):
                return ready
            refresh.use(connection, token, held, now)
        except RefreshError as error:
            end_family(connection, error.family)
            return Refusal(INVALID_GRANT, error.reason)
        return self._answer(connection, proof.client, ready, signer, now)

    def _answer(
        self, connection: Connection, client: Client, ready: _Ready, signer: Signer, now: datetime
    ) -> dict[str, Any]:
        note(user=ready.user.id, detail=urlencode({"scope": ready.scopes}))
        words = scopes.words(scopes.parse(ready.scopes))
        grant = Grant(client.id, ready.scopes, ready.user.id, ready.context, ready.family, client.certificate)
        token = new_token()
        store(connection, token, grant, now, self.lives.access)
        answer: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.lives.access,
            "scope": ready.scopes,
        }
        if _may_refresh(client, ready.kept):
            kept = Grant(client.id, ready.kept, ready.user.id, ready.context, ready.family)
            answer["refresh_token"] = refresh.issue(connection, kept, ready.signed_in, now, self.lives.refresh)
        if "openid" in words:
            subject = Subject(ready.user.id, ready.user.fhir_user, ready.signed_in // SECOND, ready.nonce)
            answer["id_token"] = id_token(self.issuer, subject, client.id, words, signer, now)
        return answer | told(ready.context)


def told(context: Mapping[str, Any]) -> dict[str, Any]:
    """The launch context as the client and an introspection read it."""
    return {name: context[name] for name in TOLD if name in context}


def _redeemed(connection: Connection, client: Client, form: Form, now: datetime) -> Given:
    words = (form["code"], form["redirect_uri"], form["code_verifier"])
    return authorization_codes.redeem(connection, client, *words, now)


def _ready(connection: Connection, client: Client, of: Given | refresh.Held, asked: str) -> _Ready | Refusal:
    user = users.held(connection, of.user)  # whoever ends the app's access waits for this, or this for them
    if user is None or persons.client_of(client, user) is None:
        return Refusal(INVALID_GRANT, "person-not-for-this-app")
    try:
        wanted = scopes.parse(asked)
        if not scopes.covers(scopes.parse(of.scopes), wanted):
            return Refusal(INVALID_SCOPE, "wider-scope")
        # the register may have been cut since
        given = _tellable(scopes.granted(wanted, scopes.parse(client.scopes)), user)
    except scopes.ScopeError:
        return Refusal(INVALID_SCOPE, "scope")
    nonce = of.nonce if isinstance(of, Given) else ""
    text = scopes.written_like(given, asked)
    return _Ready(user, of.family, text, of.scopes, of.context, of.signed_in, nonce)


def _tellable(given: scopes.Scopes, user: User) -> scopes.Scopes:
    """Who is no resource here cannot be told as one: `fhirUser` is not granted then."""
    return given if user.fhir_user else tuple(scope for scope in given if str(scope) != "fhirUser")


def _may_refresh(client: Client, kept: str) -> bool:
    """online_access is not offered: a refresh token outlives the session, or there is none."""
    return REFRESH_TOKEN in client.grant_types and "offline_access" in scopes.words(scopes.parse(kept))
