"""The client's side: a key, an assertion made with it, and a token for it (`hub token`, demo and tests).

Rules: https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#authenticating-to-the-token-endpoint
Refuses (TokenRefusedError): an answer without a token; the text is the server's error code.
"""

from collections.abc import Mapping
from typing import Any

import requests
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from joserfc.jwk import ECKey, RSAKey

from auth.assertion import ASSERTION_TYPE
from auth.jwks import ALGORITHM, PRIVATE
from hub.clock import Clock, now

LIFE_SECONDS = 240  # below the 300 that are allowed: clocks differ
TIMEOUT_SECONDS = 10


class TokenRefusedError(Exception):
    """The token endpoint gave no token."""


def new_key(alg: str) -> dict[str, Any]:
    """A new private JWK for RS384 or ES384, its kid the key's thumbprint (RFC 7638)."""
    if alg not in ALGORITHM.values():
        raise ValueError("A key is for RS384 or ES384")
    key = ECKey.generate_key("P-384") if alg == "ES384" else RSAKey.generate_key(2048)
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "alg": alg, "use": "sig"}


def public_jwks(*keys: Mapping[str, Any]) -> dict[str, Any]:
    """The JWK Set to register for private JWKs."""
    return {"keys": [{name: jwk[name] for name in jwk if name not in PRIVATE | {"key_ops"}} for jwk in keys]}


def assertion(token_url: str, client_id: str, key: Mapping[str, Any], clock: Clock = now) -> str:
    """A private_key_jwt for this token endpoint, good once and for four minutes."""
    signed: str = sign_jwt_bearer_assertion(
        dict(key),
        client_id,
        token_url,
        client_id,
        issued_at=int(clock().timestamp()),
        expires_in=LIFE_SECONDS,
        header={"alg": ALGORITHM[key["kty"]], "kid": key["kid"], "typ": "JWT"},
    )
    return signed


def token_request(
    token_url: str, client_id: str, key: Mapping[str, Any], scope: str, clock: Clock = now
) -> dict[str, str]:
    """The form that asks for a token."""
    return {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(token_url, client_id, key, clock),
    }


def fetch_token(token_url: str, client_id: str, key: Mapping[str, Any], scope: str) -> dict[str, Any]:
    """The token endpoint's answer: access_token, token_type, expires_in, scope."""
    form = token_request(token_url, client_id, key, scope)
    answer = requests.post(token_url, data=form, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    found = _json(answer)
    if answer.status_code != 200 or "access_token" not in found:
        raise TokenRefusedError(
            f"{answer.status_code} {found.get('error', '')}: {found.get('error_description', '')}"
        )
    return found


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
