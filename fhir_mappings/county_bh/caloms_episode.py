"""CalOMS-style admission and discharge -> EpisodeOfCare.

Rules: https://hl7.org/fhir/R4/episodeofcare.html. active from the admission on, finished by a discharge,
entered-in-error where the admission was taken back. A discharge alone tells of an episode, too: it names its day of
admission.
"""

from fhir_mappings.county_bh.caloms import Treatment
from fhir_mappings.county_bh.caloms_tables import coded, items
from fhir_mappings.county_bh.elements import Element, filled, organization, own_identifier
from fhir_mappings.county_bh.labels import PROGRAM, security
from hub.feeds.records import Feed

META = {"security": security(PROGRAM)}
SERVICE_TYPE = next(item for item in items() if item.element == "ADM-4")


def caloms_episode(treatment: Treatment, feed: Feed, patient: str) -> Element:
    """Raises Unmapped."""
    records = treatment.records
    admission, discharge = treatment.admission, treatment.discharge
    told = admission or discharge or records[-1]
    service = told.text("service_type")
    return filled(
        {
            "resourceType": "EpisodeOfCare",
            "meta": META,
            "identifier": [own_identifier(feed, "treatment", *treatment.key)],
            "status": _status(treatment),
            "type": [coded(feed, SERVICE_TYPE, service)] if service else [],
            "patient": {"reference": patient},
            "managingOrganization": organization(told.text("provider_org_npi")),
            "period": filled(
                {
                    "start": told.text("admission_date"),
                    "end": discharge.text("discharge_date") if discharge else "",
                }
            ),
        }
    )


def _status(treatment: Treatment) -> str:
    if all(record.deleted for record in treatment.records) or _lost_its_admission(treatment):
        return "entered-in-error"
    return "finished" if treatment.discharge else "active"


def _lost_its_admission(treatment: Treatment) -> bool:
    admissions = [record for record in treatment.records if record.type == "admission"]
    return bool(admissions) and admissions[-1].deleted
