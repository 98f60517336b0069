"""private_key_jwt: a client proves who it is with a short-lived JWT signed by its registered key.

Rules: RFC 7523 section 3; https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#authenticating-to-the-token-endpoint
RS384 or ES384 named here, never taken from the library's defaults; `iss` = `sub` = client id; `aud` = our
token URL and nothing else; `exp` at most 300 s ahead; `jti` required (that it is new, only the database can
say: the caller records it in the transaction that issues the token).
Refuses (AssertionRefusedError): everything else, with a reason code for the log. Nothing is fetched for a
header: `jwk`, `x5u`, `x5c`, `crit` are refused, `jku` must be the registered address.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from auth.client_words import CLIENT_ID, Client
from auth.jwks import PublicKey
from hub.fhir import json as strict_json
from hub.problems import Problem

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384")
HEADERS = frozenset(("alg", "kid", "typ", "jku", "x5t", "x5t#S256"))
MAX_BYTES = 16 * 1024
MAX_LIFE_SECONDS = 300
SKEW_SECONDS = 60

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # three parts: a JWE has five
_JTI = re.compile(r"[\x20-\x7e]{1,256}")

Claims = Mapping[str, Any]
Find = Callable[[str], Client | None]
KeyFor = Callable[[Client, str, datetime], PublicKey | None]


class AssertionRefusedError(Exception):
    """The client is not authenticated. `reason` is a code for the log, not for the caller."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Proof:
    """A client that proved itself, and what is recorded so that the proof works once (`expires`: seconds)."""

    client: Client
    jti: str = field(repr=False)  # Authlib logs its client objects
    expires: int


def _fits(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_time(value: object) -> bool:
    return type(value) is int  # neither bool, nor text, nor a fraction


def _not_in_future(value: object, now: float) -> bool:
    return value is None or (_is_time(value) and value <= now + SKEW_SECONDS)  # type: ignore[operator]


HEADER_RULES: tuple[tuple[str, Callable[[Claims], bool]], ...] = (
    ("header-member", lambda header: set(header) <= HEADERS),
    ("alg", lambda header: header.get("alg") in ALGORITHMS),
    ("typ", lambda header: header.get("typ") == "JWT"),
    ("kid", lambda header: isinstance(header.get("kid"), str)),
)
CLAIM_RULES: tuple[tuple[str, Callable[[Claims, str, float], bool]], ...] = (
    ("exp", lambda claims, url, now: _is_time(claims.get("exp"))),
    ("exp-past", lambda claims, url, now: claims["exp"] > now),
    ("exp-far", lambda claims, url, now: claims["exp"] <= now + MAX_LIFE_SECONDS),
    ("nbf", lambda claims, url, now: _not_in_future(claims.get("nbf"), now)),
    ("iat", lambda claims, url, now: _not_in_future(claims.get("iat"), now)),
    ("aud", lambda claims, url, now: claims.get("aud") in (url, [url])),
    ("iss", lambda claims, url, now: _fits(claims.get("iss"), CLIENT_ID)),
    ("sub", lambda claims, url, now: claims.get("sub") == claims["iss"]),
    ("jti", lambda claims, url, now: _fits(claims.get("jti"), _JTI)),
)


def authenticate(assertion: str, token_url: str, now: datetime, find: Find, key_for: KeyFor) -> Proof:
    """The client behind an assertion. Raises AssertionRefusedError."""
    header, claims = _unpacked(assertion)
    for reason, holds in HEADER_RULES:
        if not holds(header):
            raise AssertionRefusedError(reason)
    for reason, is_so in CLAIM_RULES:
        if not is_so(claims, token_url, now.timestamp()):
            raise AssertionRefusedError(reason)
    client = find(claims["iss"])
    _prove(assertion, header, client, now, key_for)
    assert client is not None
    return Proof(client, claims["jti"], claims["exp"])


def _prove(assertion: str, header: Claims, client: Client | None, now: datetime, key_for: KeyFor) -> None:
    """Without a client or a key a signature is verified all the same, so that both take the same time."""
    reason = _without_key(header, client, now)
    key = key_for(client, header["kid"], now) if client and not reason else None
    genuine = verified(assertion, key or _decoy(header["alg"]))
    if reason or key is None or not genuine:
        raise AssertionRefusedError(reason or ("signature" if key else "unknown-key"))


def _without_key(header: Claims, client: Client | None, now: datetime) -> str:
    """Why no key is looked for, or nothing."""
    if client is None:
        return "unknown-client"
    if not client.usable(now):
        return "disabled-client"
    return "jku" if "jku" in header and header["jku"] != client.jwks_url else ""


def verified(assertion: str, key: PublicKey) -> bool:
    """Whether this key signed it. A missing key is an error, never a reason to trust the header's own."""
    if not isinstance(key, RSAKey | ECKey):
        raise TypeError("A signature is verified with a key")
    try:
        jws.deserialize_compact(assertion, key, registry=_REGISTRY)
    except (JoseError, ValueError):
        return False
    return True


def _unpacked(assertion: str) -> tuple[Claims, Claims]:
    if len(assertion) > MAX_BYTES:
        raise AssertionRefusedError("too-long")
    if not _COMPACT.fullmatch(assertion):
        raise AssertionRefusedError("not-a-jws")
    try:
        header, payload, _ = assertion.split(".")
        return strict_json.read(_decoded(header)), strict_json.read(_decoded(payload))
    except (Problem, ValueError):
        raise AssertionRefusedError("not-json") from None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _registry() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=ALGORITHMS)
    registry.max_header_length = 4096  # a kid and a jku may be longer than the library's 512
    return registry


_REGISTRY = _registry()


@cache
def _decoy(algorithm: str) -> PublicKey:
    """A key that nobody has: its verdict is never used."""
    if algorithm == "ES384":
        return ECKey.generate_key("P-384", private=False)
    modulus = base64.urlsafe_b64encode(((1 << 2047) | 1).to_bytes(256, "big")).decode()
    return RSAKey.import_key({"kty": "RSA", "n": modulus.rstrip("="), "e": "AQAB"})
