"""The rows of a claim -> Encounter, Conditions, Procedures of a member whom the plan's 834 brought.

Rules: docs/plan-837.md (and why not ExplanationOfBenefit); encounter_versions.py, encounter_visit.py,
encounter_services.py
"""

from collections.abc import Sequence

from fhir_mappings.plan.encounter_services import procedures
from fhir_mappings.plan.encounter_versions import standing
from fhir_mappings.plan.encounter_visit import conditions, encounter
from hub.feeds.records import Resource, Said, Subject


def said(subject: Subject) -> Said | None:
    """A claim brings nobody: the membership file does."""
    return None


def about(subject: Subject) -> str | None:
    """The member's number, as the newest telling of the claim has it."""
    rows = [row for row in subject.rows if row.values.get("subscriber")]
    newest = max(rows, key=lambda row: (row.kind == "claim", row.values.get("said", ""), row.key), default=None)
    return str(newest.values["subscriber"]) if newest and standing(subject) else None


def resources(subject: Subject, patient: str) -> Sequence[Resource]:
    told = standing(subject)
    if told is None:
        return []
    feed = subject.feed
    return [
        encounter(told, patient, feed),
        *conditions(told, patient, feed),
        *procedures(told, patient, feed),
    ]
