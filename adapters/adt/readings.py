"""The bytes of the inbox as records, whichever of the two formats a hospital sent: HL7 v2, or a FHIR notification.

Rules: docs/adr/0006 (all messages of a visit are put together); docs/alerts.md. The feed of a notification names
its facility, as MSH-4 does in a message of HL7 v2: `alerts|FACILITY`.
Refuses: what the parsers refuse (AdtProblem).
"""

from adapters.adt.message import parse
from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.alerts.notification_adt import adt_message, is_notification

APPLICATION = "alerts"


def feed_of(facility_code: str) -> str:
    return f"{APPLICATION}|{facility_code}"


def facility_code(feed: str) -> str:
    """Of a notification's feed."""
    return feed.partition("|")[2]


def reading(raw: bytes, facility: Facility, cin_system: str, tables: CodeTables) -> AdtMessage:
    """The record of a message of this facility. Raises AdtProblem."""
    return adt_message(raw, facility, cin_system, tables) if is_notification(raw) else parse(raw)
