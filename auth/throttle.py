"""Counts failed sign-ins by login and by address, and locks either for a while. Logins nobody has are counted, too.

Rules: NIST SP 800-63B-4 section 3.2.2 (throttling), OWASP ASVS 6.3.1
An attempt is counted before its password is looked at: a hundred at the same instant are a hundred. What succeeds
is taken off again. The database holds keyed hashes, not logins or addresses.
Refuses: everything while a lock lasts, right passwords as well.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy import text as sql

from hub.clock import micros
from hub.store.tables_auth import sign_in_failure as table

MINUTE = 60_000_000

_BEGIN = sql(
    "INSERT INTO sign_in_failure (key, failures, first, last, locked_until) "
    "VALUES (:key, 0, :now, :now, 0) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Counter:
    """One thing that is counted: `most` failures of it, and it is locked."""

    key: bytes
    most: int


def key_of(secret_key: bytes, kind: str, value: str) -> bytes:
    """The key of a login or an address."""
    return hmac.digest(secret_key, f"sign-in|{kind}|{value}".encode(), hashlib.sha256)


def begin(connection: Connection, counters: Sequence[Counter], now: datetime, minutes: int) -> int:
    """Count an attempt; until when it is locked (microseconds), 0 where it may be made. `minutes`: a lock lasts as
    long, and failures are forgotten after as long without one."""
    at, locked = micros(now), 0
    for counter in counters:
        connection.execute(_BEGIN, {"key": counter.key, "now": at})
        row = connection.execute(select(table).where(table.c.key == counter.key).with_for_update()).one()
        if row.locked_until > at:
            locked = max(locked, row.locked_until)
            continue
        over = row.locked_until or row.last < at - minutes * MINUTE
        failures = 1 if over else row.failures + 1
        values = {
            "failures": failures,
            "first": at if over else row.first,
            "last": at,
            "locked_until": at + minutes * MINUTE if failures >= counter.most else 0,
        }
        connection.execute(update(table).where(table.c.key == counter.key).values(values))
    return locked


def is_locked(connection: Connection, key: bytes, now: datetime) -> bool:
    """Whether a lock lasts; nothing is counted."""
    return bool(
        connection.scalar(select(table.c.key).where(table.c.key == key, table.c.locked_until > micros(now)))
    )


def forgive(connection: Connection, login: bytes, address: bytes) -> None:
    """The attempt succeeded: the login's failures are forgotten, the address is given back this one."""
    connection.execute(delete(table).where(table.c.key == login))
    less = {"failures": table.c.failures - 1, "locked_until": 0}
    connection.execute(update(table).where(table.c.key == address, table.c.failures > 0).values(less))


def unlock(connection: Connection, key: bytes) -> bool:
    """Forget a key's failures; whether there were any."""
    return connection.execute(delete(table).where(table.c.key == key)).rowcount > 0


def forget(connection: Connection, now: datetime, minutes: int) -> int:
    """Delete what is past counting; how many rows went."""
    before = micros(now) - minutes * MINUTE
    gone = delete(table).where(table.c.last < before, table.c.locked_until < micros(now))
    return connection.execute(gone).rowcount
