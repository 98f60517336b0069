"""The headers a receiver checks a notice with.

Rules: Standard Webhooks,
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
(`v1`: HMAC-SHA256 over id, timestamp and the body's bytes, joined by full stops)
Refuses: a secret that is not `whsec_` and base64 (ValueError).
"""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def signed(secret: str, identity: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers; `at` is in seconds since 1970, `identity` holds no full stop."""
    if not secret.startswith(PREFIX) or "." in identity:
        raise ValueError("The secret or the id of a webhook has another form")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    digest = hmac.digest(key, f"{identity}.{at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode('ascii')}",
    }
