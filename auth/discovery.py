"""The SMART configuration: what clients read to find the token endpoint.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known
Says only what is true here: no authorization endpoint, and so no `issuer` or `jwks_uri` (they belong to
OpenID Connect). `code_challenge_methods_supported` is required of everyone.
"""

from typing import Any

from auth.assertion import ALGORITHMS
from auth.scopes import LETTERS
from auth.token_endpoint import AUTH_METHOD

TOKEN_PATH = "/auth/token"  # noqa: S105 - a path
WELL_KNOWN = "/.well-known/smart-configuration"
FHIR_PATH = "/fhir"
CAPABILITIES = ("client-confidential-asymmetric", "permission-v2")


def token_url(base_url: str) -> str:
    """The address of the token endpoint, which is also the audience of every assertion."""
    return base_url + TOKEN_PATH


def smart_configuration(base_url: str) -> dict[str, Any]:
    """The document for this base address (no trailing slash)."""
    return {
        "token_endpoint": token_url(base_url),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": [AUTH_METHOD],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": [f"system/*.{letters}" for letters in (*LETTERS, "rs", LETTERS)],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": list(CAPABILITIES),
    }
