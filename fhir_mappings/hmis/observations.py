"""What all observations of HMIS have in common.

Rules: US Core 6.1.0 Simple Observation and Screening and Assessment: category, code, subject, effective. What a
client told of itself has the client as performer. A row that was taken back becomes entered-in-error.
Pure. Refuses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir_mappings.hmis.labels import labelled
from fhir_mappings.hmis.systems import SDOH, SOCIAL_HISTORY, of_feed
from hub.feeds.records import Feed, Resource
from hub.fhir.conditional import reference

Element = dict[str, Any]
FINAL, PRELIMINARY, ERROR = "final", "preliminary", "entered-in-error"


def observation(
    feed: Feed,
    noun: str,
    key: str,
    patient: str,
    *,
    code: Sequence[Mapping[str, str]],
    effective: str,
    value: Element,
    labels: Iterable[str],
    status: str = FINAL,
    categories: Sequence[Mapping[str, str]] = (SOCIAL_HISTORY, SDOH),
) -> Resource:
    """`value` is `valueX`, `dataAbsentReason` and what else the caller has; `code` the codings, the words of the
    first are its text."""
    made: Resource = {
        "resourceType": "Observation",
        "identifier": [{"system": of_feed(feed, noun), "value": key}],
        "status": status,
        "category": [{"coding": [dict(one)]} for one in categories],
        "code": {"coding": [dict(one) for one in code], "text": code[0]["display"]},
        "subject": {"reference": patient},
        "effectiveDateTime": effective,
        "performer": [{"reference": patient}],
        **value,
    }
    return labelled(made, labels)


def observed(feed: Feed, noun: str, key: str) -> Element:
    """A reference to such an observation."""
    return reference("Observation", of_feed(feed, noun), key)


def component(code: Mapping[str, str], value: Element) -> Element:
    return {"code": {"coding": [dict(code)], "text": code["display"]}, **value}
