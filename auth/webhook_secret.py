"""The secret a client checks our webhooks with, made when needed and stored nowhere.

Rules: Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
(symmetric secrets: `whsec_` and base64 of 24 to 64 bytes)
Refuses: a short hub key. A client's next generation gives the next secret.
"""

import base64
import hashlib
import hmac

SHORTEST_KEY = 32


def secret_for(secret_key: bytes, client_id: str, generation: int) -> str:
    """`whsec_...` for this client and generation (client ids hold no `|`: no two messages are one)."""
    if len(secret_key) < SHORTEST_KEY:
        raise ValueError(f"The hub's secret key has at least {SHORTEST_KEY} bytes")
    message = f"webhook|{client_id}|{generation}".encode()
    return "whsec_" + base64.b64encode(hmac.digest(secret_key, message, hashlib.sha256)).decode("ascii")
