"""Subjects of invented clients, by the rows that matter."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from fhir_mappings.hmis import subjects
from fhir_mappings.hmis.client_rows import ClientRows
from hub.feeds.records import Feed, Kept, Subject

FEED = Feed("example-hmis", "hmis", "https://hmis.example/coc")
WRITTEN = "2026-03-01T09:00:00"
CLIENT = {"PersonalID": "c-1", "FirstName": "Robin", "LastName": "Testperson-Alder", "NameDataQuality": "1",
          "DOB": "1980-02-15", "DOBDataQuality": "1", "SSNDataQuality": "99", "VeteranStatus": "0"}  # fmt: skip
PROJECT = {"ProjectID": "p-1", "OrganizationID": "org-1", "ProjectName": "Example Shelter", "ProjectType": "0",
           "VictimServiceProvider": "0"}  # fmt: skip
KEYS = {"Client": "PersonalID", "Enrollment": "EnrollmentID", "Exit": "ExitID", "Disabilities": "DisabilitiesID",
        "CurrentLivingSituation": "CurrentLivingSitID", "HealthAndDV": "HealthAndDVID", "Services": "ServicesID",
        "IncomeBenefits": "IncomeBenefitsID", "Assessment": "AssessmentID", "Event": "EventID",
        "AssessmentResults": "AssessmentResultID"}  # fmt: skip
USUAL = {"PersonalID": "c-1", "EnrollmentID": "e-1", "DateUpdated": WRITTEN, "DateCreated": WRITTEN}

Rows = Sequence[tuple[str, Mapping[str, str]]]


def kept(kind: str, values: Mapping[str, str], number: int = 1, gone: bool = False) -> Kept:
    """`gone`: no more in a full export. A row with a DateDeleted was taken back."""
    if kind == "EnrollmentProject":
        return Kept(kind, values.get("EnrollmentID", "e-1"), {**PROJECT, **values}, "export.zip", 2)
    base = CLIENT if kind == "Client" else {}
    own = {KEYS[kind]: f"{kind.lower()}-{number}"} if kind not in ("Client", "Enrollment") else {}
    found = {**USUAL, **base, **own, **values}
    if kind == "Client":
        found.pop("EnrollmentID")
    return Kept(
        kind, found[KEYS[kind]], found, "export.zip", number + 1, f"{kind}.csv", gone or "DateDeleted" in found
    )


def subject(*rows: tuple[str, Mapping[str, str]] | Kept, feed: Feed = FEED) -> Subject:
    """A client, with a project for each enrolment that has none."""
    found = [row if isinstance(row, Kept) else kept(*row, number) for number, row in enumerate(rows, 1)]
    there = {(row.kind, row.key) for row in found}
    if ("Client", "c-1") not in there:
        found.append(kept("Client", {}))
    named = {row.values["EnrollmentID"] for row in found if row.kind == "Enrollment"}
    found += [kept("EnrollmentProject", {"EnrollmentID": one}) for one in named
              if ("EnrollmentProject", one) not in there]  # fmt: skip
    return Subject(feed, "client|c-1", sorted(found, key=lambda row: (row.kind, row.key)))


def enrolled(entry: str = "2026-02-01", project: Mapping[str, str] | None = None, **more: str) -> list[Kept]:
    """An enrolment and its project."""
    identity = more.get("EnrollmentID", "e-1")
    return [
        kept("Enrollment", {"EntryDate": entry, "ProjectID": "p-1", **more}),
        kept("EnrollmentProject", {"EnrollmentID": identity, **(project or {})}),
    ]


def resources(one: Subject) -> list[dict[str, Any]]:
    return subjects.resources(one, "Patient/p1")


def of(one: Subject, noun: str) -> list[dict[str, Any]]:
    """The resources whose number is of this noun."""
    system = f"{one.feed.system}/{noun}"
    return [made for made in resources(one) if made["identifier"][0]["system"] == system]


def rows(one: Subject) -> ClientRows:
    return ClientRows(one)


def security(made: Mapping[str, Any]) -> list[str]:
    return [one["code"] for one in made["meta"]["security"]]


def day(text: str) -> date:
    return date.fromisoformat(text)
