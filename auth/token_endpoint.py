"""The token endpoint, on Authlib's AuthorizationServer: backends, codes and refresh tokens.

Rules: RFC 6749 sections 4.1.3, 4.4, 5 and 6; https://hl7.org/fhir/smart-app-launch/backend-services.html
Opaque random tokens, for backends of at most 300 s; only their SHA-256 is stored, in the transaction that records
the jti: an assertion that comes twice, on any node, gets one token.
Refuses: other grants and clients without scopes (`unsupported_grant_type`, `unauthorized_client`), scopes
(`invalid_scope`), codes and refresh tokens (`invalid_grant`), and clients that `auth.client_authentication` refuses
or that do not show the certificate their tokens are bound to, with one `invalid_client` for all of it.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import BaseGrant, ClientCredentialsGrant, ClientMixin, OAuth2Request, TokenEndpointMixin
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError, UnauthorizedClientError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from flask import Request
from sqlalchemy import Connection

from auth import scopes, token_form
from auth.assertion import Proof
from auth.client_authentication import METHODS, PRIVATE_KEY_JWT, Authentication, refusal
from auth.client_authentication import ClientRefusedError as ClientRefusedError
from auth.exchange import INVALID_GRANT, INVALID_SCOPE, Exchange, Refusal
from auth.recorded import note
from auth.signing_keys import Signer, SigningKeys
from auth.tokens import issue, new_token
from hub.clock import Clock
from hub.store.engine import Database

log = logging.getLogger(__name__)

LONGEST_TOKEN_SECONDS = 300

Form = dict[str, Any]
Work = Callable[[Connection, Proof, Form, Signer, datetime], dict[str, Any] | Refusal]


@dataclass(frozen=True, slots=True)
class ProvenClient(ClientMixin):  # type: ignore[misc]
    """What Authlib asks of a client, answered for one that proved itself at a moment."""

    proof: Proof
    at: datetime

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.proof.client.grant_types and bool(self.proof.client.scopes)

    def get_allowed_scope(self, scope: str) -> str:
        registered = scopes.parse(self.proof.client.scopes)
        try:
            return scopes.written(scopes.granted(scopes.for_backend(scope), registered))
        except scopes.ScopeError as error:
            raise InvalidScopeError(str(error)) from None


class BackendServicesGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """client_credentials with the one way of authenticating that SMART allows."""

    TOKEN_ENDPOINT_AUTH_METHODS = (PRIVATE_KEY_JWT,)

    def validate_requested_scope(self) -> None:
        self.client.get_allowed_scope(self.request.payload.scope)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Authlib's own writes the token to its debug log."""
        token = self.generate_token(scope=self.request.payload.scope, include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class PersonGrant(BaseGrant, TokenEndpointMixin, ABC):  # type: ignore[misc]
    """What the two grants have in common that a person started."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError(f"The client is not registered for {self.GRANT_TYPE}")
        self.request.client = client

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        answer = self.server.exchanged(self.work(self.server.exchange), self.request)
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    @abstractmethod
    def work(self, exchange: Exchange) -> Work:
        """What the grant is exchanged by."""


class CodeGrant(PersonGrant):
    """A code, once."""

    GRANT_TYPE = "authorization_code"

    def work(self, exchange: Exchange) -> Work:
        return exchange.of_code


class RefreshGrant(PersonGrant):
    """The latest refresh token of a family."""

    GRANT_TYPE = "refresh_token"

    def work(self, exchange: Exchange) -> Work:
        return exchange.of_refresh


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """A form that was read already. TLS ends before the hub; about plain http Authlib does not decide."""

    def __init__(self, form: Form, authorization: str, certificate: str):
        super().__init__("POST", "https://hub.invalid/auth/token")
        self.payload = BasicOAuth2Payload(form)
        self.authorization = authorization
        self.certificate = certificate


class TokenServer(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server, wired to this hub's register, keys, clock and database."""

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        exchange: Exchange,
        signing_keys: SigningKeys,
        token_seconds: int,
        clock: Clock,
        shown: Callable[[Mapping[str, Any]], str],
    ):
        super().__init__(query_client=lambda client_id: None, save_token=self._issue)
        self._database, self._authentication, self._clock = database, authentication, clock
        self._signing_keys, self.exchange, self._shown = signing_keys, exchange, shown
        life = min(token_seconds, LONGEST_TOKEN_SECONDS)
        self.register_token_generator(
            "default", BearerTokenGenerator(new_token, expires_generator=lambda client, grant: life)
        )
        for grant in (BackendServicesGrant, CodeGrant, RefreshGrant):
            self.register_grant(grant)

    def create_oauth2_request(self, request: Request) -> TokenRequest:
        certificate = self._shown(request.environ)
        return TokenRequest(token_form.read(request), request.headers.get("Authorization", ""), certificate)

    def authenticate_client(
        self, request: TokenRequest, methods: Sequence[str], endpoint: str = "token"
    ) -> ProvenClient:
        """Authlib would try one method after the other; a request has one."""
        form, now = request.payload.data, self._clock()
        if tuple(methods) == (PRIVATE_KEY_JWT,) and not request.authorization and not form.get("client_secret"):
            token_form.require_assertion(form)
        proof = self._authentication.proof(form, request.authorization, now)
        bound = proof.client.certificate
        if bound and not compare_digest(request.certificate.encode(), bound.encode()):
            raise refusal("certificate")
        return ProvenClient(proof, now)

    def exchanged(self, work: Work, request: TokenRequest) -> dict[str, Any]:
        """The token answer. Raises the error of RFC 6749 where nothing is given."""
        proven: ProvenClient = request.client
        signer, form = self._signing_keys.signer(), request.payload.data
        answer = self._database.writing(lambda connection: work(connection, proven.proof, form, signer, proven.at))
        if not isinstance(answer, Refusal):
            return answer
        if answer.error == INVALID_GRANT:
            log.warning("Grant refused: %s", answer.reason)
            raise InvalidGrantError("The code or refresh token is not valid, or no longer")
        if answer.error == INVALID_SCOPE:
            raise InvalidScopeError("The scopes are not among those that were granted")
        raise refusal(answer.reason)

    def _issue(self, token: dict[str, Any], request: TokenRequest) -> None:
        proven: ProvenClient = request.client
        if not self._database.writing(lambda connection: issue(connection, token, proven.proof, proven.at)):
            raise refusal("replay")
        note(detail=urlencode({"scope": token.get("scope", "")}))
