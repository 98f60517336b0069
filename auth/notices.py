"""What hub.notifications asks of a client before a notice leaves: may it see this, and how is it signed?

Asked anew for each notice and each retry: a disabled client is told nothing more.
"""

from dataclasses import dataclass

from auth.clients import Client, find
from auth.scopes import parse
from auth.sights import access_for
from auth.webhook_secret import secret_for
from hub.access import Access
from hub.clock import now
from hub.sight import Sight
from hub.store.engine import Database


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
        client = self._active(client_id)
        if client is None or not client.scopes:
            return None
        return access_for(client, parse(client.scopes))

    def sight_of(self, client_id: str) -> Sight | None:
        """Which resources the client sees by itself; None where there is no such client."""
        access = self.access_of(client_id)
        return access.sight if access else None

    def secret_of(self, client_id: str) -> str | None:
        """The secret that signs a client's webhooks; None where there is no such active client."""
        client = self._active(client_id)
        if client is None:
            return None
        return secret_for(self.secret_key, client.id, client.webhook_generation)

    def _active(self, client_id: str) -> Client | None:
        with self.database.read() as connection:
            client = find(connection, client_id)
        return client if client and client.usable(now()) else None
