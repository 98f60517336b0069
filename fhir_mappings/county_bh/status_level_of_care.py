"""Status rows -> Observation: the level of care (ASAM) of an episode, one for each level that was told.

Rules: https://hl7.org/fhir/R4/observation.html; docs/county-bh.md "Level of care". The levels are written as the
county writes them: no code system of the ASAM levels is published for use here, and none is invented.
"""

from collections.abc import Iterator

from fhir_mappings.county_bh.elements import COUNTY_FACT, Element, concept, filled, own_identifier
from fhir_mappings.county_bh.status import Episode, Status
from fhir_mappings.county_bh.status_episode import meta
from hub.feeds.records import Feed

CATEGORY = concept("http://terminology.hl7.org/CodeSystem/observation-category", "survey", "Survey")
LEVEL_OF_CARE = concept(COUNTY_FACT, "level-of-care", "Level of care (ASAM)")


def status_levels_of_care(episode: Episode, feed: Feed, patient: str) -> Iterator[Element]:
    for level in dict.fromkeys(one.level_of_care for one in episode.told if one.level_of_care):
        told = [one for one in episode.told if one.level_of_care == level]
        yield _observation(level, told, episode, feed, patient)


def _observation(level: str, told: list[Status], episode: Episode, feed: Feed, patient: str) -> Element:
    stands = [one for one in told if not one.deleted]
    is_error = not stands or episode.latest.deleted
    return filled(
        {
            "resourceType": "Observation",
            "meta": meta(episode, feed),
            "identifier": [own_identifier(feed, "level-of-care", *episode.key, level)],
            "status": "entered-in-error" if is_error else "final",
            "category": [CATEGORY],
            "code": LEVEL_OF_CARE,
            "subject": {"reference": patient},
            "effectiveDateTime": (stands or told)[0].as_of,
            "valueCodeableConcept": {"text": level},
        }
    )
