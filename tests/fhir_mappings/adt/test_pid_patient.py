import json
from typing import Any

import pytest

from fhir_mappings.adt.problems import UnmappedCode, Unmatched
from fhir_mappings.adt.visit import KnownMember
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, bundle, entries, mapped, message, one

ABSENT = [
    {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
]
CDC = "urn:oid:2.16.840.1.113883.6.238"
MRN = "https://smc.example/id/mrn"


def known(owned: bool, **content: Any) -> KnownMember:
    resource = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "4"}, **content}
    return KnownMember("p1", owned, resource)


def test_a_new_person_is_created_once_by_mrn_and_marked_with_its_feed() -> None:
    (entry,) = entries(bundle([message()]), "Patient")
    assert entry["request"] == {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={MRN}|SMC0012345"}
    assert entry["resource"]["meta"]["source"] == "urn:calaim-hub:adt:SMC"
    tokens = [(i["type"]["coding"][0]["code"], i["system"], i["value"]) for i in entry["resource"]["identifier"]]
    assert tokens == [("MR", MRN, "SMC0012345"), ("MA", CIN_SYSTEM, "91234567A")]


def test_without_an_mrn_the_cin_keeps_the_creation_single() -> None:
    (entry,) = entries(bundle([message(fields={"PID-3": "91234567A^^^X^MA"})]), "Patient")
    assert entry["request"]["ifNoneExist"] == f"identifier={CIN_SYSTEM}|91234567A"


@pytest.mark.parametrize(
    ("fields", "element", "value"),
    [
        ({}, "gender", "female"),
        ({}, "birthDate", "1980-02-15"),
        ({"PID-7": "1980"}, "birthDate", "1980"),
        ({"PID-7": ""}, "birthDate", None),
        ({"PID-8": ""}, "gender", "unknown"),  # US Core: missing data
        ({"PID-5": ""}, "name", ABSENT),
        ({"PID-5": "^^^^^^L"}, "name", ABSENT),
        (
            {"PID-5": "O'Testperson^Ana^Luz^JR^MS^^L~Anita^^^^^^N"},
            "name",
            [
                {
                    "use": "official",
                    "family": "O'Testperson",
                    "given": ["Ana", "Luz"],
                    "prefix": ["MS"],
                    "suffix": ["JR"],
                },
                {"use": "nickname", "family": "Anita"},
            ],
        ),
        ({"PID-16": "M"}, "maritalStatus.coding.0.code", "M"),
        ({"PID-16": ""}, "maritalStatus", None),
        ({"PID-13": "(916)555-0101"}, "telecom", [{"system": "phone", "value": "(916)555-0101", "use": "home"}]),
        ({"PID-13": "", "PID-14": "^^PH^^^916^5550111"}, "telecom.0.use", "work"),
        (
            {"PID-13": "^PRS^CP^^1^916^5550101"},
            "telecom.0",
            {"system": "phone", "value": "+1-916-5550101", "use": "mobile"},
        ),
        ({"PID-13": "^NET^Internet^a@example.org"}, "telecom.0.system", "email"),
        ({"PID-13": "^NET^Internet^a@example.org"}, "telecom.0.value", "a@example.org"),
        ({"PID-11": "1 A St^^Fresno^CA^93701^^M^^019"}, "address.0.type", "postal"),
        ({"PID-11": "1 A St^^Fresno^CA^93701^^M^^019"}, "address.0.district", "019"),
        ({"PID-11": "^^^^^^H"}, "address", None),
        ({"PID-30": "Y"}, "deceasedBoolean", True),
        ({"PID-29": "20261122100000", "PID-30": "Y"}, "deceasedDateTime", "2026-11-22T10:00:00-08:00"),
        ({"PID-29": "20261122100000", "PID-30": "Y"}, "deceasedBoolean", None),
        ({"PID-24": "Y"}, "multipleBirthBoolean", True),
        ({"PID-24": "Y", "PID-25": "2"}, "multipleBirthInteger", 2),
        ({"PID-24": "Y", "PID-25": "2"}, "multipleBirthBoolean", None),
        ({"PID-24": "N"}, "multipleBirthBoolean", False),
        ({"PID-15": "spa^Spanish^ISO639"}, "communication.0.language.coding.0.code", "es"),
        ({"PID-15": "EN"}, "communication.0.language.coding.0.system", "urn:ietf:bcp:47"),
        ({"PID-15": "und"}, "communication", None),  # the sender does not know
        ({"PID-9": "Robin^Alias^^^^^A"}, "name.1.family", "Robin"),  # version 2.3
        ({"PID-12": "019"}, "address.0.district", "019"),
        ({"PID-12": "^"}, "address.0.district", None),
        ({"PID-12": "019", "PID-11": "1 A St^^Fresno^CA^93701^^H^^Kern"}, "address.0.district", "Kern"),
        (
            {"PID-10": "2106-3^White^HL70005"},
            "extension.0",
            {
                "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                "extension": [
                    {"url": "ombCategory", "valueCoding": {"system": CDC, "code": "2106-3", "display": "White"}},
                    {"url": "text", "valueString": "White"},
                ],
            },
        ),
        ({"PID-10": "2034-7"}, "extension.0.extension.0.valueCoding.code", "2028-9"),  # Chinese: Asian
        ({"PID-10": "2034-7"}, "extension.0.extension.1.url", "detailed"),
        ({"PID-10": "2034-7~2106-3"}, "extension.0.extension.3.valueString", "Chinese, White"),
        ({"PID-10": "2131-1^Other"}, "extension.0.extension.0.url", "detailed"),  # of no OMB category
        ({"PID-10": "UNK"}, "extension.0.extension.0.valueCoding.code", "UNK"),
        ({"PID-22": "H"}, "extension.0.extension.0.valueCoding.code", "2135-2"),
        ({"PID-22": "2148-5^Mexican"}, "extension.0.extension.1.valueCoding.code", "2148-5"),
        ({"PID-22": "N"}, "extension.0.url", "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity"),
        ({"PID-2": "90000017F^^^CA^MA", "PID-3": "A1^^^SMC^MR", "IN1": None}, "identifier.1.value", "90000017F"),
        ({"PID-4": "90000017F^^^CA^MA", "PID-3": "A1^^^SMC^MR", "IN1": None}, "identifier.1.value", "90000017F"),
        ({"PID-2": "777", "PID-3": "A1^^^SMC^MR", "IN1": None}, "identifier.1", None),  # nobody says of what
    ],
)
def test_a_field_becomes_its_element(fields: dict[str, str], element: str, value: object) -> None:
    assert found(mapped("Patient", fields=fields), element) == value


