"""Forgets tokens and assertions that are past use.

An assertion's jti is kept past its expiry by the clock skew allowed between nodes: forgotten sooner, a node
whose clock is behind would take it again.
"""

from datetime import datetime

from sqlalchemy import Connection, delete, select, tuple_

from auth.assertion import SKEW_SECONDS
from hub.clock import micros
from hub.store.tables import assertion, token

BATCH = 1000


def forget_expired(connection: Connection, now: datetime, batch: int = BATCH) -> int:
    """Delete at most `batch` rows of each table; how many went. Ask again while it is `batch` or more."""
    before = micros(now) - SKEW_SECONDS * 1_000_000
    old_tokens = select(token.c.hash).where(token.c.expires < before).limit(batch)
    identity = (assertion.c.client, assertion.c.jti)
    old_proofs = select(*identity).where(assertion.c.expires < before).limit(batch)
    tokens = connection.execute(delete(token).where(token.c.hash.in_(old_tokens)))
    proofs = connection.execute(delete(assertion).where(tuple_(*identity).in_(old_proofs)))
    return tokens.rowcount + proofs.rowcount
