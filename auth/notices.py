"""What hub.notifications asks of a client before a notice leaves: may it see this, and how is it signed?

Asked anew for each notice and each retry: a disabled client is told nothing more.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Boolean, Connection

from auth.client_words import CLIENT_ID
from auth.clients import Client, client_of
from auth.scopes import parse
from auth.sights import access_for
from auth.webhook_secret import secret_for
from hub.access import Access
from hub.clock import now
from hub.sight import Sight
from hub.store import tables
from hub.store.engine import Database, driver, mark

_COLUMNS = tuple(tables.client.c)


@dataclass(frozen=True, slots=True)
class NoticeRights:
    """Answers for the clients of one register. `secret_key` is the hub's own."""

    database: Database
    secret_key: bytes

    def may_see(self, client_id: str, resource_type: str) -> bool:
        """Whether the client is active, and scopes and role let it read resources of this type."""
        access = self.access_of(client_id)
        return access is not None and access.may("read", resource_type)

    def access_of(self, client_id: str) -> Access | None:
        """What the client may see by itself, now; None where no such client is active, or it has no scopes."""
        found = self._active(client_id)
        return found.access if found else None

    def sight_of(self, client_id: str) -> Sight | None:
        """Which resources the client sees by itself; None where there is no such client."""
        access = self.access_of(client_id)
        return access.sight if access else None

    def secret_of(self, client_id: str) -> str | None:
        """The secret that signs a client's webhooks; None where there is no such active client."""
        found = self._active(client_id)
        if found is None:
            return None
        return secret_for(self.secret_key, found.client.id, found.client.webhook_generation)

    def _active(self, client_id: str) -> "_Understood | None":
        with self.database.read() as connection:
            row = _row(connection, client_id) if CLIENT_ID.fullmatch(client_id) else None
        found = _understood(row) if row else None
        return found if found and found.client.usable(now()) else None


@dataclass(frozen=True, slots=True)
class _Understood:
    """A row of the register, and what it may see."""

    client: Client
    access: Access | None


@lru_cache(maxsize=256)
def _understood(row: tuple[Any, ...]) -> _Understood:
    """The register is asked for each notice; what a row says is worked out once, for as long as it says that."""
    named = {c.name: bool(v) if isinstance(c.type, Boolean) else v for c, v in zip(_COLUMNS, row, strict=True)}
    client = client_of(SimpleNamespace(**named))
    return _Understood(client, access_for(client, parse(client.scopes)) if client.scopes else None)


def _row(connection: Connection, client_id: str) -> tuple[Any, ...] | None:
    found = driver(connection).execute(_by_id(mark(connection)), (client_id,)).fetchone()
    return tuple(found) if found else None


@cache
def _by_id(mark: str) -> str:
    return f"SELECT {', '.join(column.name for column in _COLUMNS)} FROM client WHERE id = {mark}"
