"""Example County: the whole demo as FHIR transaction Bundles, the same bytes for the same arguments.

Rules: https://hl7.org/fhir/R4/http.html#transaction
Order: organisations and practitioners, then one Bundle a member, then the panels. Each Bundle refers only to
itself and to those before it. Refuses: a number of members that CINs cannot count, a hospital
without an MRN system.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from hub.demo.care import care_plan, care_team, coverage
from hub.demo.conditions import conditions, goals
from hub.demo.contacts import contacts
from hub.demo.members import MOST_MEMBERS, MRN_HOSPITALS, Member, member
from hub.demo.organizations import ECM_PROVIDERS, organizations, practitioners
from hub.demo.panels import panel_group
from hub.demo.people import patient, related_person
from hub.demo.referrals import referral_resources, referrals
from hub.demo.resource import transaction
from hub.demo.scenario import ANCHOR, Scenario, hub_mrn_systems
from hub.fhir.json import Resource
from hub.fhir.systems import CIN_SYSTEM


def bundles(
    members: int = 200,
    seed: int = 1,
    *,
    anchor: date = ANCHOR,
    cin_system: str = CIN_SYSTEM,
    mrn_systems: Mapping[str, str] | None = None,
) -> Iterator[Resource]:
    """The county's transaction Bundles, in the order to load them. Raises ValueError before the first one."""
    scenario = Scenario(seed, anchor, cin_system, hub_mrn_systems() if mrn_systems is None else mrn_systems)
    _refuse_incomplete(members, scenario)
    return _bundles(scenario, [member(scenario, number) for number in range(1, members + 1)])


def _refuse_incomplete(members: int, scenario: Scenario) -> None:
    if not 0 <= members <= MOST_MEMBERS:
        raise ValueError(f"A county has 0 to {MOST_MEMBERS} members")
    missing = [h.facility for h in MRN_HOSPITALS if h.facility not in scenario.mrn_systems]
    if missing:
        raise ValueError(f"mrn_systems lacks {', '.join(missing)}")


def _bundles(scenario: Scenario, everyone: list[Member]) -> Iterator[Resource]:
    yield transaction([*organizations(), *practitioners()])
    for someone in everyone:
        yield transaction(_member_resources(scenario, someone))
    yield transaction(panel_group(scenario, provider, everyone) for provider in ECM_PROVIDERS)


def _member_resources(scenario: Scenario, someone: Member) -> Iterator[Resource]:
    sent = referrals(someone)
    yield patient(scenario, someone)
    yield related_person(someone)
    yield coverage(scenario, someone)
    yield from conditions(scenario, someone)
    yield from goals(scenario, someone)
    yield care_team(scenario, someone)
    yield from referral_resources(scenario, sent)
    yield care_plan(scenario, someone, [referral.id for referral in sent])
    yield from contacts(scenario, someone)
