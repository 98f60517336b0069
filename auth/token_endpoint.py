"""The token endpoint of SMART Backend Services, on Authlib's AuthorizationServer and ClientCredentialsGrant.

Rules: RFC 6749 sections 4.4 and 5; https://hl7.org/fhir/smart-app-launch/backend-services.html
Opaque random tokens of at most 300 s; only their SHA-256 is stored, in the transaction that records the jti:
an assertion that comes twice, on any node, gets one token.
Refuses: other grants and clients without scopes (`unsupported_grant_type`, `unauthorized_client`), scopes
(`invalid_scope`), and whatever `auth.assertion` refuses, with one `invalid_client` for all of it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientCredentialsGrant, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidScopeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from flask import Request

from auth import clients, scopes, token_form
from auth.assertion import AssertionRefusedError, Proof, authenticate
from auth.keys import Keys
from auth.tokens import issue, new_token
from hub.clock import Clock
from hub.store.engine import Database

log = logging.getLogger(__name__)

AUTH_METHOD = "private_key_jwt"
LONGEST_TOKEN_SECONDS = 300


class ClientRefusedError(InvalidClientError):  # type: ignore[misc]
    """One answer for every client that is not authenticated. Authlib's own would offer HTTP Basic."""

    def __init__(self) -> None:
        super().__init__(description="Client authentication failed", status_code=401)

    def get_headers(self) -> list[tuple[str, str]]:
        plain = [(name, value) for name, value in super().get_headers() if name != "WWW-Authenticate"]
        return [*plain, ("WWW-Authenticate", 'Bearer realm="calaim-fhir-hub"')]


@dataclass(frozen=True, slots=True)
class ProvenClient(ClientMixin):  # type: ignore[misc]
    """What Authlib asks of a client, answered for one that proved itself at a moment."""

    proof: Proof
    at: datetime

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method, endpoint) == (AUTH_METHOD, "token")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == ClientCredentialsGrant.GRANT_TYPE and bool(self.proof.client.scopes)

    def get_allowed_scope(self, scope: str) -> str:
        registered = scopes.parse(self.proof.client.scopes)
        try:
            return scopes.written(scopes.granted(scopes.parse(scope), registered))
        except scopes.ScopeError as error:
            raise InvalidScopeError(str(error)) from None


class BackendServicesGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """client_credentials with the one way of authenticating that SMART allows."""

    TOKEN_ENDPOINT_AUTH_METHODS = (AUTH_METHOD,)

    def validate_requested_scope(self) -> None:
        self.client.get_allowed_scope(self.request.payload.scope)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Authlib's own writes the token to its debug log."""
        token = self.generate_token(scope=self.request.payload.scope, include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """A form that was read already. TLS ends before the hub; about plain http Authlib does not decide."""

    def __init__(self, form: dict[str, Any]):
        super().__init__("POST", "https://hub.invalid/auth/token")
        self.payload = BasicOAuth2Payload(form)


class TokenServer(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server, wired to this hub's register, keys, clock and database."""

    def __init__(self, database: Database, keys: Keys, token_url: str, token_seconds: int, clock: Clock):
        super().__init__(query_client=lambda client_id: None, save_token=self._issue)
        self._database, self._keys, self._clock = database, keys, clock
        self._token_url = token_url
        life = min(token_seconds, LONGEST_TOKEN_SECONDS)
        self.register_token_generator(
            "default", BearerTokenGenerator(new_token, expires_generator=lambda client, grant: life)
        )
        self.register_client_auth_method(AUTH_METHOD, self._authenticated)
        self.register_grant(BackendServicesGrant)

    def create_oauth2_request(self, request: Request) -> TokenRequest:
        return TokenRequest(token_form.read(request))

    def _authenticated(self, _query_client: Callable[..., Any], request: TokenRequest) -> ProvenClient:
        form, now = request.payload.data, self._clock()
        assertion = token_form.require_assertion(form)
        try:
            proof = authenticate(assertion, self._token_url, now, self._find, self._keys.key)
            if form.get("client_id", proof.client.id) != proof.client.id:
                raise AssertionRefusedError("client-id")
        except AssertionRefusedError as error:
            raise _refusal(error.reason) from None
        return ProvenClient(proof, now)

    def _find(self, client_id: str) -> clients.Client | None:
        with self._database.read() as connection:
            return clients.find(connection, client_id)

    def _issue(self, token: dict[str, Any], request: TokenRequest) -> None:
        proven: ProvenClient = request.client
        if not self._database.writing(lambda connection: issue(connection, token, proven.proof, proven.at)):
            raise _refusal("replay")


def _refusal(reason: str) -> ClientRefusedError:
    log.warning("Token refused: %s", reason)
    return ClientRefusedError()
