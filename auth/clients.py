"""The register of clients: who may ask for tokens or be sent notices, with which keys and scopes.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
(public keys by URL or by value; both are supported) and RFC 7591 for the words.
Refuses (ClientError): what `auth.client_rules` and `auth.jwks` refuse, keys both by value and by URL, JWKS
addresses that are not https.
A client without scopes may be sent notices, but has no grant and gets no token.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from auth import client_rules, passwords
from auth import jwks as jwk_sets
from auth import scopes as smart
from auth.client_words import CLIENT_ID as CLIENT_ID
from auth.client_words import SYMMETRIC
from auth.client_words import Client as Client
from auth.recorded import changed, told
from hub.clock import micros
from hub.store import tables, tables_auth

MAX_JWKS_BYTES = 65536

# columns that hold words with a space between them
_LISTS = ("purposes", "redirect_uris", "grant_types")
_PLAIN = (
    "kind",
    "organization",
    "launch_uri",
    "secret_hash",
    "certificate",
    "expires",
    "resource_server",
    "software",
)


class ClientError(Exception):
    """The register cannot do that; the text is a sentence for the operator."""


def add(connection: Connection, client: Client, now: datetime, jwks_hosts: Collection[str] = ()) -> Client:
    """Register a client and return it as registered. `jwks_hosts`: hosts whose JWKS may be plain http."""
    values: dict[str, Any] = {"scopes": _scopes(client.scopes)} | _keys(client.jwks, client.jwks_url, jwks_hosts)
    if wrong := client_rules.fault(client):
        raise ClientError(wrong)
    if find(connection, client.id):
        raise ClientError("A client with this id is registered already")
    values |= {"id": client.id, "name": client.name, "role": client.role, "active": client.active}
    values |= {"webhook_generation": client.webhook_generation, "created": micros(now)}
    values |= {name: getattr(client, name) for name in _PLAIN}
    values |= {name: " ".join(getattr(client, name)) for name in _LISTS}
    connection.execute(insert(tables.client).values(values))
    changed(connection, "client-change", f"clients add {client.id} role={client.role}")
    return _found(connection, client.id)


def find(connection: Connection, client_id: str) -> Client | None:
    """The client with this id, active or not."""
    if not CLIENT_ID.fullmatch(client_id):
        return None
    row = connection.execute(select(tables.client).where(tables.client.c.id == client_id)).first()
    return client_of(row) if row else None


def stands(connection: Connection, client: Client) -> bool:
    """Whether the client is registered as it was when it proved itself; nobody changes it until this transaction is
    over, so that a token got with the old keys is there when a change of keys takes the tokens away."""
    now = connection.execute(
        select(tables.client).where(tables.client.c.id == client.id).with_for_update(read=True)
    ).first()
    return now is not None and client_of(now) == client


def listed(connection: Connection) -> list[Client]:
    """Every client, by id."""
    return [client_of(row) for row in connection.execute(select(tables.client).order_by(tables.client.c.id))]


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


def new_secret(connection: Connection, client_id: str) -> str:
    """A new secret for a symmetric client, to be told once. Tokens got with the old one go at once."""
    if _found(connection, client_id).kind != SYMMETRIC:
        raise ClientError("Only a symmetric client has a secret")
    secret = made_secret()
    _changed(connection, client_id, {"secret_hash": hashed_secret(secret)})
    return secret


def made_secret() -> str:
    """256 random bits: what nobody chose, nobody guesses."""
    return secrets.token_urlsafe(32)


def hashed_secret(secret: str) -> str:
    """What the database keeps of a secret."""
    return passwords.rehashed(secret)


def rotate_webhook_secret(connection: Connection, client_id: str) -> Client:
    """Move to the next webhook secret (see `auth.webhook_secret`)."""
    generation = _found(connection, client_id).webhook_generation + 1
    return _changed(connection, client_id, {"webhook_generation": generation}, forget_tokens=False)


def _changed(connection: Connection, client_id: str, values: dict[str, Any], forget_tokens: bool = True) -> Client:
    _found(connection, client_id)
    connection.execute(update(tables.client).where(tables.client.c.id == client_id).values(values))
    changed(connection, "client-change", f"clients change {client_id} {told(values)}")
    if forget_tokens:
        for table in (tables.token, tables_auth.refresh_token, tables_auth.authorization_code):
            connection.execute(delete(table).where(table.c.client == client_id))
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


def client_of(row: Any) -> Client:
    """The client in a row that has the columns of the table."""
    more: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    more |= {name: tuple(getattr(row, name).split()) for name in _LISTS}
    return Client(
        id=row.id,
        name=row.name,
        role=row.role,
        scopes=row.scopes,
        jwks=msgspec.json.decode(row.jwks) if row.jwks else None,
        jwks_url=row.jwks_url,
        active=row.active,
        webhook_generation=row.webhook_generation,
        **more,
    )
