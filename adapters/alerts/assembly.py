"""Notifications by $process-message, as the settings want them: in from those of HUB_HL7V2_CLIENTS, else from
nobody; out to whoever subscribes by the message channel."""

from collections.abc import Callable, Sequence

from adapters.adt.group_commit import Accept
from adapters.adt.hl7_over_http import clients_of
from adapters.adt.local_tables import local_tables
from adapters.alerts.intake import Notifications, Resource
from fhir_mappings.alerts.notice_message import notice_message
from hub import clock
from hub.access import Access
from hub.notifications.messages import Build, Tidings
from hub.problems import Issue
from hub.settings import Settings
from hub.store.engine import Database


def messages(
    database: Database,
    settings: Settings,
    accept: Callable[[], Accept],
    check: Callable[[Resource, str], Sequence[Issue]],
) -> Callable[[Access, Resource, bool], Resource | None] | None:
    """For hub.operations.call.Engines; None where nobody may send. Raises CannotStart."""
    bound = clients_of(settings)
    if bound is None:
        return None
    tables = local_tables(settings.facilities_file, settings.code_tables_dir)
    base, cin_system = settings.fhir_base, settings["HUB_CIN_SYSTEM"]
    return Notifications(database, accept(), bound, tables.facilities, check, base, cin_system)


def notices_out(settings: Settings) -> Build:
    """For hub.notifications.messages."""

    def build(told: Tidings) -> Resource:
        at, base = clock.instant(told.event.at), settings.fhir_base
        return notice_message(
            told.event.topic,
            told.focus,
            told.along,
            message=told.message,
            at=at,
            base=base,
            endpoint=told.endpoint,
        )

    return build
