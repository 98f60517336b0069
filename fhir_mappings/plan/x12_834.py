"""The rows of an 834 -> the plan's Organization; a member's Patient and Coverages.

Rules: docs/plan-834.md; member_patient.py, member_coverage.py
- The plan's word makes the Patient that everybody sees (`owner`).
- A member whom a full file no longer names, or who is terminated, stays a person: only the coverages end.
Refuses (Waiting): a termination of a member who never was added.
"""

from collections.abc import Sequence

from fhir_mappings.plan import member_patient
from fhir_mappings.plan.member_coverage import TERMINATED, coverage
from fhir_mappings.plan.x12_elements import EMPLOYER_NUMBER, Element, own_identifier, typed_identifier
from hub.feeds.records import Kept, Resource, Said, Subject, Waiting
from hub.fhir.systems import ORGANIZATION_TYPE

_PAYER = {"coding": [{"system": ORGANIZATION_TYPE, "code": "pay", "display": "Payer"}]}


def said(subject: Subject) -> Said | None:
    """The member; None of the plan itself."""
    member = _member(subject)
    if member is None:
        return None
    if member.values["maintenance"] == TERMINATED and not any(row.kind == "enrolled" for row in subject.rows):
        raise Waiting("terminated before it was added", "INS03")
    feed = subject.feed
    told = member_patient.patient(member.values, feed)
    return Said(subject.key, told, member_patient.strong(feed), shared=True, owner=True)


def about(subject: Subject) -> str | None:
    return None


def resources(subject: Subject, patient: str) -> Sequence[Resource]:
    member = _member(subject)
    if member is None:
        return [_organization(row, subject) for row in subject.of("plan")]
    is_gone = member.deleted or member.values["maintenance"] == TERMINATED
    rows = [row for row in subject.rows if row.kind == "coverage"]
    newest = max((row.values["start"] for row in rows if not row.deleted), default="")
    return [
        coverage(row, member.values, is_gone, row.values["start"] == newest, patient, subject.feed) for row in rows
    ]


def _member(subject: Subject) -> Kept | None:
    return next((row for row in subject.rows if row.kind == "member"), None)


def _organization(row: Kept, subject: Subject) -> Element:
    number = row.values["number"]
    published = [typed_identifier("TAX", EMPLOYER_NUMBER, number)] if row.values.get("qualifier") == "FI" else []
    return {
        "resourceType": "Organization",
        "identifier": [own_identifier(subject.feed, "organization", number), *published],
        "active": True,
        "type": [_PAYER],
        "name": row.values.get("name") or number,
    }
