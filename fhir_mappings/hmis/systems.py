"""The URIs of what HMIS resources are called by, below the feed's system or the hub's own.

Rules: an HMIS number is unique in its implementation only, so each feed has a system of its own (docs/hmis.md). HUD
publishes no URIs. LOINC 71802-3 is "Housing status".
"""

from typing import Any, Final

from hub.feeds.records import Feed
from hub.fhir.systems import LOINC, OWN, US_CORE_CATEGORY

CODE_SYSTEM = OWN + "CodeSystem/hmis"  # the hub's own words for what is observed
RULES = OWN + "CodeSystem/hmis-homelessness-rule"
VERDICTS = OWN + "CodeSystem/hmis-homelessness"
PROJECT = OWN + "StructureDefinition/hmis-project"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
HOUSING_STATUS: Final = {"system": LOINC, "code": "71802-3", "display": "Housing status"}
SOCIAL_HISTORY: Final = {"system": OBSERVATION_CATEGORY, "code": "social-history", "display": "Social History"}
SURVEY: Final = {"system": OBSERVATION_CATEGORY, "code": "survey", "display": "Survey"}
SDOH: Final = {"system": US_CORE_CATEGORY, "code": "sdoh", "display": "SDOH"}
DISABILITY: Final = {"system": US_CORE_CATEGORY, "code": "disability-status", "display": "Disability Status"}


def of_feed(feed: Feed, noun: str) -> str:
    """The system of the feed's own numbers of a noun, such as `enrollment`."""
    return f"{feed.system}/{noun}"


def own_code(code: str, display: str) -> dict[str, Any]:
    return {"system": CODE_SYSTEM, "code": code, "display": display}
