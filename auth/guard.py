"""The bearer guard: from a request's token to the `Access` it gives.

Rules: RFC 6750 (Authorization header only; sections 2 and 3.1) and the 401 of
https://hl7.org/fhir/R4/http.html#Status-Codes
A token is looked up by its SHA-256 together with its client, and remembered for at most 10 s in a bounded
cache: a disabled client is out within 10 s. Expiry is checked at every request.
Refuses: no token (401), expired, unknown or revoked ones and anything else that is not our token, such as an
ID token or an assertion (401 `invalid_token`), two Authorization headers or a token in the URL (400).
Fails closed: when the lookup cannot be made, nobody gets in (503).
"""

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import bindparam, select, true

from auth import scopes
from auth.tokens import token_hash
from hub.access import Access
from hub.clock import Clock, micros, now
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.tables import client, token

log = logging.getLogger(__name__)

REALM = "calaim-fhir-hub"
CACHE_MICROSECONDS = 10_000_000
CACHE_SIZE = 4096

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{43})", re.IGNORECASE)  # 32 bytes, base64url
_LOOKUP = (
    select(client.c.id, client.c.role, token.c.scopes, token.c.expires)
    .join_from(token, client, token.c.client == client.c.id)
    .where(token.c.hash == bindparam("hash"), client.c.active == true())
)


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was good when it was looked up; usable from `since` until `until` (microseconds)."""

    access: Access
    since: int
    until: int


class Guard:
    """Decides who asks. One for a process; safe for threads."""

    def __init__(self, database: Database, clock: Clock = now):
        self._database = database
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._lock = threading.Lock()

    def access_of(self, environ: Mapping[str, Any]) -> Access:
        """The access of a WSGI request. Raises Problem (`login`, `invalid`, `busy`)."""
        digest = token_hash(_token(environ))
        moment = micros(self._clock())
        known = self._known.get(digest)
        if known is None or not known.since <= moment < known.until:
            known = self._looked_up(digest, moment)
        return known.access

    def _looked_up(self, digest: bytes, moment: int) -> _Known:
        try:
            known = self._row(digest, moment)
        except Exception as error:  # whatever went wrong: no decision, no access
            log.error("Access not decided: %s", type(error).__name__)
            raise Problem("busy", "Access cannot be decided now", headers={"Retry-After": "5"}) from error
        if known is None or moment >= known.until:
            self._known.pop(digest, None)
            raise _invalid_token()
        self._remember(digest, known)
        return known

    def _row(self, digest: bytes, moment: int) -> _Known | None:
        row = self._database.reading(lambda connection: connection.execute(_LOOKUP, {"hash": digest}).first())
        if row is None:
            return None
        access = Access(row.id, scopes.grants(scopes.parse(row.scopes)), row.role)
        return _Known(access, moment, min(row.expires, moment + CACHE_MICROSECONDS))

    def _remember(self, digest: bytes, known: _Known) -> None:
        with self._lock:
            while len(self._known) >= CACHE_SIZE:
                del self._known[next(iter(self._known))]
            self._known[digest] = known


def _token(environ: Mapping[str, Any]) -> str:
    """The bearer token of a request. WSGI servers join repeated headers with a comma; tokens hold none."""
    _refuse_token_in_url(environ.get("QUERY_STRING", ""))
    header: str = environ.get("HTTP_AUTHORIZATION", "").strip()
    if "," in header:
        raise _invalid_request("More than one Authorization header")
    if header[:6].lower() != "bearer":
        raise Problem("login", "A bearer token is required", headers=_challenge())
    found = _BEARER.fullmatch(header)
    if not found:
        raise _invalid_token()
    return found[1]


def _refuse_token_in_url(query: str) -> None:
    if not query or ("access_token" not in query and "%" not in query):
        return
    if any(name == "access_token" for name, _ in parse_qsl(query, keep_blank_values=True)):
        raise _invalid_request("A token belongs in the Authorization header, not in the URL")


def _challenge(error: str = "") -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{REALM}"' + (f', error="{error}"' if error else "")}


def _invalid_token() -> Problem:
    return Problem("login", "The token is not valid, or no longer", headers=_challenge("invalid_token"))


def _invalid_request(message: str) -> Problem:
    return Problem("invalid", message, headers=_challenge("invalid_request"))
