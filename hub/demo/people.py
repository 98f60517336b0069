"""The member as Patient and the person close to them as RelatedPerson.

Rules: US Core 6.1.0 Patient and RelatedPerson
(https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-patient.html)
"""

from typing import Any

from hub.demo.members import Member
from hub.demo.names import CITIES, COUNTY, POSTAL_CODE, STATE, STREETS, email, phone
from hub.demo.resource import coding, concept, reference, resource, telecom
from hub.demo.scenario import Scenario
from hub.fhir.json import Resource
from hub.fhir.systems import BCP_47, CDC_RACE_ETHNICITY, ROLE_CODE, US_CORE, V2_0203

RACES = (
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("2028-9", "Asian"),
    ("1002-5", "American Indian or Alaska Native"),
)
ETHNICITIES = (("2135-2", "Hispanic or Latino"), ("2186-5", "Not Hispanic or Latino"))
RELATIONSHIPS = (
    ("SIB", "sibling"),
    ("FRND", "unrelated friend"),
    ("NBOR", "neighbor"),
    ("FAMMEMB", "family member"),
)
PARENT = ("PRN", "parent")
OF_AGE = 18 * 366  # days: a day or two late for some, which is nearer than a demo needs


def patient(scenario: Scenario, member: Member) -> Resource:
    chance = member.chance("patient")
    return resource(
        "Patient",
        member.id,
        "us-core-patient",
        extension=[
            _category("us-core-race", *chance.pick(RACES)),
            _category("us-core-ethnicity", *chance.pick(ETHNICITIES)),
        ],
        identifier=_identifiers(scenario, member),
        active=True,
        name=[{"use": "official", "family": member.family, "given": [member.given]}],
        telecom=telecom(phone(member.number), email(f"member-{member.key}"), "home"),
        gender=member.gender,
        birthDate=scenario.day(member.born),
        address=[_address(member)],
        communication=[_communication(*member.language)],
    )


def related_person(member: Member) -> Resource:
    chance = member.chance("related")
    relationship = PARENT if member.born < OF_AGE else chance.pick(RELATIONSHIPS)
    return resource(
        "RelatedPerson",
        related_id(member),
        "us-core-relatedperson",
        active=True,
        patient=reference("Patient", member.id),
        relationship=[concept(coding(ROLE_CODE, *relationship))],
        name=[{"family": f"{member.family.split('-')[0]}-Contact", "given": ["Kinsample"]}],
        telecom=telecom(phone(member.number + 50), email(f"contact-{member.key}"), "home"),
    )


def related_id(member: Member) -> str:
    return f"demo-related-{member.key}"


def mrn(member: Member) -> str:
    """The member's record number at the hospital that knows them."""
    return f"DEMO{member.number:06d}"


def _identifiers(scenario: Scenario, member: Member) -> list[dict[str, Any]]:
    found = [_identifier("MA", scenario.cin_system, member.cin)]
    if member.mrn_hospital:
        found.append(_identifier("MR", scenario.mrn_systems[member.mrn_hospital.facility], mrn(member)))
    return found


def _identifier(kind: str, system: str, value: str) -> dict[str, Any]:
    return {"use": "usual", "type": concept(coding(V2_0203, kind)), "system": system, "value": value}


def _address(member: Member) -> dict[str, Any]:
    """Homeless members have a city and a mailing arrangement, not a street."""
    shared = {"city": CITIES[member.number % len(CITIES)], "district": COUNTY, "state": STATE}
    if member.homeless:
        return {"use": "temp", "text": f"No fixed address, {shared['city']}", **shared}
    line = f"{member.number} {member.chance('address').pick(STREETS)}"
    return {"use": "home", "line": [line], **shared, "postalCode": POSTAL_CODE, "country": "US"}


def _communication(code: str, display: str) -> dict[str, Any]:
    return {"language": concept(coding(BCP_47, code, display)), "preferred": True}


def _category(extension: str, code: str, display: str) -> dict[str, Any]:
    """The US Core race or ethnicity extension with one OMB category."""
    return {
        "extension": [
            {"url": "ombCategory", "valueCoding": coding(CDC_RACE_ETHNICITY, code, display)},
            {"url": "text", "valueString": display},
        ],
        "url": US_CORE + extension,
    }
