"""Page links that nobody can forge, lend or keep: position, client, query and expiry under a MAC.

Format: base64url(JSON).base64url(HMAC-SHA256, 16 bytes).
Refuses: a changed cursor (400 `invalid`), one of another client or another query (404 `not-found`),
one past its time (410 `expired`).
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256

from hub.problems import Problem

MAX_LENGTH = 2048


def seal(secret: bytes, owner: str, query: str, position: list[int], expires: int) -> str:
    """A cursor; `query` is any text that is the same for the same search, `expires` seconds since 1970."""
    payload = json.dumps([owner, _digest(query), position, expires]).encode()
    return f"{_text(payload)}.{_text(_mac(secret, payload))}"


def unseal(secret: bytes, cursor: str, owner: str, query: str, now: int) -> list[int]:
    """The position in a cursor. Raises Problem."""
    payload = _payload(secret, cursor)
    of, digest, position, expires = json.loads(payload)
    if of != owner or digest != _digest(query):
        raise Problem("not-found", "This page link belongs to another client or another search", "_cursor")
    if now > expires:
        raise Problem("expired", "This page link has expired; search again", "_cursor")
    return [int(number) for number in position]


def _payload(secret: bytes, cursor: str) -> bytes:
    body, _, _mac_text = cursor[:MAX_LENGTH].partition(".")
    try:
        payload = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        wanted = f"{_text(payload)}.{_text(_mac(secret, payload))}"
        genuine = hmac.compare_digest(cursor.encode("utf-8", "replace"), wanted.encode())
    except (ValueError, NotBase64):
        genuine = False
    if not genuine:
        raise Problem("invalid", "This page link was changed", "_cursor")
    return payload


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.new(secret, b"cursor\x00" + payload, sha256).digest()[:16]


def _digest(query: str) -> str:
    return sha256(query.encode()).hexdigest()[:32]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
