"""Secrets at rest: what the database or a browser keeps for the hub, encrypted with keys made from the hub's own.

Rules: RFC 5869 (one secret, a key for each purpose); Fernet, https://github.com/fernet/spec (AES-CBC and HMAC, with
the time of sealing)
Refuses (None): what was sealed for another purpose, with another key, too long ago, or changed since.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def derived(secret_key: bytes, purpose: str) -> bytes:
    """The key for a purpose: who learns it knows nothing of the others."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"calaim-fhir-hub {purpose}".encode()).derive(secret_key)


@lru_cache(maxsize=16)
def _fernet(secret_key: bytes, purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived(secret_key, purpose)))


def seal(secret_key: bytes, purpose: str, content: bytes, at: float) -> bytes:
    """`content`, readable only with the key and the purpose. `at`: seconds since 1970."""
    return _fernet(secret_key, purpose).encrypt_at_time(content, int(at))


def unseal(
    secret_key: bytes, purpose: str, sealed: bytes, at: float = 0, seconds: int | None = None
) -> bytes | None:
    """What was sealed, if it was sealed here, and not more than `seconds` before `at`."""
    fernet = _fernet(secret_key, purpose)
    try:
        return fernet.decrypt(sealed) if seconds is None else fernet.decrypt_at_time(sealed, seconds, int(at))
    except InvalidToken:
        return None
