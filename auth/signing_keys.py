"""The keys that sign ID tokens: RS256, private halves sealed with the hub's secret key, public ones published.

Rules: OpenID Connect Core 1.0 section 10.1 (rotation: the newest signs, others stay published until they are
retired), RFC 7517; SMART App Launch 2.2 wants RS256
A key is made when one is needed first. Another node learns of a new one within a minute; until then it signs with
the last one, which is published still.
Refuses: a private key that this hub's secret key does not open is never used; the log says so.
"""

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from joserfc.jwk import RSAKey
from sqlalchemy import Connection, Row, insert, select, update

from auth.recorded import changed
from hub.clock import Clock, micros
from hub.clock import now as clock_now
from hub.sealing import seal, unseal
from hub.store.engine import Database
from hub.store.tables_auth import signing_key

log = logging.getLogger(__name__)

ALGORITHM = "RS256"
BITS = 2048
PURPOSE = "signing keys"
KNOWN_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its id."""

    kid: str
    key: RSAKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key as an operator sees it (times in microseconds, `retired` 0: in use)."""

    kid: str
    created: int
    retired: int


@dataclass(frozen=True, slots=True)
class _Known:
    signer: Signer | None
    published: dict[str, Any]
    at: datetime


class SigningKeys:
    """The keys of one hub; what it knows of them it asks again after a minute."""

    def __init__(self, database: Database, secret_key: bytes, clock: Clock = clock_now):
        self._database, self._secret, self._clock = database, secret_key, clock
        self._known: _Known | None = None
        self._lock = threading.Lock()

    def signer(self) -> Signer:
        """The key that signs now. Not to be asked inside a transaction: the first one is made here."""
        found = self._ready().signer
        assert found is not None
        return found

    def published(self) -> dict[str, Any]:
        """The JWK Set with every public key that is not retired; never empty: who looks ahead finds a key."""
        return self._ready().published

    def _ready(self) -> _Known:
        if self._now().signer is None:
            self.rotate()
        return self._now()

    def rotate(self) -> str:
        """A new key signs from now on; its kid."""
        key = RSAKey.generate_key(BITS)
        kid, at = key.thumbprint(), self._clock()
        public = {**key.as_dict(private=False), "kid": kid, "alg": ALGORITHM, "use": "sig"}
        sealed = seal(self._secret, PURPOSE, msgspec.json.encode(key.as_dict(private=True)), at.timestamp())
        row: dict[str, Any] = {
            "kid": kid,
            "alg": ALGORITHM,
            "public": msgspec.json.encode(public).decode(),
            "private": sealed,
        }
        row |= {"created": micros(at)}

        def write(connection: Connection) -> None:
            connection.execute(insert(signing_key).values(row))
            changed(connection, "key-change", f"keys rotate {kid}")

        self._database.writing(write)
        self._known = None
        return kid

    def retire(self, kid: str) -> bool:
        """Publish a key no more; False where there is no such key in use. What it signed is worth nothing then."""
        of_it = update(signing_key).where(signing_key.c.kid == kid, signing_key.c.retired == 0)
        change = of_it.values(retired=micros(self._clock()))
        self._known = None

        def write(connection: Connection) -> bool:
            is_done = connection.execute(change).rowcount == 1
            if is_done:
                changed(connection, "key-change", f"keys retire {kid}")
            return is_done

        return self._database.writing(write)

    def listed(self) -> list[KeyLine]:
        """Every key, the newest first."""
        with self._database.read() as connection:
            return [KeyLine(row.kid, row.created, row.retired) for row in _rows(connection)]

    def _now(self) -> _Known:
        known, at = self._known, self._clock()
        if known is None or not known.at <= at < known.at + KNOWN_FOR:
            with self._lock:
                known = self._known = self._asked(at)
        return known

    def _asked(self, at: datetime) -> _Known:
        rows = [row for row in self._database.reading(_rows) if not row.retired]
        signers = (self._opened(row) for row in rows)
        signer = next((found for found in signers if found is not None), None)
        return _Known(signer, {"keys": [msgspec.json.decode(row.public) for row in rows]}, at)

    def _opened(self, row: Row[Any]) -> Signer | None:
        private = unseal(self._secret, PURPOSE, row.private)
        if private is None:
            log.error("A signing key was sealed with another secret key: it is published, but does not sign")
            return None
        return Signer(row.kid, RSAKey.import_key(msgspec.json.decode(private)))


def _rows(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(select(signing_key).order_by(signing_key.c.created.desc(), signing_key.c.kid)))
