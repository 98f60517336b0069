"""Status rows -> US Core Condition (encounter diagnosis): only what the county says is a diagnosis.

Rules: https://hl7.org/fhir/R4/condition.html; ICD-10-CM as it is written. That somebody is a client of a system
is no diagnosis. It is active while the episode is; what became of it afterwards nobody says. A diagnosis that
newer rows of its episode no longer name is inactive; one that was taken back is entered-in-error.
"""

from collections.abc import Iterator

from fhir_mappings.county_bh.elements import Element, concept, filled, own_identifier
from fhir_mappings.county_bh.status import CLOSED, Episode
from fhir_mappings.county_bh.status_episode import meta
from hub.feeds.records import Feed
from hub.fhir.systems import CONDITION_CATEGORY, CONDITION_CLINICAL, CONDITION_VER_STATUS, ICD_10_CM, US_CORE

PROFILE = f"{US_CORE}us-core-condition-encounter-diagnosis"
ENTERED_IN_ERROR = concept(CONDITION_VER_STATUS, "entered-in-error")


def status_conditions(episode: Episode, feed: Feed, patient: str) -> Iterator[Element]:
    for code in dict.fromkeys(code for one in episode.told for code in one.diagnoses):
        told = [one for one in episode.told if code in one.diagnoses]
        is_error = episode.latest.deleted or all(one.deleted for one in told)
        yield filled(
            {
                "resourceType": "Condition",
                "meta": {"profile": [PROFILE], **meta(episode, feed)},
                "identifier": [own_identifier(feed, "diagnosis", *episode.key, code)],
                "clinicalStatus": None if is_error else _clinical_status(episode, code),
                "verificationStatus": ENTERED_IN_ERROR if is_error else None,
                "category": [concept(CONDITION_CATEGORY, "encounter-diagnosis")],
                "code": concept(ICD_10_CM, code),
                "subject": {"reference": patient},
                "recordedDate": told[0].as_of,
            }
        )


def _clinical_status(episode: Episode, code: str) -> Element | None:
    named = [one for one in episode.standing if one.diagnoses]  # a row without diagnoses says nothing of them
    if code not in named[-1].diagnoses:
        return concept(CONDITION_CLINICAL, "inactive")
    return None if episode.standing[-1].status == CLOSED else concept(CONDITION_CLINICAL, "active")
