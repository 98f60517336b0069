"""A registered client, and the words in which it is described.

Rules: RFC 7591 section 2 and SMART App Launch 2.2,
https://hl7.org/fhir/smart-app-launch/app-launch.html#support-for-public-and-confidential-apps
Refuses: nothing; see `auth.client_rules`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.clock import micros

CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
ASYMMETRIC, SYMMETRIC, PUBLIC = KINDS = ("confidential-asymmetric", "confidential-symmetric", "public")
CLIENT_CREDENTIALS, AUTHORIZATION_CODE, REFRESH_TOKEN = GRANT_TYPES = (
    "client_credentials",
    "authorization_code",
    "refresh_token",
)


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. `scopes` as written in a token, `jwks` by value or `jwks_url`; never both.

    `kind` is one of KINDS. `organization` is a reference such as `Organization/harbor`: whose client it is.
    `purposes` are codes of hub.sight.PURPOSES. `secret_hash`: argon2 of the secret of a symmetric client.
    `certificate`: the x5t#S256 its tokens are bound to. `expires`: microseconds, 0 is never. A `resource_server`
    may introspect the tokens of others. `software`: whose statement registered it, where one did."""

    id: str
    name: str
    role: str
    scopes: str = ""
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    jwks_url: str | None = None
    active: bool = True
    webhook_generation: int = 1
    kind: str = ASYMMETRIC
    organization: str = ""
    purposes: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = (CLIENT_CREDENTIALS,)
    launch_uri: str = ""
    secret_hash: str = field(default="", repr=False)
    certificate: str = ""
    expires: int = 0
    resource_server: bool = False
    software: str = ""

    def usable(self, now: datetime) -> bool:
        """Switched on, and not past its last day."""
        return self.active and not (self.expires and micros(now) >= self.expires)
