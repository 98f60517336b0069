"""A client's CalOMS-style rows -> everything that they say: episodes and what each record tells of them."""

from collections.abc import Iterator

from fhir_mappings.county_bh.caloms import treatments
from fhir_mappings.county_bh.caloms_episode import caloms_episode
from fhir_mappings.county_bh.caloms_observations import caloms_observations
from fhir_mappings.county_bh.care_team import with_team
from hub.feeds.records import Resource, Subject


def caloms_resources(subject: Subject, patient: str) -> list[Resource]:
    """All resources of one client. Raises Unmapped."""
    return list(_of(subject, patient))


def _of(subject: Subject, patient: str) -> Iterator[Resource]:
    for treatment in treatments(subject):
        yield from with_team(caloms_episode(treatment, subject.feed, patient), subject.feed)
        yield from caloms_observations(treatment, subject.feed, patient)
