"""The topics one can subscribe to: a table. A row says which change of which resource is an event, and by what
a Subscription may narrow it.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics-in-fhir-r4
R4 has no SubscriptionTopic resource; the canonical URLs are the hub's own and are listed in its
CapabilityStatement. What an admission is, and the others, hub.fhir.encounters decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.fhir.encounters import admitted, discharged, taken_back, transferred
from hub.fhir.systems import OWN

Resource = Mapping[str, Any]
Trigger = Callable[[Resource | None, Resource | None], bool]

PANEL = "panel"
ENCOUNTER_FILTERS: Mapping[str, str] = {
    "patient": "The member, as `Patient/id`; several with commas. The R4 search parameter of Encounter.",
    "subject": "As `patient`; the R4 search parameter of Encounter.",
    "class": "The class, as `code` or `system|code`. The R4 search parameter of Encounter.",
    PANEL: "A panel, as `Group/id`; several with commas. The hub's own parameter: the Encounter's subject is an "
    "active member of the Group (not inactive, its period covers the present, the Group is active) when the "
    "event is processed and again when it is sent.",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """`trigger` gets the resource before and after a write (None: was or is not there)."""

    url: str
    title: str
    type: str
    trigger: Trigger
    filters: Mapping[str, str]


ENCOUNTERS: tuple[tuple[str, str, Trigger], ...] = (
    ("admission", "A member was admitted to a hospital", admitted),
    ("discharge", "A member was discharged from a hospital", discharged),
    ("transfer", "A member was brought to another place of the hospital", transferred),
    ("cancel", "An admission or a discharge was taken back", taken_back),
)
TOPICS: Mapping[str, Topic] = {
    url: Topic(url, title, "Encounter", trigger, ENCOUNTER_FILTERS)
    for name, title, trigger in ENCOUNTERS
    for url in (f"{OWN}SubscriptionTopic/encounter-{name}",)
}
ADMISSION, DISCHARGE, TRANSFER, CANCEL = TOPICS
