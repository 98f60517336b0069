"""The second factor: codes of an authenticator app, each good once.

Rules: RFC 6238 (30 s steps, six digits; section 5.2: a code is accepted once), and one step of clock difference
Refuses (None): any other code, and one of a step that was used, or of one before it.
"""

import hmac
import re
from datetime import datetime

import pyotp

from hub.sealing import seal, unseal

STEP_SECONDS = 30
PURPOSE = "second factor"
_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """160 random bits in base32, as authenticator apps take them."""
    return pyotp.random_base32()


def sealed(secret_key: bytes, secret: str, now: datetime) -> bytes:
    """What the database keeps of a secret."""
    return seal(secret_key, PURPOSE, secret.encode(), now.timestamp())


def opened(secret_key: bytes, kept: bytes) -> str:
    """The secret. Raises ValueError where it was sealed with another key: nobody gets in without the factor."""
    found = unseal(secret_key, PURPOSE, bytes(kept))
    if found is None:
        raise ValueError("The second factor was sealed with another key")
    return found.decode()


def address(secret: str, login: str) -> str:
    """The otpauth:// address that an authenticator app is given."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="CalAIM FHIR Hub")


def step_of(secret: str, code: str, now: datetime, last: int) -> int | None:
    """The step that a code is of, if it is one that may be used now."""
    if not _CODE.fullmatch(code):
        return None
    one_time, current, found = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS, None
    for step in (current - 1, current, current + 1):
        # all three are compared, so that the time says nothing
        if hmac.compare_digest(one_time.generate_otp(step), code) and step > last:
            found = step
    return found