def found(resource: Any, path: str) -> Any:
    for step in path.split("."):
        if step.isdigit():
            resource = resource[int(step)] if int(step) < len(resource) else None
        else:
            resource = resource.get(step)
        if resource is None:
            return None
    return resource


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("PID-8", "Q"),
        ("PID-16", "Z9"),
        ("PID-30", "MAYBE"),
        ("PID-24", "MAYBE"),
        ("PID-10", "W"),
        ("PID-22", "X"),
        ("PID-15", "KLINGON"),
        ("PID-11", "1 A St^^F^CA^9^^QQ"),
        ("PID-5", "A^B^^^^^??"),
    ],
)
def test_a_code_without_a_row_is_unmapped_at_its_field(field: str, value: str) -> None:
    with pytest.raises(UnmappedCode) as caught:
        mapped("Patient", fields={field: value})
    assert caught.value.where == field


def test_a_social_security_number_never_reaches_the_bundle() -> None:
    sent = message(fields={"PID-3": "A1^^^SMC^MR~999-12-3456^^^SSA^SS", "PID-19": "999-12-3456"})
    assert "999-12" not in json.dumps(bundle([sent]))


def test_a_person_of_this_feed_is_brought_up_to_date_and_keeps_what_the_feed_does_not_know() -> None:
    member = known(True, gender="male", photo=[{"title": "kept"}], identifier=[{"system": "urn:x", "value": "1"}])
    (entry,) = entries(bundle([message()], member), "Patient")
    assert entry["request"] == {"method": "PUT", "url": "Patient/p1", "ifMatch": 'W/"4"'}
    assert (entry["resource"]["gender"], entry["resource"]["photo"]) == ("female", [{"title": "kept"}])
    assert [i["value"] for i in entry["resource"]["identifier"]] == ["1", "SMC0012345", "91234567A"]


def test_empty_leaves_and_the_null_deletes() -> None:
    member = known(True, birthDate="1970-01-01", address=[{"city": "Kept"}], deceasedBoolean=True)
    sent = message("A08", fields={"PID-7": '""', "PID-11": "", "PID-29": '""'})
    patient = one(bundle([sent], member), "Patient")
    assert "birthDate" not in patient
    assert "deceasedBoolean" not in patient
    assert patient["address"] == [{"city": "Kept"}]


def test_race_comes_and_goes_and_leaves_other_extensions() -> None:
    other = {"url": "https://county.example/extension", "valueBoolean": True}
    member = known(True, extension=[other])
    told = one(bundle([message(fields={"PID-10": "2106-3"})], member), "Patient")
    assert [extension["url"].rpartition("/")[2] for extension in told["extension"]] == ["extension", "us-core-race"]
    gone = one(bundle([message(fields={"PID-10": '""'})], known(True, extension=told["extension"])), "Patient")
    assert gone["extension"] == [other]


def test_nothing_new_is_no_entry() -> None:
    current = one(bundle([message()]), "Patient") | {"id": "p1"}
    assert entries(bundle([message()], KnownMember("p1", True, current)), "Patient") == []


def test_a_person_of_another_source_only_gets_the_mrn() -> None:
    member = known(False, gender="male", identifier=[{"system": CIN_SYSTEM, "value": "91234567A"}])
    sent = bundle([message()], member)
    (entry,) = entries(sent, "Patient")
    assert entry["request"]["ifMatch"] == 'W/"4"'
    assert entry["resource"]["gender"] == "male"
    assert [i["value"] for i in entry["resource"]["identifier"]] == ["91234567A", "SMC0012345"]
    assert "name" not in entry["resource"]
    assert one(sent, "Encounter")["subject"] == {"reference": "Patient/p1"}


def test_a_person_of_another_source_who_has_the_mrn_is_not_touched() -> None:
    member = known(False, identifier=[{"system": MRN, "value": "SMC0012345"}])
    assert entries(bundle([message()], member), "Patient") == []


@pytest.mark.parametrize("owned", [True, False])
def test_another_cin_is_another_person(owned: bool) -> None:
    member = known(owned, identifier=[{"system": CIN_SYSTEM, "value": "90000000A"}])
    with pytest.raises(Unmatched) as caught:
        bundle([message()], member)
    assert caught.value.where == "PID-3"
