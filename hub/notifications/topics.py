"""The topics one can subscribe to: a table. A row says which change of which resource is an event, and by what
a Subscription may narrow it.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics-in-fhir-r4
R4 has no SubscriptionTopic resource; the canonical URLs are the hub's own and are listed in its
CapabilityStatement. What an admission and a discharge is, hub.fhir.encounters decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.fhir.encounters import admitted, discharged
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


TOPICS: Mapping[str, Topic] = {
    topic.url: topic
    for topic in (
        Topic(
            f"{OWN}SubscriptionTopic/encounter-admission",
            "A member was admitted to a hospital",
            "Encounter",
            admitted,
            ENCOUNTER_FILTERS,
        ),
        Topic(
            f"{OWN}SubscriptionTopic/encounter-discharge",
            "A member was discharged from a hospital",
            "Encounter",
            discharged,
            ENCOUNTER_FILTERS,
        ),
    )
}
ADMISSION, DISCHARGE = TOPICS
