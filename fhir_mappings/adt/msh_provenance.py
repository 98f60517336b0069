"""MSH and EVN -> Provenance of everything one message made the hub write.

Rules: v2-to-FHIR IG 1.0.0, segment maps MSH[Provenance-Source], EVN[Provenance]; US Core 6.1.0 Provenance
The message itself is named by feed and control id (`entity.what.identifier`): the raw bytes are in the inbox.
Refuses: nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from fhir_mappings.adt.dates import fhir_date_time, fhir_instant, moment
from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.rows import Context, Element
from fhir_mappings.adt.timeline import period
from fhir_mappings.adt.xon_organization import facility_organization

EVENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0003"
AGENT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenance(targets: Sequence[str], message: AdtMessage, recorded: datetime, context: Context) -> Element:
    """`targets` are references; `recorded` is when the hub received the message."""
    return {
        "resourceType": "Provenance",
        **({"meta": {"security": context.facility.security}} if context.facility.security else {}),
        "target": [{"reference": target} for target in targets],
        **_occurred(message, context),
        "recorded": fhir_instant(recorded),
        "activity": {"coding": [_activity(message.event)]},
        "agent": [
            {"type": {"coding": [{"system": AGENT_TYPE, "code": "author"}]}, "who": facility_organization(context)},
        ],
        "entity": [{"role": "source", "what": {"identifier": _source(message, context)}}],
    }


def _occurred(message: AdtMessage, context: Context) -> Element:
    """When it occurred (EVN-6) until it was recorded there (EVN-2); EVN-2 alone is a moment."""
    happened, recorded = message.occurred_at, message.event_at
    if happened is None or moment(happened, context.zone) >= moment(recorded, context.zone):
        return {"occurredDateTime": fhir_date_time(recorded, context.zone)}
    return {"occurredPeriod": period(happened, recorded, context.zone)}


def _activity(event: str) -> Element:
    return {"system": EVENT_SYSTEM, "code": event, "display": EVENTS[event].display}


def _source(message: AdtMessage, context: Context) -> Element:
    return {"system": context.facility.feed, "value": message.control_id}
