"""The words of ECM's life cycle: what marks an enrolment and an attempt of outreach, and the reasons. Pure.

Rules: CalAIM ECM Policy Guide (2021): "Requirement to Track Outreach to Inform ECM Rate Development" (three
methods), "Circumstances for Discontinuing ECM" (four reasons), "Transitioning Members from ECM" (to a lower level
of care management; which levels there are it does not say). Official codes are published for none of these: the
systems are the hub's own, and a deployment adds what its plans use (HUB_TERMINOLOGY_DIR).
"""

from collections.abc import Mapping
from typing import Any

from hub.fhir.systems import OWN, PROGRAM, REPORTED

Resource = dict[str, Any]
Node = Mapping[str, Any]

ECM = "ecm"  # of PROGRAM: EpisodeOfCare.type
OUTREACH = ("outreach-attempt", "Outreach attempt")  # of REPORTED: Encounter.type, Communication.category

DISCONTINUATION = OWN + "CodeSystem/ecm-discontinuation-reason"
LEVEL = OWN + "CodeSystem/care-management-level"
METHOD = OWN + "CodeSystem/outreach-method"
STAFF = OWN + "CodeSystem/outreach-staff"
DISCONTINUATION_EXTENSION = OWN + "StructureDefinition/discontinuation-reason"
LEVEL_EXTENSION = OWN + "StructureDefinition/lower-level-of-care-management"
METHOD_EXTENSION = OWN + "StructureDefinition/outreach-method"
STAFF_EXTENSION = OWN + "StructureDefinition/outreach-staff"
TIME_EXTENSION = OWN + "StructureDefinition/outreach-time"
ENGAGEMENT_EXTENSION = OWN + "StructureDefinition/member-engagement"
PARTICIPATION_MODE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
UCUM = "http://unitsofmeasure.org"

LOWER_LEVEL = "lower-level"  # the reason that says to which level the member goes
IN_PERSON, TELEPHONIC, ELECTRONIC = METHODS = ("in-person", "telephonic", "electronic")

PLANNED, WAITLIST, ACTIVE, ONHOLD = OPEN = ("planned", "waitlist", "active", "onhold")
FINISHED, CANCELLED, VOID = "finished", "cancelled", "entered-in-error"
STATUSES = (*OPEN, FINISHED, CANCELLED, VOID)
TARGETED, ENROLLED = frozenset((PLANNED, WAITLIST)), frozenset((ACTIVE, ONHOLD))
OVER = frozenset((FINISHED, CANCELLED, VOID))


def codes(concepts: Any, system: str) -> list[str]:
    """The codes of this system in a CodeableConcept, or in a list of them."""
    found: list[str] = []
    for concept in concepts if isinstance(concepts, list) else [concepts]:
        codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
        found += [str(one.get("code", "")) for one in codings if one.get("system") == system]
    return found


def extension(resource: Node, url: str) -> Any:
    """The value of an extension, or None."""
    for one in resource.get("extension", ()):
        if isinstance(one, dict) and one.get("url") == url:
            return next((value for name, value in one.items() if name.startswith("value")), None)
    return None


def is_enrolment(episode: Node | None) -> bool:
    """An EpisodeOfCare of ECM."""
    return ECM in codes((episode or {}).get("type"), PROGRAM)


def discontinuation(episode: Node) -> list[str]:
    """The codes of its reason."""
    return codes(extension(episode, DISCONTINUATION_EXTENSION), DISCONTINUATION)


def is_attempt(resource: Node | None) -> bool:
    """An Encounter or Communication that says it is an attempt of outreach."""
    found: Node = resource or {}
    element = {"Encounter": "type", "Communication": "category"}.get(str(found.get("resourceType")), "")
    return bool(element) and OUTREACH[0] in codes(found.get(element), REPORTED)
