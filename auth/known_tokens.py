"""A token somebody shows at the revocation or introspection endpoint: which one it is, if it is one of ours.

Rules: RFC 7009 section 2.1, RFC 7662 section 2.1 (a hint may be wrong: both kinds are looked for)
Refuses: nothing; what is no token of this hub is None.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from auth import refresh
from auth.tokens import end_family, token_hash
from hub.clock import micros
from hub.store.tables import token as token_table

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A row of a token; `is_refresh` says of which table."""

    row: Row[Any]
    is_refresh: bool

    def is_good(self, now: datetime) -> bool:
        """Not past its time, and, where it works once, not used."""
        return bool(micros(now) < self.row.expires and not (self.is_refresh and self.row.used))


def find(connection: Connection, token: str) -> KnownToken | None:
    """The token behind these characters."""
    if not _TOKEN.fullmatch(token):
        return None
    row = connection.execute(select(token_table).where(token_table.c.hash == token_hash(token))).first()
    if row is not None:
        return KnownToken(row, False)
    row = refresh.find(connection, token)
    return KnownToken(row, True) if row is not None else None


def revoke(connection: Connection, known: KnownToken) -> None:
    """An access token ends alone, a refresh token with its family (RFC 7009 section 2.1)."""
    if known.is_refresh:
        end_family(connection, known.row.family)
    else:
        connection.execute(delete(token_table).where(token_table.c.hash == known.row.hash))
