"""References and pieces that all mappings of the plan's tables make. Pure.

Rules: docs/plan-workbooks.md "Providers". The hub makes no Organization of a provider: who may see a panel is said
by a person, who registers it. A care manager of a file is a Practitioner of that feed.
"""

from typing import Any

from fhir_mappings.plan.workbook_keys import Values, lead_key, provider_key
from fhir_mappings.plan.x12_elements import Element, coding, filled, own_identifier
from hub.feeds.records import Feed
from hub.fhir.conditional import reference
from hub.fhir.systems import US_NPI

__all__ = ["Element", "coding", "filled", "own_identifier"]


def organization(named: str) -> Element:
    """A reference to an Organization that is there: by its NPI, or as the feed says it."""
    return reference("Organization", US_NPI, named) if named.isdigit() else {"reference": named}


def provider(values: Values, feed: Feed, is_sender: bool = False) -> Element:
    """The provider of a row, empty where nobody says who it is. `is_sender`: it is who sends the feed."""
    named = provider_key(values, feed) or (feed.organization if is_sender else "")
    if not named:
        return {}
    return filled({**organization(named), "display": values.get("provider_name")})


def plan(feed: Feed, values: Values, is_sender: bool = True) -> Element:
    """The health plan: who sends the feed, else what the feed says of it, else its name in the row."""
    named = str(feed.options.get("plan") or (feed.organization if is_sender else ""))
    if named:
        return filled({**organization(named), "display": values.get("plan_name")})
    return {"display": str(values.get("plan_name") or feed.name)}


def lead(values: Values, feed: Feed) -> Element:
    """A reference to the care manager, empty where the row names none."""
    key = lead_key(values)
    if not key:
        return {}
    found = own_identifier(feed, "care-manager", key)
    return filled(
        {**reference("Practitioner", found["system"], found["value"]), "display": values.get("lead_name")}
    )


def period(start: Any, end: Any) -> Element:
    """Of an end before the start only the start is said: a period cannot have both."""
    return filled({"start": start, "end": end if not (start and end) or end >= start else None})


def concept(system: str, code: str, display: str = "", text: str = "") -> Element:
    return filled({"coding": [coding(system, code, display)] if code else [], "text": text})
