"""Access tokens in the database: a SHA-256 each, written together with the assertion they were issued for.

Rules: RFC 6749 section 10.3 and 10.10 (opaque, unguessable), RFC 7523 section 3 (a jti works once), RFC 9700
section 4.14 (a refresh token that was stolen takes its family with it)
Refuses: an assertion that was used before, on this node or another: nothing is issued.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, union
from sqlalchemy import text as sql

from auth import clients
from auth.assertion import Proof
from hub.clock import micros
from hub.store.tables import token as token_table
from hub.store.tables_auth import refresh_token, user_account

TOKEN_BYTES = 32
SECOND = 1_000_000

# one statement decides who was first; both databases know this clause
_RECORD_JTI = sql(
    "INSERT INTO assertion (client, jti, expires) VALUES (:client, :jti, :expires) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What tokens are given for: at a person's word a `family`, the person's id and the launch context."""

    client: str
    scopes: str
    user: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    family: str = ""
    certificate: str = ""


def new_token(**_: object) -> str:
    """256 random bits, base64url; says nothing about the client (Authlib's generator passes it along)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode("ascii")).digest()


def record(connection: Connection, proof: Proof) -> bool:
    """Record the assertion of a proof in this transaction; False where it was used. Other proofs leave nothing."""
    used = {"client": proof.client.id, "jti": proof.jti, "expires": proof.expires * SECOND}
    return not proof.jti or connection.execute(_RECORD_JTI, used).rowcount == 1


def store(connection: Connection, token: str, grant: Grant, now: datetime, seconds: int) -> None:
    """Keep an access token of this many seconds."""
    row: dict[str, Any] = {
        "hash": token_hash(token),
        "client": grant.client,
        "scopes": grant.scopes,
        "user_id": grant.user,
    }
    row |= {"context": written(grant.context), "family": grant.family, "certificate": grant.certificate}
    row |= {"issued": micros(now), "expires": micros(now) + seconds * SECOND}
    connection.execute(insert(token_table).values(row))


def issue(connection: Connection, token: Mapping[str, Any], proof: Proof, now: datetime) -> bool:
    """Record assertion and token in this transaction; False, and no token, where the assertion was used, or the
    client changed since it was looked at."""
    if not record(connection, proof) or not clients.stands(connection, proof.client):
        return False
    grant = Grant(proof.client.id, token["scope"], certificate=proof.client.certificate)
    store(connection, token["access_token"], grant, now, token["expires_in"])
    return True


def end_family(connection: Connection, family: str) -> None:
    """Whatever came of one sign-in at one client is over: access tokens and refresh tokens, and what a refresh that
    is under way would still give: it holds the person's account, so this waits for it."""
    if not family:
        return
    whose = (select(table.c.user_id).where(table.c.family == family) for table in (token_table, refresh_token))
    connection.execute(select(user_account.c.id).where(user_account.c.id.in_(union(*whose))).with_for_update())
    for table in (token_table, refresh_token):
        connection.execute(delete(table).where(table.c.family == family))


def written(context: Mapping[str, Any]) -> str:
    """A launch context as the tables hold it."""
    return msgspec.json.encode(context).decode() if context else ""


def read(text: str) -> dict[str, Any]:
    """The launch context in a row."""
    found: dict[str, Any] = msgspec.json.decode(text) if text else {}
    return found
