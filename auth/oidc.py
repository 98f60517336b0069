"""Signing in at another OpenID Provider: where to send the person, and what comes back.

Rules: OpenID Connect Core 1.0 sections 3.1.2 and 3.1.3.7, Discovery 1.0 section 4, RFC 7636 (S256), RFC 9207
Everything is fetched over https from the addresses the provider's own document names, without following redirects.
Refuses (OidcError): another issuer in the document, in the answer or in the token, algorithms that are not named
here, unknown keys, a wrong audience, party or nonce, a token that is over or from the future, large answers.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from auth.clients import allowed_url
from hub.fhir import json
from hub.problems import Problem

ALGORITHMS = ("RS256", "ES256", "PS256", "RS384", "ES384")
MAX_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10
SKEW_SECONDS = 60
KEPT = timedelta(hours=1)
RETRY = timedelta(minutes=1)  # for a key that is not among the kept ones
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OidcError(Exception):
    """The sign-in there gives nobody. The text is a code for the log."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way: what only this browser and the hub know of it."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "Begun":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Provider:
    """One OpenID Provider. `http_hosts`: hosts that may be plain http, for tests. Safe for threads."""

    def __init__(
        self, issuer: str, client_id: str, secret: str, redirect_uri: str, http_hosts: Collection[str] = ()
    ):
        if not allowed_url(issuer, http_hosts):
            raise OidcError("issuer-address")
        self.issuer = issuer
        self._client = (client_id, secret)
        self._redirect_uri = redirect_uri
        self._hosts = http_hosts
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[datetime, dict[str, Any]]] = {}

    @property
    def name(self) -> str:
        """What people know it by."""
        return urlsplit(self.issuer).hostname or self.issuer

    def authorize_url(self, begun: Begun, now: datetime) -> str:
        """Where the browser is sent."""
        asked = {
            "response_type": "code",
            "client_id": self._client[0],
            "redirect_uri": self._redirect_uri,
            "scope": "openid",
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        address = self._document(now)["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    def claims(self, code: str, begun: Begun, now: datetime) -> Mapping[str, Any]:
        """Who signed in: the claims of the ID token that the code stands for."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": begun.verifier,
        }
        identity, secret = self._client
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined
        login = (quote(identity, safe=""), quote(secret, safe="")) if secret else None
        if login is None:
            form["client_id"] = identity
        answer = self._fetched("POST", self._document(now)["token_endpoint"], data=form, auth=login)
        token = answer.get("id_token")
        if not isinstance(token, str) or len(token) > MAX_BYTES:
            raise OidcError("no-id-token")
        return self._judged(token, begun.nonce, now)

    def _judged(self, token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        try:
            claims: dict[str, Any] = self._decoded(token, now)
        except (JoseError, ValueError, TypeError, KeyError):
            raise OidcError("id-token") from None
        for reason, holds in self._rules(claims, nonce, now.timestamp()):
            if not holds:
                raise OidcError(reason)
        return claims

    def _rules(self, claims: Mapping[str, Any], nonce: str, now: float) -> list[tuple[str, bool]]:
        audience = claims.get("aud")
        several = audience if isinstance(audience, list) else [audience]
        mine, expires, issued = self._client[0], claims.get("exp"), claims.get("iat")
        return [
            ("iss", claims.get("iss") == self.issuer),
            ("aud", mine in several),
            ("azp", claims.get("azp", mine if len(several) == 1 else None) == mine),
            ("exp", isinstance(expires, int | float) and expires > now - SKEW_SECONDS),
            ("iat", isinstance(issued, int | float) and issued <= now + SKEW_SECONDS),
            (
                "nonce",
                isinstance(claims.get("nonce"), str)
                and secrets.compare_digest(claims["nonce"].encode(), nonce.encode()),
            ),
            ("sub", isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255),
        ]

    def _decoded(self, token: str, now: datetime) -> dict[str, Any]:
        try:
            return dict(jwt.decode(token, self._keys(now, KEPT), algorithms=list(ALGORITHMS)).claims)
        except (JoseError, ValueError):
            # its keys may have changed since
            return dict(jwt.decode(token, self._keys(now, RETRY), algorithms=list(ALGORITHMS)).claims)

    def _keys(self, now: datetime, life: timedelta) -> KeySet:
        found = self._remembered(self._document(now)["jwks_uri"], now, life)
        keys = [key for key in found.get("keys", ()) if key.get("kty") in ("RSA", "EC") and key.get("use") != "enc"]
        return KeySet.import_key_set({"keys": keys})

    def _document(self, now: datetime) -> dict[str, Any]:
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._remembered(address, now, KEPT)
        if found.get("issuer") != self.issuer:
            raise OidcError("issuer")
        if not all(
            isinstance(found.get(name), str) and allowed_url(found[name], self._hosts) for name in ENDPOINTS
        ):
            raise OidcError("endpoints")
        return found

    def _remembered(self, address: str, now: datetime, life: timedelta) -> dict[str, Any]:
        with self._lock:
            kept = self._kept.get(address)
        if kept and kept[0] > now - life:
            return kept[1]
        found = self._fetched("GET", address)
        with self._lock:
            self._kept[address] = (now, found)
        return found

    def _fetched(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        try:
            with requests.request(
                method, address, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True, **options
            ) as answer:
                body = answer.raw.read(MAX_BYTES + 1, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, OSError):
            raise OidcError("unreachable") from None
        if status != 200 or len(body) > MAX_BYTES:
            raise OidcError(f"answer-{status}")
        try:
            return json.read(body)
        except Problem:
            raise OidcError("not-json") from None
