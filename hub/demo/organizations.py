"""The organisations of Example County and the care managers of its ECM providers.

Rules: US Core 6.1.0 Organization, Practitioner, PractitionerRole
(https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-organization.html and its neighbours)
Every NPI begins with 9 and has a right check digit: issued NPIs begin with 1 or 2, so none is a provider's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.demo.names import CITIES, COUNTY, POSTAL_CODE, STATE, STREETS, email, phone
from hub.demo.resource import coding, concept, reference, resource, telecom
from hub.fhir.json import Resource
from hub.fhir.systems import FACILITY_SYSTEM, LEAD_CARE_MANAGER, ORGANIZATION_TYPE, US_NPI


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation: `type` is a code of organization-type, `facility` the code in its HL7 v2 messages."""

    slug: str
    name: str
    type: str
    facility: str = ""

    @property
    def id(self) -> str:
        return f"demo-org-{self.slug}"


@dataclass(frozen=True, slots=True)
class CareManager:
    """A lead care manager and the ECM provider that employs them."""

    number: int
    given: str
    family: str
    employer: Place

    @property
    def id(self) -> str:
        return f"demo-lead-{self.number:02d}"

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"


PLAN = Place("plan", "Example Health Plan", "pay")
COUNTY_BH = Place("county-bh", "Example County Behavioral Health", "govt")
HOSPITALS = (
    Place("exgen", "Example General Hospital", "prov", "EXGEN"),
    Place("exmer", "Example Mercy Hospital", "prov", "EXMER"),
    Place("expsy", "Example Psychiatric Hospital", "prov", "EXPSY"),
)
ECM_PROVIDERS = (
    Place("ecm-1", "Sample Care Partners", "prov"),
    Place("ecm-2", "Imaginary Community Clinic", "prov"),
    Place("ecm-3", "Placeholder Health Homes", "prov"),
    Place("ecm-4", "Fictional Care Collective", "prov"),
)
HOUSING = Place("ilos-housing", "Sample Housing Navigators", "cg")
MEALS = Place("ilos-meals", "Pretend Pantry Meals", "cg")
RECUPERATIVE = Place("ilos-recuperative", "Mock Recuperative Care", "prov")
HOME = Place("ilos-home", "Fixture Home Services", "cg")
ILOS_PROVIDERS = (HOUSING, MEALS, RECUPERATIVE, HOME)
SHELTER = Place("shelter", "Nowhere Street Shelter", "cg")
PLACES = (PLAN, COUNTY_BH, *HOSPITALS, *ECM_PROVIDERS, *ILOS_PROVIDERS, SHELTER)

CARE_MANAGERS = (
    CareManager(1, "Coordina", "Samplewood-Guide", ECM_PROVIDERS[0]),
    CareManager(2, "Navigo", "Testerton-Path", ECM_PROVIDERS[0]),
    CareManager(3, "Managella", "Fixture-Compass", ECM_PROVIDERS[1]),
    CareManager(4, "Leadrick", "Nonesuch-Lantern", ECM_PROVIDERS[1]),
    CareManager(5, "Outreacha", "Fauxfield-Bridge", ECM_PROVIDERS[2]),
    CareManager(6, "Helpmund", "Dummyvale-Harbor", ECM_PROVIDERS[2]),
    CareManager(7, "Careline", "Specimen-Beacon", ECM_PROVIDERS[3]),
    CareManager(8, "Followup", "Inventley-Anchor", ECM_PROVIDERS[3]),
)


def organizations() -> Iterator[Resource]:
    for number, place in enumerate(PLACES, start=1):
        yield _organization(number, place)


def practitioners() -> Iterator[Resource]:
    for manager in CARE_MANAGERS:
        yield _practitioner(manager)
        yield _role(manager)


def npi(number: int) -> str:
    """A ten-digit NPI that cannot be real: 9, eight digits, and the Luhn digit over 80840 and these nine."""
    body = f"9{number:08d}"
    digits = [int(digit) for digit in "80840" + body]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-1::-2]]
    return f"{body}{-(sum(doubled) + sum(digits[-2::-2])) % 10}"


def _organization(number: int, place: Place) -> Resource:
    identifier = [{"system": US_NPI, "value": npi(number)}] if place.type == "prov" else []
    if place.facility:
        identifier.append({"system": FACILITY_SYSTEM, "value": place.facility})
    return resource(
        "Organization",
        place.id,
        "us-core-organization",
        identifier=identifier or None,
        active=True,
        type=[concept(coding(ORGANIZATION_TYPE, place.type))],
        name=place.name,
        telecom=telecom(phone(number), email(place.slug), "work"),
        address=[
            {
                "line": [f"{100 * number} {STREETS[number % len(STREETS)]}"],
                "city": CITIES[number % len(CITIES)],
                "district": COUNTY,
                "state": STATE,
                "postalCode": POSTAL_CODE,
                "country": "US",
            }
        ],
    )


def _practitioner(manager: CareManager) -> Resource:
    return resource(
        "Practitioner",
        manager.id,
        "us-core-practitioner",
        identifier=[{"system": US_NPI, "value": npi(1000 + manager.number)}],
        active=True,
        name=[{"use": "official", "family": manager.family, "given": [manager.given]}],
        telecom=_contact(manager),
    )


def _role(manager: CareManager) -> Resource:
    return resource(
        "PractitionerRole",
        f"demo-leadrole-{manager.number:02d}",
        "us-core-practitionerrole",
        active=True,
        practitioner=reference("Practitioner", manager.id, manager.name),
        organization=reference("Organization", manager.employer.id, manager.employer.name),
        code=[concept(coding(*LEAD_CARE_MANAGER), text="ECM lead care manager")],
        telecom=_contact(manager),
    )


def _contact(manager: CareManager) -> list[dict[str, str]]:
    return telecom(phone(20 + manager.number), email(f"lead-{manager.number:02d}"), "work")
