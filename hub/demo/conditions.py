"""The member's conditions and the goals that answer them.

Rules: US Core 6.1.0 Condition Problems and Health Concerns, Goal
(https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-condition-problems-health-concerns.html)
Goal n answers condition n. Illnesses are problem list items; homelessness and hunger, SDOH health concerns.
"""

from collections.abc import Iterator
from typing import Any

from hub.demo.members import Member
from hub.demo.populations import Diagnosis
from hub.demo.resource import coding, concept, reference, resource
from hub.demo.scenario import Scenario
from hub.fhir.json import Resource
from hub.fhir.systems import (
    CONDITION_CATEGORY,
    CONDITION_CLINICAL,
    CONDITION_VER_STATUS,
    GOAL_ACHIEVEMENT,
    US_CORE_CATEGORY,
    US_CORE_CONDITION_CATEGORY,
)

PROBLEM = (concept(coding(CONDITION_CATEGORY, "problem-list-item")),)
SOCIAL = (
    concept(coding(US_CORE_CONDITION_CATEGORY, "health-concern")),
    concept(coding(US_CORE_CATEGORY, "sdoh")),
)


def condition_id(member: Member, number: int) -> str:
    return f"demo-condition-{member.key}-{number}"


def goal_id(member: Member, number: int) -> str:
    return f"demo-goal-{member.key}-{number}"


def goal_count(member: Member) -> int:
    """One or two, and never more than the member has conditions."""
    return min(len(member.diagnoses), member.chance("goals").between(1, 2))


def conditions(scenario: Scenario, member: Member) -> Iterator[Resource]:
    for number, diagnosis in enumerate(member.diagnoses, start=1):
        yield _condition(scenario, member, number, diagnosis)


def goals(scenario: Scenario, member: Member) -> Iterator[Resource]:
    for number in range(1, goal_count(member) + 1):
        yield _goal(scenario, member, number)


def _condition(scenario: Scenario, member: Member, number: int, diagnosis: Diagnosis) -> Resource:
    chance = member.chance(f"condition-{number}")
    return resource(
        "Condition",
        condition_id(member, number),
        "us-core-condition-problems-health-concerns",
        clinicalStatus=concept(coding(CONDITION_CLINICAL, "active")),
        verificationStatus=concept(coding(CONDITION_VER_STATUS, "confirmed")),
        category=list(SOCIAL if diagnosis.social else PROBLEM),
        code=concept(*diagnosis.codings, text=diagnosis.text),
        subject=reference("Patient", member.id),
        onsetDateTime=scenario.day(member.enrolled + chance.between(5, 700)),
        recordedDate=scenario.day(member.enrolled),
    )


def _goal(scenario: Scenario, member: Member, number: int) -> Resource:
    chance = member.chance(f"goal-{number}")
    return resource(
        "Goal",
        goal_id(member, number),
        "us-core-goal",
        **_progress(scenario, achieved=chance.happens(0.15)),
        description=concept(text=member.diagnoses[number - 1].goal),
        subject=reference("Patient", member.id),
        startDate=scenario.day(member.enrolled - 14),
        target=[{"dueDate": scenario.day(-chance.between(30, 240))}],
        expressedBy=reference("Patient", member.id),
        addresses=[reference("Condition", condition_id(member, number))],
    )


def _progress(scenario: Scenario, *, achieved: bool) -> dict[str, Any]:
    status, code = ("completed", "achieved") if achieved else ("active", "in-progress")
    return {
        "lifecycleStatus": status,
        "achievementStatus": concept(coding(GOAL_ACHIEVEMENT, code)),
        "statusDate": scenario.day(20),
    }
