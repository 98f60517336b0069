"""A subject of an HMIS export -> whose it is, and its resources but the Patient.

Rules: docs/hmis.md: all rows about one client are one subject, so that the order of files and lines does not
matter. An organization and a project are subjects of the directory; users of the HMIS are kept, and not mapped.
Refuses: rows of a client whom no export has brought (Waiting), codes without a row (Unmapped).
"""

from fhir_mappings.hmis.assessment import assessments
from fhir_mappings.hmis.client_facts import client_facts
from fhir_mappings.hmis.client_patient import NOUN, patient
from fhir_mappings.hmis.client_rows import ENROLLMENT, ClientRows
from fhir_mappings.hmis.disability import disabilities
from fhir_mappings.hmis.domestic_violence import domestic_violence
from fhir_mappings.hmis.enrollment_episode import episode
from fhir_mappings.hmis.event_referral import referrals
from fhir_mappings.hmis.homelessness_observation import homelessness
from fhir_mappings.hmis.living_situation import situations
from fhir_mappings.hmis.project_directory import directory
from fhir_mappings.hmis.systems import of_feed
from hub.feeds.records import Resource, Said, Subject, Waiting

CLIENT = "client|"


def said(subject: Subject) -> Said | None:
    """The person; None for the directory. Raises Waiting."""
    if not subject.key.startswith(CLIENT):
        return None
    row = ClientRows(subject).client
    if row is None:
        raise Waiting("no export has brought the client of these rows", "PersonalID")
    strong = {of_feed(subject.feed, NOUN): "hmis"}
    return Said(row.key, patient(row.values, subject.feed), strong, shared=False)


def about(subject: Subject) -> str | None:
    """Nobody: a client says who it is."""
    return None


def resources(subject: Subject, reference: str) -> list[Resource]:
    """What the rows are. Raises Waiting, Unmapped."""
    if not subject.key.startswith(CLIENT):
        return directory(subject)
    rows = ClientRows(subject)
    return [
        *(episode(row, rows, reference) for row in rows.all(ENROLLMENT)),
        *situations(rows, reference),
        *disabilities(rows, reference),
        *domestic_violence(rows, reference),
        *client_facts(rows, reference),
        *assessments(rows, reference),
        *referrals(rows, reference),
        *homelessness(rows, reference),
    ]
