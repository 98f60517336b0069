"""The member's coverage, care team and care plan.

Rules: US Core 6.1.0 Coverage, CareTeam, CarePlan
(https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-careteam.html and its neighbours)
The lead care manager is the one active CareTeam participant whose role is LEAD_CARE_MANAGER.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from hub.demo.conditions import condition_id, goal_count, goal_id
from hub.demo.members import Member
from hub.demo.organizations import PLAN, SHELTER
from hub.demo.people import related_id
from hub.demo.populations import SHELTERED
from hub.demo.resource import coding, concept, reference, resource
from hub.demo.scenario import Scenario
from hub.fhir.json import Resource
from hub.fhir.systems import (
    CAREPLAN_CATEGORY,
    COVERAGE_CLASS,
    LEAD_CARE_MANAGER,
    SUBSCRIBER_RELATIONSHIP,
    V2_0203,
)

PLAN_VALUE = "DEMO-MEDI-CAL"


def coverage_id(member: Member) -> str:
    return f"demo-coverage-{member.key}"


def care_team_id(member: Member) -> str:
    return f"demo-careteam-{member.key}"


def care_plan_id(member: Member) -> str:
    return f"demo-careplan-{member.key}"


def coverage(scenario: Scenario, member: Member) -> Resource:
    """Medi-Cal managed care. Its type is text alone: the payment typology's codes are not ours to guess."""
    number = {"type": concept(coding(V2_0203, "MB")), "system": scenario.cin_system, "value": member.cin}
    return resource(
        "Coverage",
        coverage_id(member),
        "us-core-coverage",
        identifier=[number],
        status="active",
        type=concept(text="Medi-Cal managed care"),
        subscriberId=member.cin,
        beneficiary=reference("Patient", member.id),
        relationship=concept(coding(SUBSCRIBER_RELATIONSHIP, "self")),
        period={"start": scenario.day(member.enrolled + 180)},
        payor=[reference("Organization", PLAN.id, PLAN.name)],
        class_=[{"type": concept(coding(COVERAGE_CLASS, "plan")), "value": PLAN_VALUE, "name": PLAN.name}],
    )


def care_team(scenario: Scenario, member: Member) -> Resource:
    provider = member.lead.employer
    return resource(
        "CareTeam",
        care_team_id(member),
        "us-core-careteam",
        status="active",
        name="ECM care team",
        subject=reference("Patient", member.id),
        period={"start": scenario.day(member.enrolled)},
        participant=_participants(scenario, member),
        managingOrganization=[reference("Organization", provider.id, provider.name)],
    )


def _participants(scenario: Scenario, member: Member) -> list[dict[str, Any]]:
    lead, provider = member.lead, member.lead.employer
    found: list[dict[str, Any]] = [
        {
            "role": [concept(coding(*LEAD_CARE_MANAGER), text="ECM lead care manager")],
            "member": reference("Practitioner", lead.id, lead.name),
            "onBehalfOf": reference("Organization", provider.id, provider.name),
            "period": {"start": scenario.day(member.enrolled)},
        },
        _participant("ECM provider", reference("Organization", provider.id, provider.name)),
        _participant("Contact chosen by the member", reference("RelatedPerson", related_id(member))),
    ]
    if SHELTERED in member.diagnoses:
        found.append(_participant("Shelter", reference("Organization", SHELTER.id, SHELTER.name)))
    return found


def _participant(role: str, who: dict[str, str]) -> dict[str, Any]:
    return {"role": [concept(text=role)], "member": who}


def care_plan(scenario: Scenario, member: Member, referrals: Sequence[str]) -> Resource:
    """The ECM care plan; `referrals` are the ids of the member's ServiceRequests, which become activities."""
    goals = range(1, goal_count(member) + 1)
    return resource(
        "CarePlan",
        care_plan_id(member),
        "us-core-careplan",
        text={"status": "generated", "div": _narrative(member)},
        status="active",
        intent="plan",
        category=[concept(coding(CAREPLAN_CATEGORY, "assess-plan"))],
        title="ECM care plan",
        description=f"Population of Focus {member.population.number}: {member.population.name}",
        subject=reference("Patient", member.id),
        period={"start": scenario.day(member.enrolled - 14), "end": scenario.day(member.enrolled - 14 - 365)},
        created=scenario.day(member.enrolled - 14),
        author=reference("Practitioner", member.lead.id, member.lead.name),
        careTeam=[reference("CareTeam", care_team_id(member))],
        addresses=[reference("Condition", condition_id(member, n)) for n in range(1, len(member.diagnoses) + 1)],
        goal=[reference("Goal", goal_id(member, n)) for n in goals],
        activity=[_activity(identity) for identity in referrals] or [_coordination(member)],
    )


def _activity(referral: str) -> dict[str, Any]:
    return {"reference": reference("ServiceRequest", referral)}


def _coordination(member: Member) -> dict[str, Any]:
    """A plan without referrals still says what happens: the lead care manager's monthly visit."""
    return {
        "detail": {
            "code": concept(text="Monthly ECM visit"),
            "status": "in-progress",
            "performer": [reference("Practitioner", member.lead.id, member.lead.name)],
        }
    }


def _narrative(member: Member) -> str:
    concerns = "".join(f"<li>{escape(diagnosis.text)}</li>" for diagnosis in member.diagnoses)
    goals = "".join(f"<li>{escape(d.goal)}</li>" for d in member.diagnoses[: goal_count(member)])
    return (
        '<div xmlns="http://www.w3.org/1999/xhtml">'
        f"<p>Enhanced Care Management plan. Population of Focus: {escape(member.population.name)}.</p>"
        f"<p>Concerns</p><ul>{concerns}</ul><p>Goals</p><ul>{goals}</ul></div>"
    )
