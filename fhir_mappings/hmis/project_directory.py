"""Organization.csv, Project.csv, ProjectCoC.csv -> Organization and Location.

Rules: HUD 2.01 to 2.03. A project is a Location, managed by its organization: that is what an EHR shows of where
somebody stays. Its address is that of the first ProjectCoC row which has a street, and of none where a victim
service provider runs the project, where it is for survivors of domestic violence, or where no export said who runs
it: such addresses are confidential.
A row that was taken back, or a project whose operation ended, is inactive.
Refuses: a project type without a row (Unmapped).
"""

from collections.abc import Mapping
from typing import Any

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.enrollment_episode import organization
from fhir_mappings.hmis.labels import is_of_victims
from fhir_mappings.hmis.systems import of_feed
from hub.feeds.records import Kept, Resource, Subject

Values = Mapping[str, Any]


def directory(subject: Subject) -> list[Resource]:
    """The entry of an organization or a project. Raises Unmapped."""
    organizations = [_organization(row, subject) for row in subject.rows if row.kind == "Organization"]
    return organizations + [_location(row, subject) for row in subject.rows if row.kind == "Project"]


def _organization(row: Kept, subject: Subject) -> Resource:
    made: Resource = {
        "resourceType": "Organization",
        "identifier": [{"system": of_feed(subject.feed, "organization"), "value": row.key}],
        "active": not row.deleted,
        "name": row.values["OrganizationName"],
    }
    common = row.values.get("OrganizationCommonName")
    return made | ({"alias": [common]} if common and common != made["name"] else {})


def _location(row: Kept, subject: Subject) -> Resource:
    values = row.values
    made: Resource = {
        "resourceType": "Location",
        "identifier": [{"system": of_feed(subject.feed, "project"), "value": row.key}],
        "status": "active" if is_operating(row) else "inactive",
        "mode": "instance",
        "name": values["ProjectName"],
        "managingOrganization": organization(values["OrganizationID"], subject.feed),
    }
    if kind := values.get("ProjectType"):
        made["type"] = [code_lists.concept("2.02.6", kind, "ProjectType")]
    if address := None if is_confidential(values) else _address(subject):
        made["address"] = address
    return made


def is_operating(row: Kept) -> bool:
    """On the day on which the row was written."""
    end = row.values.get("OperatingEndDate", "")
    return not row.deleted and not (end and end <= row.values["DateUpdated"][:10])


def is_confidential(project: Values) -> bool:
    """Unless somebody said that it is not."""
    return is_of_victims(project) or project.get("VictimServiceProvider") != "0"


def _address(subject: Subject) -> Resource:
    row = next((row for row in subject.of("ProjectCoC") if row.values.get("Address1")), None)
    if row is None:
        return {}
    lines = [line for name in ("Address1", "Address2") if (line := row.values.get(name))]
    said = {"line": lines, "city": "City", "state": "State", "postalCode": "Zip"}
    found = {key: row.values.get(name) if isinstance(name, str) else name for key, name in said.items()}
    return {"use": "work", **{key: value for key, value in found.items() if value}}
