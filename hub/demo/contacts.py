"""The lead care manager's last contacts with the member: finished Encounters, in the field or by telephone.

Rules: US Core 6.1.0 Encounter (https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-encounter.html)
The type is text alone: the codes that plans pay ECM by (G9008, G9012) are outside its value set.
"""

from collections.abc import Iterator

from hub.demo.members import Member
from hub.demo.resource import coding, concept, reference, resource
from hub.demo.scenario import Scenario
from hub.fhir.json import Resource
from hub.fhir.systems import ACT_CODE

# v3-ActCode class, its display, what the encounter was
MODES = (
    ("FLD", "field", "ECM visit in person"),
    ("FLD", "field", "ECM visit in person"),
    ("VR", "virtual", "ECM contact by telephone"),
)
DAYS_BETWEEN = 30


def contacts(scenario: Scenario, member: Member) -> Iterator[Resource]:
    """Two or three, about a month apart, the newest first; all lie after the enrolment."""
    chance = member.chance("contacts")
    for number in range(1, chance.between(2, 3) + 1):
        day = scenario.day((number - 1) * DAYS_BETWEEN + chance.between(1, DAYS_BETWEEN))
        yield _encounter(member, number, day, chance.pick(MODES))


def _encounter(member: Member, number: int, day: str, mode: tuple[str, str, str]) -> Resource:
    code, display, kind = mode
    lead = member.lead
    return resource(
        "Encounter",
        f"demo-contact-{member.key}-{number}",
        "us-core-encounter",
        status="finished",
        class_=coding(ACT_CODE, code, display),
        type=[concept(text=kind)],
        subject=reference("Patient", member.id),
        participant=[{"individual": reference("Practitioner", lead.id, lead.name)}],
        period={"start": day, "end": day},
        serviceProvider=reference("Organization", lead.employer.id, lead.employer.name),
    )
