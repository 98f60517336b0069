"""Answers kept under an Idempotency-Key, in the transaction of what they answer.

A key is its client's own. On PostgreSQL an advisory lock holds it until the transaction ends, so that nobody else
works under it meanwhile; on SQLite there is one writer at a time.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from hub import clock
from hub.search.hashes import key as number
from hub.store.tables import idempotency

KEPT = timedelta(hours=24) // clock.MICROSECOND


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered. `digest` is of the request, `headers` are JSON."""

    digest: bytes
    status: int
    headers: str
    body: bytes


def claim(connection: Connection, client: str, key: str) -> bool:
    """Hold the key until the transaction ends; False where another transaction holds it."""
    if connection.dialect.name != "postgresql":
        return True
    held = connection.exec_driver_sql(
        "SELECT pg_try_advisory_xact_lock($1)", (number(f"idempotency\x00{client}\x00{key}"),)
    )
    return bool(held.scalar())


def find(connection: Connection, client: str, key: str, since: int) -> Kept | None:
    """The answer under a key, unless it is from before `since` (microseconds since 1970): then it is forgotten."""
    mine = (idempotency.c.client == client, idempotency.c.key == key)
    row = connection.execute(select(idempotency).where(*mine)).first()
    if row is not None and row.created < since:
        connection.execute(delete(idempotency).where(*mine))
        return None
    return Kept(row.digest, row.status, row.headers, row.body) if row else None


def keep(connection: Connection, client: str, key: str, kept: Kept, now: int) -> None:
    connection.execute(
        insert(idempotency),
        {
            "client": client,
            "key": key,
            "digest": kept.digest,
            "status": kept.status,
            "headers": kept.headers,
            "body": kept.body,
            "created": now,
        },
    )


def forget(connection: Connection, now: int) -> int:
    """Forget the answers that were kept long enough; how many they were."""
    return connection.execute(delete(idempotency).where(idempotency.c.created < now - KEPT)).rowcount
