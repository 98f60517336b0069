"""The bearer guard: from a request's token to the `Access` it gives.

Rules: RFC 6750 (Authorization header only; sections 2 and 3.1) and the 401 of
https://hl7.org/fhir/R4/http.html#Status-Codes
A token is looked up by its SHA-256 together with its client and its person, and remembered for at most 10 s in a
bounded cache: who is disabled is out within 10 s. Expiry is checked at every request, by this node's clock; with
PostgreSQL at each look-up also by the database's: a node whose clock is behind takes no token 60 s after its end.
Who was merged into another Patient is that one: a member's own app, and a launch about a former Patient
(docs/identity.md).
Refuses: no token (401), expired, unknown or revoked ones and anything else that is not our token, such as an
ID token, a refresh token or an assertion (401 `invalid_token`), tokens of people whom the app is not for any more
and tokens bound to another certificate than the one shown (the same), two Authorization headers or a token in the
URL (400).
Fails closed: when the lookup cannot be made, nobody gets in (503).
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import BigInteger, Connection, Row, bindparam, literal_column, select, true

from auth import break_glass, persons, scopes, sights, tokens, users
from auth.assertion import SKEW_SECONDS
from auth.clients import client_of
from auth.tokens import token_hash
from hub.access import Access
from hub.clock import Clock, micros, moment, now
from hub.identity import former
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.tables import client, token

log = logging.getLogger(__name__)

REALM = "calaim-fhir-hub"
CACHE_MICROSECONDS = 10_000_000
CACHE_SIZE = 4096

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{43})", re.IGNORECASE)  # 32 bytes, base64url
_CLOCKS = {"sqlite": "0", "postgresql": "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"}
_LOOKUP = {
    dialect: select(
        client,
        literal_column(theirs, BigInteger).label("theirs"),
        token.c.scopes.label("granted"),
        token.c.expires.label("ends"),
        token.c.certificate.label("bound"),
        token.c.user_id,
        token.c.context,
    )
    .join_from(token, client, token.c.client == client.c.id)
    .where(token.c.hash == bindparam("hash"), client.c.active == true())
    for dialect, theirs in _CLOCKS.items()
}


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was good when it was looked up; usable from `since` until `until` (microseconds), and where it
    is bound to one, with this certificate only."""

    access: Access
    since: int
    until: int
    certificate: str = ""


def no_certificate(_: Mapping[str, Any]) -> str:
    """Where nobody says which certificate a client showed, none was shown."""
    return ""


class Guard:
    """Decides who asks. One for a process; safe for threads. `base`: of this hub's references. `shown`: the
    thumbprint (x5t#S256) of the certificate that a request came with (RFC 8705)."""

    def __init__(
        self,
        database: Database,
        clock: Clock = now,
        base: str = "",
        shown: Callable[[Mapping[str, Any]], str] = no_certificate,
    ):
        self._database = database
        self._clock = clock
        self._base = base
        self._shown = shown
        self._known: dict[bytes, _Known] = {}
        self._lock = threading.Lock()

    def access_of(self, environ: Mapping[str, Any]) -> Access:
        """The access of a WSGI request. Raises Problem (`login`, `invalid`, `busy`)."""
        digest = token_hash(_token(environ))
        at = micros(self._clock())
        known = self._known.get(digest)
        if known is None or not known.since <= at < known.until:
            known = self._looked_up(digest, at)
        if known.certificate and not compare_digest(self._shown(environ).encode(), known.certificate.encode()):
            raise _invalid_token()
        return known.access

    def _looked_up(self, digest: bytes, at: int) -> _Known:
        try:
            known = self._row(digest, at)
        except Exception as error:  # whatever went wrong: no decision, no access
            log.error("Access not decided: %s", type(error).__name__)
            raise Problem("busy", "Access cannot be decided now", headers={"Retry-After": "5"}) from error
        if known is None or at >= known.until:
            with self._lock:
                self._known.pop(digest, None)
            raise _invalid_token()
        self._remember(digest, known)
        return known

    def _row(self, digest: bytes, at: int) -> _Known | None:
        def known(connection: Connection) -> _Known | None:
            row = connection.execute(_LOOKUP[connection.dialect.name], {"hash": digest}).first()
            if row is None or row.ends + SKEW_SECONDS * 1_000_000 <= row.theirs:
                return None
            access = self._access(connection, row, at)
            if access is None:
                return None
            until = min(row.ends, row.expires or row.ends, at + CACHE_MICROSECONDS)
            return _Known(access, at, until, row.bound)

        return self._database.reading(known)

    def _access(self, connection: Connection, row: Row[Any], at: int) -> Access | None:
        """What the token's client may do, with the person at it if there is one; None where it is not for them."""
        found, granted = client_of(row), scopes.parse(row.granted)
        emergency = break_glass.is_broken(connection, found.id, moment(at))
        if not row.user_id:
            return sights.access_for(found, granted, base=self._base, emergency=emergency)
        person = users.by_id(connection, row.user_id)
        mine = persons.client_of(found, person) if person else None
        if mine is None or person is None:
            return None
        return sights.access_for(
            mine,
            granted,
            user=former.followed(connection, person.fhir_user),
            patient=former.followed(connection, tokens.read(row.context).get("patient", "")),
            base=self._base,
            person=person.id,
            emergency=emergency,
        )

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
