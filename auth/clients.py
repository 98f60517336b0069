"""The register of clients: who may ask for tokens or be sent notices, with which keys and scopes.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
(public keys by URL or by value; both are supported) and RFC 7591 for the words.
Refuses (ClientError): ids that do not fit a token or a URL, unknown roles, keys `auth.jwks` refuses, both or
neither kind of key for a client with scopes, JWKS addresses that are not https.
A client without scopes may be sent notices, but has no grant and gets no token.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from auth import jwks as jwk_sets
from auth import scopes as smart
from auth.roles import ROLES
from hub.clock import micros
from hub.store import tables

CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
MAX_JWKS_BYTES = 65536


class ClientError(Exception):
    """The register cannot do that; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. `scopes` as written in a token, `jwks` by value or `jwks_url`; never both."""

    id: str
    name: str
    role: str
    scopes: str = ""
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    jwks_url: str | None = None
    active: bool = True
    webhook_generation: int = 1


def add(connection: Connection, client: Client, now: datetime, jwks_hosts: Collection[str] = ()) -> Client:
    """Register a client and return it as registered. `jwks_hosts`: hosts whose JWKS may be plain http."""
    if not CLIENT_ID.fullmatch(client.id):
        raise ClientError("A client id is 1 to 128 letters, digits or . _ ~ -")
    if client.role not in ROLES:
        raise ClientError(f"There is no role {client.role!r}; roles are {', '.join(ROLES)}")
    if find(connection, client.id):
        raise ClientError("A client with this id is registered already")
    values: dict[str, Any] = _keys(client.jwks, client.jwks_url, jwks_hosts) | {"scopes": _scopes(client.scopes)}
    if values["scopes"] and not (values["jwks"] or values["jwks_url"]):
        raise ClientError("A client with scopes needs public keys: a JWK Set or its https address")
    values |= {"id": client.id, "name": client.name, "role": client.role, "active": client.active}
    values |= {"webhook_generation": client.webhook_generation, "created": micros(now)}
    connection.execute(insert(tables.client).values(values))
    return _found(connection, client.id)


def find(connection: Connection, client_id: str) -> Client | None:
    """The client with this id, active or not."""
    if not CLIENT_ID.fullmatch(client_id):
        return None
    row = connection.execute(select(tables.client).where(tables.client.c.id == client_id)).first()
    return _client(row) if row else None


def listed(connection: Connection) -> list[Client]:
    """Every client, by id."""
    return [_client(row) for row in connection.execute(select(tables.client).order_by(tables.client.c.id))]


def disable(connection: Connection, client_id: str) -> Client:
    """Switch a client off. Its tokens go at once; a process that cached one forgets it within 10 s."""
    return _changed(connection, client_id, {"active": False})


def enable(connection: Connection, client_id: str) -> Client:
    """Switch a client on again, with the keys and scopes it had."""
    return _changed(connection, client_id, {"active": True})


def rotate(
    connection: Connection,
    client_id: str,
    jwks: Mapping[str, Any] | None = None,
    jwks_url: str | None = None,
    jwks_hosts: Collection[str] = (),
) -> Client:
    """Replace a client's keys, by value or by URL. Tokens got with the old keys go at once."""
    if jwks is None and jwks_url is None:
        raise ClientError("New keys are needed: a JWK Set or its https address")
    return _changed(connection, client_id, _keys(jwks, jwks_url, jwks_hosts))


def rotate_webhook_secret(connection: Connection, client_id: str) -> Client:
    """Move to the next webhook secret (see `auth.webhook_secret`)."""
    generation = _found(connection, client_id).webhook_generation + 1
    return _changed(connection, client_id, {"webhook_generation": generation}, forget_tokens=False)


def _changed(connection: Connection, client_id: str, values: dict[str, Any], forget_tokens: bool = True) -> Client:
    _found(connection, client_id)
    connection.execute(update(tables.client).where(tables.client.c.id == client_id).values(values))
    if forget_tokens:
        connection.execute(delete(tables.token).where(tables.token.c.client == client_id))
    return _found(connection, client_id)


def _found(connection: Connection, client_id: str) -> Client:
    client = find(connection, client_id)
    if client is None:
        raise ClientError("No client with this id is registered")
    return client


def _scopes(text: str) -> str:
    try:
        return smart.written(smart.parse(text)) if text else ""
    except smart.ScopeError as error:
        raise ClientError(str(error)) from None


def _keys(jwks: Mapping[str, Any] | None, url: str | None, hosts: Collection[str]) -> dict[str, Any]:
    if jwks is not None and url is not None:
        raise ClientError("Register keys by value or by URL, not both")
    if url is not None and not allowed_url(url, hosts):
        raise ClientError("A JWKS address is an https URL without user, fragment or other extras")
    return {"jwks": _checked(jwks), "jwks_url": url}


def _checked(jwks: Mapping[str, Any] | None) -> str | None:
    if jwks is None:
        return None
    try:
        text = msgspec.json.encode(jwk_sets.checked(jwks)).decode()
    except jwk_sets.JwksError as error:
        raise ClientError(str(error)) from None
    if len(text) > MAX_JWKS_BYTES:
        raise ClientError(f"The JWK Set is larger than {MAX_JWKS_BYTES} bytes")
    return text


def allowed_url(url: str, hosts: Collection[str] = ()) -> bool:
    """https with a plain host; http only where host (or host:port) is listed, compared whole."""
    try:
        parts = urlsplit(url)
        listed_host = parts.netloc in hosts or (parts.hostname or "") in hosts
        plain = url.isascii() and url.isprintable() and not set(' "<>\\^`{|}') & set(url)
        extras = parts.username is not None or parts.password is not None or "#" in url or parts.port == 0
    except ValueError:
        return False
    schemes = ("https", "http") if listed_host else ("https",)
    return bool(parts.hostname) and plain and not extras and parts.scheme in schemes


def _client(row: Row[Any]) -> Client:
    return Client(
        id=row.id,
        name=row.name,
        role=row.role,
        scopes=row.scopes,
        jwks=msgspec.json.decode(row.jwks) if row.jwks else None,
        jwks_url=row.jwks_url,
        active=row.active,
        webhook_generation=row.webhook_generation,
    )
