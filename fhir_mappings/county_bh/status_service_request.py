"""Status rows -> ServiceRequest: a screening that points to the county, or a referral to it.

Rules: https://hl7.org/fhir/R4/servicerequest.html, US Core 6.1.0 ServiceRequest; docs/county-bh.md.
- screened: a proposal, in draft: the county was found to be the right door, nobody was asked yet. referred: an
  order, active. Once the same system (and provider, where the referral names one) has opened an episode:
  completed.
- The provider is the performer, and so is the county where its feed names its organization: they have to do with
  the client while the referral is active (docs/access.md, REFERRAL).
"""

from collections.abc import Sequence

from fhir_mappings.county_bh.elements import Element, filled, organization, own_identifier
from fhir_mappings.county_bh.status import SCREENED, Episode, Status
from fhir_mappings.county_bh.status_episode import meta, system_concept
from hub.feeds.records import Feed
from hub.fhir.systems import US_CORE

REFERRAL = "referral"
PROFILE = f"{US_CORE}us-core-servicerequest"


def status_service_request(episode: Episode, all_episodes: Sequence[Episode], feed: Feed, patient: str) -> Element:
    """For an Episode with a referral (`asked`)."""
    told = episode.asked
    latest = told[-1]
    return filled(
        {
            "resourceType": "ServiceRequest",
            "meta": {"profile": [PROFILE], **meta(episode, feed)},
            "identifier": [referral_identifier(episode, feed)],
            "status": _status(episode, latest, all_episodes),
            "intent": "proposal" if latest.status == SCREENED else "order",
            "code": system_concept(latest.system),
            "subject": {"reference": patient},
            "authoredOn": min(one.opened or one.as_of for one in told),
            "performer": _performers(latest, feed),
        }
    )


def _performers(latest: Status, feed: Feed) -> list[Element]:
    """The program, and the county that sends there."""
    program = organization(latest.provider)
    return [*([program] if program else []), *([{"reference": feed.organization}] if feed.organization else [])]


def referral_identifier(episode: Episode, feed: Feed) -> Element:
    return own_identifier(feed, REFERRAL, *episode.key)


def _status(episode: Episode, latest: Status, all_episodes: Sequence[Episode]) -> str:
    if latest.deleted:
        return "entered-in-error"
    if any(_answers(other, latest) for other in (episode, *all_episodes)):
        return "completed"
    return "draft" if latest.status == SCREENED else "active"


def _answers(other: Episode, referral: Status) -> bool:
    """Whether this episode is what the referral asked for."""
    if not other.begun or (begun := other.begun[-1]).deleted:
        return False
    fits = begun.system == referral.system and referral.provider in ("", begun.provider)
    return fits and begun.as_of >= referral.as_of
