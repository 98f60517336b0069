"""The token that binds a websocket: short-lived, sealed by the hub's key, good once.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets. It names the client and its
Subscriptions; nothing is stored until it is used. Who binds with it is told what the client itself may see.
Refuses (None): another key's, one whose time is over, one that was used.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from hub.fhir import json
from hub.sealing import seal, unseal
from hub.store.tables_subscriptions import socket_token as table

PURPOSE = "websocket binding"
LASTS = 30_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Made:
    """`expires` in microseconds."""

    token: str
    expires: int


@dataclass(frozen=True, slots=True)
class Bound:
    """Whose websocket it is, and the Subscriptions that it tells."""

    client: str
    subscriptions: tuple[str, ...]


def token(key: bytes, client: str, subscriptions: Sequence[str], now: int) -> Made:
    content = {
        "client": client,
        "subscriptions": list(subscriptions),
        "expires": now + LASTS,
        "nonce": secrets.token_hex(8),
    }
    sealed = seal(key, PURPOSE, json.write(content), now / 1_000_000)
    return Made(sealed.decode() if isinstance(sealed, bytes) else sealed, now + LASTS)


def use(connection: Connection, key: bytes, text: str, now: int) -> Bound | None:
    """What the token says, which is void from now on."""
    content = unseal(key, PURPOSE, text.encode())
    if content is None:
        return None
    said = json.stored(content)
    if said["expires"] <= now:
        return None
    digest = hashlib.sha256(text.encode()).digest()
    connection.execute(delete(table).where(table.c.expires <= now))
    if connection.execute(select(table.c.hash).where(table.c.hash == digest)).first() is not None:
        return None
    connection.execute(insert(table).values(hash=digest, expires=said["expires"]))
    return Bound(said["client"], tuple(said["subscriptions"]))
