"""ID tokens: who signed in, told to the client that asked for `openid`.

Rules: OpenID Connect Core 1.0 sections 2 and 3.1.3.7; SMART App Launch 2.2,
https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-data
(RS256; `fhirUser` is the absolute URL of the person's resource)
Says nothing of a person but the id of the account, and where the scopes ask for it the resource.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt

from auth.signing_keys import ALGORITHM, Signer

LIFE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """A person who signed in, when (seconds), and what the client is to give back."""

    id: str
    fhir_user: str
    signed_in: int
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Issuer:
    """This hub: its address, which names it, and its FHIR base."""

    url: str
    fhir_base: str

    def identity(self, subject: Subject, words: Collection[str]) -> dict[str, Any]:
        """Who a person is, as far as these words among the scopes ask: ID token and introspection say the same."""
        found = {"iss": self.url, "sub": subject.id}
        if "fhirUser" in words and subject.fhir_user:
            found["fhirUser"] = f"{self.fhir_base}/{subject.fhir_user}"
        return found


def id_token(
    issuer: Issuer, subject: Subject, client_id: str, words: Collection[str], signer: Signer, now: datetime
) -> str:
    """The signed token."""
    at = int(now.timestamp())
    claims = issuer.identity(subject, words) | {"aud": client_id, "iat": at, "exp": at + LIFE_SECONDS}
    claims |= {"auth_time": subject.signed_in} | ({"nonce": subject.nonce} if subject.nonce else {})
    header = {"alg": ALGORITHM, "kid": signer.kid, "typ": "JWT"}
    return jwt.encode(header, claims, signer.key, algorithms=[ALGORITHM])
