"""An EpisodeOfCare of a county -> CareTeam: the program that treats, and the county that is responsible.

Rules: https://hl7.org/fhir/R4/careteam.html, US Core 6.1.0 CareTeam; docs/access.md, TEAM: both have to do with the
client while the episode is open. The county is there where its feed names its organization.
"""

from collections.abc import Iterator

from fhir_mappings.county_bh.elements import Element, filled, own_identifier, to
from hub.feeds.records import Feed

STATUS = {"active": "active", "finished": "inactive", "entered-in-error": "entered-in-error"}
PROGRAM, COUNTY = {"text": "Treating program"}, {"text": "County behavioral health"}


def with_team(episode: Element, feed: Feed) -> Iterator[Element]:
    """The episode, and its team where somebody is on it."""
    team = care_team(episode, feed)
    if team is None:
        yield episode
        return
    yield team
    yield {**episode, "team": [to("CareTeam", team["identifier"][0])]}


def care_team(episode: Element, feed: Feed) -> Element | None:
    """None where nobody is on it."""
    program = episode.get("managingOrganization")
    county = {"reference": feed.organization} if feed.organization else None
    participants = [
        {"role": [role], "member": member} for role, member in ((PROGRAM, program), (COUNTY, county)) if member
    ]
    if not participants:
        return None
    return filled(
        {
            "resourceType": "CareTeam",
            "meta": episode["meta"],
            "identifier": [team_identifier(episode, feed)],
            "status": STATUS[episode["status"]],
            "subject": episode["patient"],
            "period": episode.get("period"),
            "participant": participants,
            "managingOrganization": [county] if county else [],
        }
    )


def team_identifier(episode: Element, feed: Feed) -> Element:
    first = episode["identifier"][0]
    return own_identifier(feed, "care-team", first["system"], first["value"])
