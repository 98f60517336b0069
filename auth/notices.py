"""What hub.notifications asks of a client before a notice leaves: may it see this, and how is it signed?

Asked anew for each notice and each retry: a disabled client is told nothing more.
"""

from dataclasses import dataclass

from auth.clients import Client, find
from auth.scopes import grants, parse
from auth.webhook_secret import secret_for
from hub.access import Access
from hub.store.engine import Database


@dataclass(frozen=True, slots=True)
class NoticeRights:
    """Answers for the clients of one register. `secret_key` is the hub's own."""

    database: Database
    secret_key: bytes

    def may_see(self, client_id: str, resource_type: str) -> bool:
        """Whether the client is active and its scopes let it read resources of this type."""
        client = self._active(client_id)
        if client is None:
            return False
        return Access(client.id, grants(parse(client.scopes)), client.role).may("read", resource_type)

    def secret_of(self, client_id: str) -> str | None:
        """The secret that signs a client's webhooks; None where there is no such active client."""
        client = self._active(client_id)
        if client is None:
            return None
        return secret_for(self.secret_key, client.id, client.webhook_generation)

    def _active(self, client_id: str) -> Client | None:
        with self.database.read() as connection:
            client = find(connection, client_id)
        return client if client and client.active else None
