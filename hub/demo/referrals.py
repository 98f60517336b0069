"""The member's ILOS referrals: a ServiceRequest for the Community Support and the Task that closes the loop.

Rules: US Core 6.1.0 ServiceRequest; Gravity SDOH Clinical Care, Task for Referral Management
(https://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition-SDOHCC-TaskForReferralManagement.html)
The HCPCS code stands in `code` and its modifier in `orderDetail`: as two codings of one concept they would
claim to mean the same. The Task's requester is the ECM provider, as the guide allows no Practitioner there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.demo.care import coverage_id
from hub.demo.chance import Chance
from hub.demo.conditions import condition_id
from hub.demo.members import Member
from hub.demo.resource import coding, concept, reference, resource
from hub.demo.scenario import Scenario
from hub.demo.supports import BY_SLUG, Support
from hub.fhir.json import Resource
from hub.fhir.systems import COMMUNITY_SUPPORT, HCPCS, SDOHCC, TASK_CODE, US_CORE_CATEGORY

SHARE = 0.5
# Task.status, ServiceRequest.status, the fewest and the most days since the referral was written
STAGES = (
    ("requested", "active", 1, 20),
    ("accepted", "active", 10, 30),
    ("in-progress", "active", 20, 60),
    ("completed", "completed", 45, 80),
)


@dataclass(frozen=True, slots=True)
class Referral:
    """One referral of one member; `written` and `moved` are days before the anchor."""

    member: Member
    number: int
    support: Support
    hcpcs: str
    modifier: str
    task_status: str
    request_status: str
    written: int
    moved: int

    @property
    def id(self) -> str:
        return f"demo-referral-{self.member.key}-{self.number}"

    @property
    def task_id(self) -> str:
        return f"demo-referral-task-{self.member.key}-{self.number}"


def referrals(member: Member) -> tuple[Referral, ...]:
    """None for about half the members, otherwise one or two to different Community Supports."""
    chance = member.chance("referrals")
    if not chance.happens(SHARE):
        return ()
    slugs = chance.several(member.population.supports, chance.between(1, 2))
    return tuple(_referral(member, n, BY_SLUG[slug], chance) for n, slug in enumerate(slugs, start=1))


def _referral(member: Member, number: int, support: Support, chance: Chance) -> Referral:
    task_status, request_status, fewest, most = chance.pick(STAGES)
    written = chance.between(fewest, most)
    hcpcs, modifier = chance.pick(support.billing)
    moved = written if task_status == "requested" else chance.below(written)
    return Referral(member, number, support, hcpcs, modifier, task_status, request_status, written, moved)


def referral_resources(scenario: Scenario, found: tuple[Referral, ...]) -> Iterator[Resource]:
    for referral in found:
        yield _request(scenario, referral)
        yield _task(scenario, referral)


def _request(scenario: Scenario, referral: Referral) -> Resource:
    member, support = referral.member, referral.support
    return resource(
        "ServiceRequest",
        referral.id,
        "us-core-servicerequest",
        status=referral.request_status,
        intent="order",
        category=_categories(support),
        priority="routine",
        code=concept(
            coding(COMMUNITY_SUPPORT, support.slug, support.name),
            coding(HCPCS, referral.hcpcs),
            text=support.name,
        ),
        orderDetail=[concept(coding(HCPCS, referral.modifier))],
        subject=reference("Patient", member.id),
        occurrencePeriod={
            "start": scenario.day(referral.written),
            "end": scenario.day(referral.written - 180),
        },
        authoredOn=scenario.day(referral.written),
        requester=reference("Practitioner", member.lead.id, member.lead.name),
        performer=[reference("Organization", support.provider.id, support.provider.name)],
        reasonReference=[reference("Condition", condition_id(member, 1))],
        insurance=[reference("Coverage", coverage_id(member))],
    )


def _categories(support: Support) -> list[dict[str, Any]]:
    """The SDOH domain where Gravity has a code for it, otherwise text."""
    if not support.domain:
        return [concept(text="Community Supports")]
    return [concept(coding(US_CORE_CATEGORY, "sdoh")), concept(coding(SDOHCC, *support.domain))]


def _task(scenario: Scenario, referral: Referral) -> Resource:
    member, provider = referral.member, referral.support.provider
    employer = member.lead.employer
    return resource(
        "Task",
        referral.task_id,
        status=referral.task_status,
        intent="order",
        priority="routine",
        code=concept(coding(TASK_CODE, "fulfill")),
        focus=reference("ServiceRequest", referral.id),
        for_=reference("Patient", member.id),
        authoredOn=scenario.day(referral.written),
        lastModified=scenario.day(referral.moved),
        requester=reference("Organization", employer.id, employer.name),
        owner=reference("Organization", provider.id, provider.name),
    )
