"""The topics one can subscribe to: a table. A row says which change of which resource is an event, and by what
a Subscription may narrow it.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics-in-fhir-r4
R4 has no SubscriptionTopic resource. Two canonical URLs are Gravity's (SDOH Clinical Care 2.3), the others the
hub's own; all are listed in its CapabilityStatement and in docs/topics.md, which is printed from here
(hub.notifications.topics_page). Which change is an event, hub.notifications.triggers decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.fhir.encounters import admitted, discharged, taken_back, transferred
from hub.fhir.systems import OWN
from hub.notifications.triggers import Trigger, changed, fell_due, merged, order_changed, ran_late, revoked, updated

GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/"
OURS = f"{OWN}SubscriptionTopic/"
PANEL = "panel"

# of each type the element that says whose it is; a Patient is its own
MEMBER: Mapping[str, str] = {
    "Encounter": "subject",
    "Task": "for",
    "ServiceRequest": "subject",
    "CarePlan": "subject",
    "CareTeam": "subject",
    "Coverage": "beneficiary",
    "Consent": "patient",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """`trigger` gets the resource before and after a write (None: was or is not there). `when` says it in words,
    `filters` what a Subscription may narrow by: R4's search parameters of the type, and PANEL."""

    url: str
    title: str
    type: str
    when: str
    trigger: Trigger
    filters: Mapping[str, str]


_WORDS: Mapping[str, str] = {
    "patient": "The member, as `Patient/id`; several with commas.",
    "subject": "As `patient`.",
    "class": "The class, as `code` or `system|code`.",
    "status": "The status it has after the event.",
    "code": "What it is about, as `code` or `system|code`.",
    "category": "The category, as `code` or `system|code`.",
    "owner": "Who is to do it, as `Organization/id`.",
    "requester": "Who asks for it, as `Organization/id`.",
    "performer": "Who is asked to do it, as `Organization/id`.",
    "participant": "Who is in the team, as `Practitioner/id`.",
    "payor": "Who pays, as `Organization/id`.",
    "organization": "Who keeps the consent, as `Organization/id`.",
    "business-status": "What a programme says of it, as `code` or `system|code`.",
    "_id": "The resource's id; several with commas.",
    "_lastUpdated": "When it changed, with a prefix such as `gt`.",
    PANEL: "A panel, as `Group/id`; several with commas. The hub's own: the member is active in the Group "
    "(not inactive, its period covers the present, the Group is active) when the event is processed and when it is "
    "sent.",
}


def _filters(*names: str) -> Mapping[str, str]:
    return {name: _WORDS[name] for name in (*names, PANEL)}


_ENCOUNTER = _filters("patient", "subject", "class")
_TASK = _filters("_lastUpdated", "code", "owner", "requester", "status", "patient", "business-status")
_REQUEST = _filters("_lastUpdated", "_id", "patient", "requester", "performer", "status", "category")

ROWS: tuple[Topic, ...] = (
    Topic(
        f"{OURS}encounter-admission",
        "A member was admitted to a hospital",
        "Encounter",
        "A stay begins, or who was in the emergency room or a clinic becomes an inpatient",
        admitted,
        _ENCOUNTER,
    ),
    Topic(
        f"{OURS}encounter-discharge",
        "A member was discharged from a hospital",
        "Encounter",
        "A stay is finished",
        discharged,
        _ENCOUNTER,
    ),
    Topic(
        f"{OURS}encounter-transfer",
        "A member was brought to another place of the hospital",
        "Encounter",
        "The active place of a stay is another one",
        transferred,
        _ENCOUNTER,
    ),
    Topic(
        f"{OURS}encounter-cancel",
        "An admission or a discharge was taken back",
        "Encounter",
        "A stay is cancelled or entered in error, or goes on after its end",
        taken_back,
        _ENCOUNTER,
    ),
    Topic(
        f"{GRAVITY}Task",
        "A referral's Task changed",
        "Task",
        "A Task with intent `order` that is no draft is created, updated or deleted",
        order_changed,
        _TASK,
    ),
    Topic(
        f"{GRAVITY}Servicerequest",
        "A referral's ServiceRequest changed",
        "ServiceRequest",
        "A ServiceRequest is updated",
        updated,
        _REQUEST,
    ),
    Topic(
        f"{OURS}clock-due",
        "A deadline has come",
        "Task",
        "A clock of the Task says `due` and did not before",
        fell_due,
        _TASK,
    ),
    Topic(
        f"{OURS}clock-late",
        "A deadline has passed",
        "Task",
        "A clock of the Task says `late` and did not before",
        ran_late,
        _TASK,
    ),
    Topic(
        f"{OURS}careplan",
        "A member's care plan changed",
        "CarePlan",
        "A CarePlan is created, updated or deleted",
        changed,
        _filters("patient", "status", "category"),
    ),
    Topic(
        f"{OURS}careteam",
        "A member's care team changed",
        "CareTeam",
        "A CareTeam is created, updated or deleted",
        changed,
        _filters("patient", "status", "category", "participant"),
    ),
    Topic(
        f"{OURS}coverage",
        "A member's coverage changed",
        "Coverage",
        "A Coverage is created, updated or deleted",
        changed,
        _filters("patient", "status", "payor"),
    ),
    Topic(
        f"{OURS}consent-revoked",
        "A member's consent is not in force any more",
        "Consent",
        "A Consent that was `active` has another status or is deleted",
        revoked,
        _filters("patient", "organization"),
    ),
    Topic(
        f"{OURS}member-merged",
        "Two records were found to be one member",
        "Patient",
        "A Patient has a link `replaced-by` that it did not have",
        merged,
        _filters("_id"),
    ),
)
TOPICS: Mapping[str, Topic] = {topic.url: topic for topic in ROWS}
BY_TYPE: Mapping[str, tuple[Topic, ...]] = {
    kind: tuple(topic for topic in ROWS if topic.type == kind) for kind in dict.fromkeys(row.type for row in ROWS)
}
ADMISSION, DISCHARGE, TRANSFER, CANCEL = (
    f"{OURS}encounter-{name}" for name in ("admission", "discharge", "transfer", "cancel")
)
CONSENT_REVOKED = f"{OURS}consent-revoked"
