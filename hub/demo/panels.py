"""An ECM provider's panel: the Group of members whose hospital notices it may have.

Rules: https://hl7.org/fhir/R4/group.html (grp-1: members only where `actual`)
"""

from collections.abc import Iterable
from typing import Any

from hub.demo.members import Member
from hub.demo.organizations import Place
from hub.demo.resource import reference, resource
from hub.demo.scenario import Scenario
from hub.fhir.json import Resource


def panel_id(provider: Place) -> str:
    return f"demo-panel-{provider.slug}"


def panel_group(scenario: Scenario, provider: Place, members: Iterable[Member]) -> Resource:
    """The panel of one ECM provider: those of `members` whose lead care manager it employs."""
    panel = [_entry(scenario, member) for member in members if member.lead.employer == provider]
    return resource(
        "Group",
        panel_id(provider),
        type="person",
        actual=True,
        active=True,
        name=f"ECM panel of {provider.name}",
        quantity=len(panel),
        managingEntity=reference("Organization", provider.id, provider.name),
        member=panel or None,
    )


def _entry(scenario: Scenario, member: Member) -> dict[str, Any]:
    return {
        "entity": reference("Patient", member.id),
        "period": {"start": scenario.day(member.enrolled)},
        "inactive": False,
    }
