"""Authorization codes: given at the end of a sign-in, good once, for a minute, for one client and one verifier.

Rules: RFC 6749 section 4.1.2 (at most 10 minutes; single use), RFC 7636 (S256 only), RFC 9700 section 2.1.1; SMART
App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-authorization-code
Only a SHA-256 is stored. All that comes of one code is one family: a code that is shown again ends it.
Refuses (CodeError): a code that is unknown, used, past its minute, another client's, for another redirect_uri, or
shown without the verifier of its challenge.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from auth import users
from auth.clients import Client
from auth.tokens import SECOND, new_token, token_hash
from hub.clock import micros
from hub.store.tables_auth import authorization_code

LIFE_SECONDS = 60
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")


class CodeError(Exception):
    """The code gives nothing. `family` is to be ended where it was shown a second time."""

    def __init__(self, reason: str, family: str = ""):
        super().__init__(reason)
        self.reason = reason
        self.family = family


@dataclass(frozen=True, slots=True)
class Given:
    """What a person allowed a client: the start of a family of tokens."""

    family: str
    client: str
    user: str
    scopes: str
    nonce: str
    context: Mapping[str, Any]
    signed_in: int


def issue(
    connection: Connection,
    client: Client,
    user: str,
    redirect_uri: str,
    scopes: str,
    challenge: str,
    nonce: str,
    context: Mapping[str, Any],
    now: datetime,
    *,
    session: bytes | None = None,
    signed_in: int = 0,
) -> str:
    """A code for what `user` (an id of user_account) allowed. `scopes` as granted, `challenge` S256, `context` what
    the token answer says beside the token (patient, encounter, fhirContext, need_patient_banner, smart_style_url,
    intent ...). `signed_in`: when the person signed in (microseconds), now where nothing is said."""
    if not CHALLENGE.fullmatch(challenge):
        raise ValueError("A challenge is an S256 of RFC 7636")
    code, at = new_token(), micros(now)
    row: dict[str, Any] = {
        "hash": token_hash(code),
        "family": secrets.token_urlsafe(24),
        "client": client.id,
        "user_id": user,
    }
    row |= {"redirect_uri": redirect_uri, "scopes": scopes, "challenge": challenge, "nonce": nonce}
    row |= {"context": msgspec.json.encode(context).decode(), "session": session, "signed_in": signed_in or at}
    row |= {"issued": at, "expires": at + LIFE_SECONDS * SECOND}
    connection.execute(insert(authorization_code).values(row))
    return code


def redeem(
    connection: Connection, client: Client, code: str, redirect_uri: str, verifier: str, now: datetime
) -> Given:
    """What a code stands for; it is used up. Raises CodeError."""
    row = _row(connection, code)
    if row is None or row.client != client.id:
        raise CodeError("unknown-code")
    if row.used:
        raise CodeError("used-code", row.family)
    if micros(now) >= row.expires:
        raise CodeError("expired-code")
    if not secrets.compare_digest(redirect_uri.encode(), row.redirect_uri.encode()):
        raise CodeError("redirect-uri")
    if not _is_verified(verifier, row.challenge):
        raise CodeError("verifier")
    users.held(connection, row.user_id)
    used = update(authorization_code).where(authorization_code.c.hash == row.hash, authorization_code.c.used == 0)
    if connection.execute(used.values(used=micros(now))).rowcount != 1:  # one statement decides who was first
        raise CodeError("used-code", row.family)
    context = msgspec.json.decode(row.context)
    return Given(row.family, row.client, row.user_id, row.scopes, row.nonce, context, row.signed_in)


def _row(connection: Connection, code: str) -> Any:
    if not _CODE.fullmatch(code):
        return None
    return connection.execute(
        select(authorization_code).where(authorization_code.c.hash == token_hash(code))
    ).first()


def _is_verified(verifier: str, challenge: str) -> bool:
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    return secrets.compare_digest(digest, challenge.encode())
