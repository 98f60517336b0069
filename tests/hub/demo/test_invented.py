"""Nothing in the demo county could be taken for a real person, provider or number, nor says too much."""

import re

from hub.demo.county import bundles
from hub.demo.names import FAMILY_FIRST, FAMILY_SECOND, GIVEN
from hub.demo.organizations import CARE_MANAGERS, HOSPITALS, npi
from hub.fhir import json
from hub.fhir.systems import OWN, US_NPI

RESOURCES = [entry["resource"] for bundle in bundles() for entry in bundle["entry"]]
CIN = re.compile(r"^9\d{7}[ACDEFGHMNTUVWXYZ]$")
# the commonest given and family names of the United States
COMMON = {
    "adams", "allen", "ana", "anderson", "anthony", "ashley", "baker", "barbara", "betty", "brown",
    "campbell", "carlos", "carmen", "carter", "charles", "christopher", "clark", "daniel", "david",
    "davis", "elizabeth", "flores", "garcia", "gonzalez", "green", "hall", "harris", "hernandez",
    "hill", "jackson", "james", "jennifer", "jessica", "john", "johnson", "jones", "jose", "joseph",
    "juan", "karen", "king", "lee", "lewis", "linda", "lisa", "lopez", "luis", "maria", "mark",
    "martin", "martinez", "mary", "matthew", "michael", "miller", "mitchell", "moore", "nancy",
    "nelson", "nguyen", "patricia", "perez", "ramirez", "richard", "rivera", "robert", "roberts",
    "robinson", "rodriguez", "rosa", "sanchez", "sandra", "sarah", "scott", "smith", "susan", "taylor",
    "thomas", "thompson", "torres", "walker", "white", "william", "williams", "wilson", "wright",
    "young",
}  # fmt: skip


def of_type(kind: str) -> list[json.Resource]:
    return [found for found in RESOURCES if found["resourceType"] == kind]


def luhn(number: str) -> bool:
    digits = [int(digit) for digit in "80840" + number]
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def test_every_npi_has_a_right_check_digit_and_a_first_digit_never_issued() -> None:
    assert luhn("1234567893")  # the example of the NPI's own check digit rule
    found = [i["value"] for r in RESOURCES for i in r.get("identifier", []) if i["system"] == US_NPI]
    assert len(found) == len(set(found)) >= len(CARE_MANAGERS)
    assert all(luhn(number) and re.fullmatch(r"9\d{9}", number) for number in found)
    assert luhn(npi(99999999))


def test_no_name_is_a_common_one() -> None:
    lists = [name for names in GIVEN.values() for name in names] + [*FAMILY_FIRST, *FAMILY_SECOND]
    lists += [f"{manager.given}-{manager.family}" for manager in CARE_MANAGERS] + ["Kinsample-Contact"]
    used = {part.lower() for name in lists for part in name.split("-")}
    assert used & COMMON == set()
    people = of_type("Patient") + of_type("Practitioner") + of_type("RelatedPerson")
    borne = {part.lower() for p in people for n in p["name"] for part in re.split("-", n["family"])}
    assert borne <= used | {"contact"}


def test_telephones_and_mail_addresses_are_those_kept_for_examples() -> None:
    points = [point for found in RESOURCES for point in found.get("telecom", [])]
    shapes = {"phone": r"\(555\) 555-01\d\d", "email": r"[a-z0-9-]+@example\.org"}
    assert points
    assert all(re.fullmatch(shapes[point["system"]], point["value"]) for point in points)


def test_no_behavioural_health_content_is_in_the_county() -> None:
    words = re.compile(r"psychiatr|mental health|mental illness|substance|behavioral|opioid|sobering|expsy")
    text = "\n".join(json.strings([r for r in RESOURCES if r["resourceType"] != "Organization"])).lower()
    assert "homelessness" in text
    assert words.findall(text) == []


def test_every_cin_has_the_shape_of_a_cin_and_names_one_member() -> None:
    cins = [patient["identifier"][0]["value"] for patient in of_type("Patient")]
    assert [cin for cin in cins if not CIN.match(cin)] == []
    assert len(set(cins)) == 200
    assert cins == [coverage["subscriberId"] for coverage in of_type("Coverage")]


def test_about_six_members_in_ten_have_one_record_number_and_none_is_psychiatric() -> None:
    numbers = [i for p in of_type("Patient") for i in p["identifier"][1:]]
    assert 100 <= len(numbers) <= 140
    assert {i["system"] for i in numbers} == {OWN + "sid/mrn/exgen", OWN + "sid/mrn/exmer"}


def test_identifier_systems_are_the_caller_s() -> None:
    mine = {h.facility: f"urn:test:{h.facility}" for h in HOSPITALS}
    county = list(bundles(20, cin_system="urn:test:cin", mrn_systems=mine))
    systems = {i["system"] for b in county[1:-1] for i in b["entry"][0]["resource"]["identifier"]}
    assert systems == {"urn:test:cin", "urn:test:EXGEN", "urn:test:EXMER"}
