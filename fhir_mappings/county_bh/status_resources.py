"""A client's status rows -> everything that they say: referrals, episodes, levels of care, diagnoses."""

from collections.abc import Iterator

from fhir_mappings.county_bh.care_team import with_team
from fhir_mappings.county_bh.elements import Element
from fhir_mappings.county_bh.status import Episode, episodes
from fhir_mappings.county_bh.status_condition import status_conditions
from fhir_mappings.county_bh.status_episode import status_episode
from fhir_mappings.county_bh.status_level_of_care import status_levels_of_care
from fhir_mappings.county_bh.status_service_request import referral_identifier, status_service_request
from hub.feeds.records import Feed, Resource, Subject


def status_resources(subject: Subject, patient: str) -> list[Resource]:
    """All resources of one client."""
    found = episodes(subject)
    return [one for episode in found for one in _of_episode(episode, found, subject.feed, patient)]


def _of_episode(episode: Episode, found: list[Episode], feed: Feed, patient: str) -> Iterator[Element]:
    referral = referral_identifier(episode, feed) if episode.asked else None
    if referral:
        yield status_service_request(episode, found, feed, patient)
    if episode.begun:
        yield from with_team(status_episode(episode, feed, patient, referral), feed)
    yield from status_levels_of_care(episode, feed, patient)
    yield from status_conditions(episode, feed, patient)
