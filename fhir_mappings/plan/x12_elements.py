"""Small pieces of FHIR that the plan's X12 mappings make, and the keys by which their resources are found again.

Rules: a key holds nothing that can be read, for it stands in URLs.
"""

from hashlib import sha256
from typing import Any

from hub.feeds.records import Feed
from hub.fhir.systems import OWN, V2_0203

Element = dict[str, Any]
MEMBER_CLASS = OWN + "CodeSystem/medi-cal-coverage-class"
RENEWAL_MONTH = OWN + "StructureDefinition/medi-cal-renewal-month"
CPT = "http://www.ama-assn.org/go/cpt"
US_MBI = "http://hl7.org/fhir/sid/us-mbi"
EMPLOYER_NUMBER = "urn:oid:2.16.840.1.113883.4.4"  # of the Internal Revenue Service


def filled(element: Element) -> Element:
    """The element without empty members: FHIR has neither nulls nor empty lists."""
    return {key: value for key, value in element.items() if value not in (None, "", [], {})}


def concept(system: str, code: str, display: str = "", text: str = "") -> Element:
    return filled({"coding": [coding(system, code, display)], "text": text})


def coding(system: str, code: str, display: str = "") -> Element:
    return filled({"system": system, "code": code, "display": display})


def own_identifier(feed: Feed, noun: str, *parts: str) -> Element:
    """The first identifier of a resource: by it the feed finds the resource again."""
    return {"system": f"{feed.system}/{noun}", "value": sha256("\x1f".join(parts).encode()).hexdigest()[:32]}


def typed_identifier(type_code: str, system: str, value: str) -> Element:
    return filled({"type": concept(V2_0203, type_code), "system": system, "value": value})
