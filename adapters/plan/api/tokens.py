"""Access tokens of the plan: asked for with a signed assertion, kept until shortly before they end.

Rules: RFC 6749 section 4.4 (client credentials); RFC 7523 section 2.2 (private_key_jwt): `iss` = `sub` = the
client, `aud` the token URL, `exp` within five minutes, a new `jti` each time; RFC 6749 section 5.1 (the answer).
Without a token nothing is decided about the work that needs it: whatever is wrong here is tried again (Failed).
Refuses: what is no token answer; tokens that are no token68, as they would break a header.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from joserfc import jwt

from adapters.plan.api.configuration import PlanApi
from adapters.plan.api.outcomes import Expired, Failed, Good, Outcome, Refused, judged
from hub import clock
from hub.notifications.connections import Refused as NotCalled
from hub.notifications.connections import Unreachable, exchange

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE = timedelta(minutes=4)
USUAL_SECONDS, MOST_SECONDS, EARLY_SECONDS = 300, 3600, 30
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8000}=*")


@dataclass(slots=True)
class Tokens:
    """For several threads: one of them asks, the others wait for its answer."""

    api: PlanApi
    now: clock.Clock = clock.now
    _lock: Lock = field(default_factory=Lock)
    _token: str = field(default="", repr=False)
    _until: int = 0

    def current(self) -> str | Failed:
        """A token that is good for some seconds more, or why there is none."""
        with self._lock:
            if self._token and clock.micros(self.now()) < self._until:
                return self._token
            match self._asked():
                case Good(body=body):
                    return self._kept(body)
                case Failed() as failed:
                    return failed
                case Expired():
                    return Failed("The plan does not know the hub's client, or its key")
                case Refused(reason):
                    return Failed(f"No token: {reason}")

    def drop(self, token: str) -> None:
        """The plan does not take this one any more."""
        with self._lock:
            if self._token == token:
                self._token = ""

    def _asked(self) -> Outcome:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        if self.api.scopes:
            form["scope"] = self.api.scopes
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            answer = exchange(
                "POST", self.api.token_url, urlencode(form).encode(), headers, self.api.seconds, self.api.route
            )
        except (Unreachable, NotCalled) as fault:
            return Failed(f"No token: {fault}")
        return judged(answer, self.now())

    def _kept(self, body: Mapping[str, Any]) -> str | Failed:
        token, kind, life = body.get("access_token"), body.get("token_type"), body.get("expires_in", USUAL_SECONDS)
        is_token = isinstance(token, str) and _TOKEN.fullmatch(token) is not None
        if not is_token or str(kind).lower() != "bearer" or type(life) is not int or life < 1:
            return Failed("The plan's token endpoint gave no bearer token")
        seconds = min(life, MOST_SECONDS)
        self._token = str(token)
        self._until = clock.micros(self.now()) + max(seconds - EARLY_SECONDS, seconds // 2) * 1_000_000
        return self._token

    def _assertion(self) -> str:
        now = self.now()
        said = {
            "iss": self.api.client,
            "sub": self.api.client,
            "aud": self.api.token_url,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFE).timestamp()),
            "jti": uuid4().hex,
        }
        header = {"alg": self.api.algorithm, "typ": "JWT", "kid": self.api.key.kid}
        return jwt.encode(header, said, self.api.key, algorithms=[self.api.algorithm])
