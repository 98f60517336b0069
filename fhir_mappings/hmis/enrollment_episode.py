"""Enrollment.csv and Exit.csv -> EpisodeOfCare.

Rules: https://hl7.org/fhir/R4/episodeofcare.html; HUD 3.10 Project Start Date, 3.11 Project Exit Date.
- Active from the entry on; with an exit finished, and the time before is its history. An exit date that lay ahead
  when the row was written is a plan: the episode is active and its period ends then.
- The type is the project's (HUD 2.02.6); the organization that runs the project manages the episode. A client of
the hub that is this organization has a relation to the member while the episode is active (docs/access.md).
- An enrolment whose project no export has brought yet waits.
Refuses: a project type without a row (Unmapped).
"""

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import PROJECT, ClientRows, day
from fhir_mappings.hmis.labels import labelled
from fhir_mappings.hmis.systems import PROJECT as PROJECT_EXTENSION
from fhir_mappings.hmis.systems import of_feed
from hub.feeds.records import Feed, Kept, Resource, Waiting
from hub.fhir.conditional import reference

NOUN = "enrollment"


def episode(row: Kept, rows: ClientRows, patient: str) -> Resource:
    """The enrolment. Raises Waiting, Unmapped."""
    feed = rows.subject.feed
    project = rows.row(PROJECT, row.key)
    if project is None:
        raise Waiting("no export has brought the project of an enrolment", "ProjectID")
    made: Resource = {
        "resourceType": "EpisodeOfCare",
        "identifier": [{"system": of_feed(feed, NOUN), "value": row.key}],
        **_times(row, rows),
        "patient": {"reference": patient},
        "managingOrganization": organization(project.values["OrganizationID"], feed),
        "extension": [{"url": PROJECT_EXTENSION, "valueReference": location(project.values["ProjectID"], feed)}],
    }
    if kind := project.values.get("ProjectType"):
        made["type"] = [code_lists.concept("2.02.6", kind, "ProjectType")]
    return labelled(made, rows.labels_of(row))


def _times(row: Kept, rows: ClientRows) -> Resource:
    entry = row.values["EntryDate"]
    left = rows.exit_of(row.key)
    if left is None:
        return {"status": "active" if rows.counts(row) else "entered-in-error", "period": {"start": entry}}
    end = left.values["ExitDate"]
    period = {"start": entry, "end": max(entry, end)}
    if not rows.counts(row):
        return {"status": "entered-in-error", "period": period}
    if end > day(left, "DateUpdated"):
        return {"status": "active", "period": period}
    return {"status": "finished", "statusHistory": [{"status": "active", "period": period}], "period": period}


def organization(identity: str, feed: Feed) -> Resource:
    return reference("Organization", of_feed(feed, "organization"), identity)


def location(identity: str, feed: Feed) -> Resource:
    return reference("Location", of_feed(feed, "project"), identity)
