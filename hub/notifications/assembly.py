"""Notices as the settings want them: what a client may see of an event, and how it is sent and recorded.

`rights` come from above (auth.notices): they are asked anew for each notice.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import Connection

from hub import clock, outbox
from hub.access import Access
from hub.audit.recorder import Recorder
from hub.notifications import attempts, kept
from hub.notifications.connections import Route
from hub.notifications.deliver import Deliveries
from hub.notifications.events import EVENT
from hub.notifications.fan_out import FanOut
from hub.notifications.heartbeats import beat
from hub.notifications.looking import Looking
from hub.notifications.mail import Relay
from hub.notifications.messages import Build, Messages
from hub.notifications.stored_headers import KIND, StoredHeaders
from hub.notifications.told import NoticesTold
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions


class Rights(Protocol):
    """What a client may see by itself now, and what its webhooks are signed with; None for nobody."""

    def access_of(self, client_id: str) -> Access | None: ...

    def secret_of(self, client_id: str) -> str | None: ...


def look(database: Database, settings: Settings, rights: Rights) -> Looking:
    """What a client may see of an event, now."""
    return Looking(database, rights.access_of, settings.fhir_base)


def work(database: Database, settings: Settings, rights: Rights) -> dict[str, outbox.Handler]:
    """What is done at once, by kind: an event becomes notices, stored header lines are sealed."""
    return {
        EVENT: FanOut(
            database,
            look(database, settings, rights),
            settings.fhir_base,
            same_minutes=settings["HUB_NOTICE_SAME_MINUTES"],
        ),
        KIND: StoredHeaders(database, settings.secret_key()),
    }


def deliveries(
    database: Database,
    own: Transactions,
    settings: Settings,
    rights: Rights,
    recorder: Recorder | None,
    message: Build | None = None,
) -> Deliveries:
    """`own` writes what becomes of a Subscription; without `recorder` nothing is recorded. `message` builds the
    messages of their channel: without it none is sent."""
    return Deliveries(
        database,
        own,
        rights.secret_of,
        look(database, settings, rights),
        settings.fhir_base,
        settings["HUB_WEBHOOK_TIMEOUT_SECONDS"],
        Route(settings["HUB_WEBHOOK_HOSTS"]),
        header_key=settings.secret_key(),
        tell=NoticesTold(recorder, rights.access_of) if recorder else None,
        relay=Relay.of(settings),
        messages=Messages(database, rights.access_of, settings.fhir_base, message) if message else None,
    )


def sockets(database: Database, settings: Settings, rights: Rights, recorder: Recorder | None) -> Any:
    """The listener for websockets; None where the settings want none."""
    if not settings["HUB_WEBSOCKET_PORT"]:
        return None
    from hub.notifications.sockets import Sockets  # asyncio and websockets: not for every hub
    from hub.notifications.telling import Teller

    teller = Teller(
        database,
        look(database, settings, rights),
        rights.access_of,
        settings.fhir_base,
        NoticesTold(recorder, rights.access_of) if recorder else None,
    )
    return Sockets(settings["HUB_WEBSOCKET_HOST"], settings["HUB_WEBSOCKET_PORT"], settings.secret_key(), teller)


def chores(database: Database, settings: Settings) -> list[tuple[timedelta, Callable[[int], object]]]:
    """What is done now and then, and how often: heartbeats, what is old goes."""
    keep = timedelta(days=settings["HUB_NOTICE_KEEP_DAYS"]) // clock.MICROSECOND

    def forget(connection: Connection, now: int) -> int:
        return kept.forget(connection, now - keep) + attempts.forget(connection, now - keep)

    return [
        (timedelta(seconds=1), lambda now: beat(database, settings.fhir_base, now)),
        (timedelta(hours=1), lambda now: database.writing(lambda connection: forget(connection, now))),
    ]
