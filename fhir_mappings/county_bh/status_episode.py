"""Status rows -> EpisodeOfCare: a course of treatment in the county's mental health or substance use system.

Rules: https://hl7.org/fhir/R4/episodeofcare.html; docs/county-bh.md "Status records".
- active while open, finished once closed, entered-in-error where the source took its word back.
- The provider is the managing organization: it holds a relation to its client while the episode is active
  (docs/access.md, EPISODE).
- What was only screened or referred is no episode (status_service_request).
"""

from fhir_mappings.county_bh.elements import (
    COUNTY_SYSTEM,
    Element,
    concept,
    filled,
    organization,
    own_identifier,
    to,
)
from fhir_mappings.county_bh.labels import of_program, security
from fhir_mappings.county_bh.status import CLOSED, Episode, Status
from hub.feeds.records import Feed

EPISODE = "episode"
DISPLAYS = {
    "SMHS": "Specialty Mental Health Services",
    "DMC-ODS": "Drug Medi-Cal Organized Delivery System",
    "DMC": "Drug Medi-Cal",
}


def status_episode(episode: Episode, feed: Feed, patient: str, referral: Element | None) -> Element:
    """`referral`: the identifier of the ServiceRequest that it came from, where one was told."""
    latest = episode.begun[-1]
    return filled(
        {
            "resourceType": "EpisodeOfCare",
            "meta": meta(episode, feed),
            "identifier": [episode_identifier(episode, feed)],
            "status": _status(latest),
            "type": [system_concept(latest.system)],
            "patient": {"reference": patient},
            "managingOrganization": organization(latest.provider),
            "period": filled({"start": latest.opened, "end": latest.closed}),
            "referralRequest": [to("ServiceRequest", referral)] if referral else [],
        }
    )


def episode_identifier(episode: Episode, feed: Feed) -> Element:
    return own_identifier(feed, EPISODE, *episode.key)


def meta(episode: Episode, feed: Feed) -> Element:
    """The labels of all that was ever said of the episode."""
    codes = {code for one in episode.told for code in of_program(feed, one.system, one.part2_program)}
    return {"security": security(codes)}


def system_concept(system: str) -> Element:
    return concept(COUNTY_SYSTEM, system, DISPLAYS[system])


def _status(latest: Status) -> str:
    if latest.deleted:
        return "entered-in-error"
    return "finished" if latest.status == CLOSED else "active"
