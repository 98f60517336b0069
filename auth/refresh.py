"""Refresh tokens: one after the other, each good once.

Rules: RFC 6749 section 6 (never wider than before), RFC 9700 section 4.14.2 (rotation: who shows a used one has
stolen it, or was stolen from, and the family ends); (g)(10) of 45 CFR 170.315: they last three months at least
Refuses (RefreshError): tokens unknown, another client's, past their time, used before.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from auth.client_words import Client
from auth.tokens import SECOND, Grant, new_token, read, token_hash, written
from hub.clock import micros
from hub.store.tables_auth import refresh_token

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class RefreshError(Exception):
    """The token gives nothing. `family` is to be ended where it was shown a second time."""

    def __init__(self, reason: str, family: str = ""):
        super().__init__(reason)
        self.reason = reason
        self.family = family


@dataclass(frozen=True, slots=True)
class Held:
    """What a refresh token stands for."""

    family: str
    user: str
    scopes: str
    context: Mapping[str, Any]
    signed_in: int


def issue(connection: Connection, grant: Grant, signed_in: int, now: datetime, seconds: int) -> str:
    """A refresh token for what was granted, good for this many seconds unless it is used before."""
    token = new_token()
    row: dict[str, Any] = {
        "hash": token_hash(token),
        "family": grant.family,
        "client": grant.client,
        "user_id": grant.user,
    }
    row |= {"scopes": grant.scopes, "context": written(grant.context), "signed_in": signed_in}
    row |= {"issued": micros(now), "expires": micros(now) + seconds * SECOND}
    connection.execute(insert(refresh_token).values(row))
    return token


def find(connection: Connection, token: str) -> Row[Any] | None:
    """The row of a refresh token, whatever its state."""
    if not _TOKEN.fullmatch(token):
        return None
    return connection.execute(select(refresh_token).where(refresh_token.c.hash == token_hash(token))).first()


def usable(connection: Connection, client: Client, token: str, now: datetime) -> Held:
    """What a refresh token stands for. Raises RefreshError."""
    row = find(connection, token)
    if row is None or row.client != client.id:
        raise RefreshError("unknown-refresh-token")
    if row.used:
        raise RefreshError("used-refresh-token", row.family)
    if micros(now) >= row.expires:
        raise RefreshError("expired-refresh-token")
    return Held(row.family, row.user_id, row.scopes, read(row.context), row.signed_in)


def use(connection: Connection, token: str, held: Held, now: datetime) -> None:
    """Mark it as used. Raises RefreshError where somebody else was first: one statement decides."""
    unused = update(refresh_token).where(refresh_token.c.hash == token_hash(token), refresh_token.c.used == 0)
    if connection.execute(unused.values(used=micros(now))).rowcount != 1:
        raise RefreshError("used-refresh-token", held.family)
