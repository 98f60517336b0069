"""Small pieces of FHIR that every mapping of the county makes, and the keys by which its resources are found again.

Rules: a key holds nothing that can be read, for it stands in URLs; two clients of one county may have an episode
of the same number, so the client number is part of every key.
"""

from hashlib import sha256
from typing import Any

from hub.feeds.records import Feed
from hub.fhir.conditional import reference
from hub.fhir.systems import OWN, US_NPI

Element = dict[str, Any]
COUNTY_SYSTEM = OWN + "CodeSystem/county-behavioral-health-system"
COUNTY_FACT = OWN + "CodeSystem/county-behavioral-health-fact"
LEVEL_OF_CARE_EXTENSION = OWN + "StructureDefinition/level-of-care"


def filled(element: Element) -> Element:
    """The element without empty members: FHIR has neither nulls nor empty lists."""
    return {key: value for key, value in element.items() if value not in (None, "", [], {})}


def concept(system: str, code: str, display: str = "", text: str = "") -> Element:
    return filled({"coding": [filled({"system": system, "code": code, "display": display})], "text": text})


def own_identifier(feed: Feed, noun: str, *parts: str) -> Element:
    """The first identifier of a resource: by it the feed finds the resource again."""
    told = "\x1f".join(" ".join(part.casefold().split()) for part in parts)
    return {"system": f"{feed.system}/{noun}", "value": sha256(told.encode()).hexdigest()[:32]}


def to(kind: str, identifier: Element) -> Element:
    """A reference to the resource that has this identifier."""
    return reference(kind, identifier["system"], identifier["value"])


def organization(npi: str) -> Element | None:
    """The provider of the directory with this number; who is not there keeps the subject waiting."""
    return reference("Organization", US_NPI, npi) if npi else None
