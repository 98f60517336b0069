"""The screening and transition-of-care tools of Medi-Cal mental health, as far as they are known.

Rules: DHCS APL 22-028: the tools decide between the plan's and the county's mental health services; they are PDF
forms. Their items and how they are scored are not published as data, so the Questionnaire here is a shell, and its
items come from a deployment (`options.questionnaires` of the feed: {tool: {title, version, item}}). Nothing is
computed from answers.
"""

from collections.abc import Mapping

from fhir_mappings.county_bh.elements import Element, filled
from hub.feeds.records import Feed
from hub.fhir.systems import OWN

TOOLS: Mapping[str, str] = {
    "adult-screening": "Adult Screening Tool for Medi-Cal Mental Health Services",
    "youth-screening": "Youth Screening Tool for Medi-Cal Mental Health Services",
    "transition-of-care": "Transition of Care Tool for Medi-Cal Mental Health Services",
}
QUESTIONNAIRE = "questionnaire"  # kind of rows


def questionnaire(feed: Feed, tool: str, local: Mapping[str, object]) -> Element:
    """The shell with the items of the deployment; without any it is a draft."""
    items = local.get("item") or []
    return filled(
        {
            "resourceType": "Questionnaire",
            "identifier": [{"system": f"{feed.system}/questionnaire", "value": tool}],
            "url": url_of(tool),
            "version": local.get("version"),
            "title": local.get("title") or TOOLS[tool],
            "status": "active" if items else "draft",
            "subjectType": ["Patient"],
            "item": items,
        }
    )


def url_of(tool: str) -> str:
    return f"{OWN}Questionnaire/{tool}"
