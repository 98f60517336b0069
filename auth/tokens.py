"""Access tokens in the database: a SHA-256 each, written together with the assertion they were issued for.

Rules: RFC 6749 section 10.3 and 10.10 (opaque, unguessable), RFC 7523 section 3 (a jti works once)
Refuses: an assertion that was used before, on this node or another: nothing is issued.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert
from sqlalchemy import text as sql

from auth.assertion import Proof
from hub.clock import micros
from hub.store.tables import token as token_table

TOKEN_BYTES = 32
SECOND = 1_000_000

# one statement decides who was first; both databases know this clause
_RECORD_JTI = sql(
    "INSERT INTO assertion (client, jti, expires) VALUES (:client, :jti, :expires) ON CONFLICT DO NOTHING"
)


def new_token(**_: object) -> str:
    """256 random bits, base64url; says nothing about the client (Authlib's generator passes it along)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode("ascii")).digest()


def issue(connection: Connection, token: Mapping[str, Any], proof: Proof, now: datetime) -> bool:
    """Record assertion and token in this transaction; False, and no token, where the assertion was used."""
    used = {"client": proof.client.id, "jti": proof.jti, "expires": proof.expires * SECOND}
    if connection.execute(_RECORD_JTI, used).rowcount != 1:
        return False
    row = {"hash": token_hash(token["access_token"]), "client": proof.client.id, "scopes": token["scope"]}
    row |= {"issued": micros(now), "expires": micros(now) + token["expires_in"] * SECOND}
    connection.execute(insert(token_table).values(row))
    return True
