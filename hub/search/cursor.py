"""Page links that nobody can read, forge, lend or keep: position, client, query and expiry, encrypted.

Format: base64url(nonce + AES-256-GCM of JSON), https://csrc.nist.gov/pubs/sp/800/38/d/final. A position is made of
row numbers and times, which would tell of resources that the client does not see; so it is not readable.
Refuses: a changed cursor (400 `invalid`), one of another client or another query (404 `not-found`),
one past its time (410 `expired`).
"""

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from hub.problems import Problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAX_LENGTH = 2048
_NONCE, _TAG = 12, 16


def seal(secret: bytes, owner: str, query: str, position: list[int], expires: int) -> str:
    """A cursor; `query` is any text that is the same for the same search, `expires` seconds since 1970."""
    payload = json.dumps([owner, _digest(query), position, expires], separators=(",", ":")).encode()
    nonce = os.urandom(_NONCE)
    return _text(nonce + _cipher(secret).encrypt(nonce, payload, None))


def unseal(secret: bytes, cursor: str, owner: str, query: str, now: int) -> list[int]:
    """The position in a cursor. Raises Problem."""
    of, digest, position, expires = json.loads(_payload(secret, cursor))
    if of != owner or digest != _digest(query):
        raise Problem("not-found", "This page link belongs to another client or another search", "_cursor")
    if now > expires:
        raise Problem("expired", "This page link has expired; search again", "_cursor")
    return [int(number) for number in position]


def _payload(secret: bytes, cursor: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        sealed = _bytes(cursor)
        return _cipher(secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
    except (ValueError, NotBase64, InvalidTag):
        raise Problem("invalid", "This page link was changed", "_cursor") from None


def _bytes(cursor: str) -> bytes:
    """What was encoded, if it is written as `_text` writes it. Raises ValueError."""
    sealed = urlsafe_b64decode(cursor[:MAX_LENGTH] + "=" * (-len(cursor) % 4))
    if len(sealed) < _NONCE + _TAG or _text(sealed) != cursor:
        raise ValueError
    return sealed


@lru_cache(maxsize=4)
def _cipher(secret: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # few processes turn pages

    return AESGCM(hmac.digest(secret, b"calaim-fhir-hub cursor", "sha256"))


def _digest(query: str) -> str:
    return sha256(query.encode()).hexdigest()[:32]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
