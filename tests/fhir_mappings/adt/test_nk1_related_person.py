import pytest

from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import bundle, entries, mapped, message, resources
from tests.fhir_mappings.adt.test_pid_patient import found

SECOND = {"NK1#2-1": "2", "NK1#2-2": "Testperson-Vega^Ines", "NK1#2-3": "MTH"}
SWAPPED = {"NK1-2": "Testperson-Vega^Ines", "NK1-3": "MTH"} | {
    "NK1#2-1": "2",
    "NK1#2-2": "TESTPERSON-ALDER^SAM",
    "NK1#2-3": "SPO",
}


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({}, "active", True),
        ({}, "name", [{"use": "official", "family": "Testperson-Alder", "given": ["Sam"]}]),
        ({}, "relationship.0.coding.0.code", "SPS"),
        ({}, "relationship.0.text", "Spouse"),
        ({}, "relationship.1.coding.0.code", "C"),
        ({"NK1-3": "CGV"}, "relationship.0.coding.0.system", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        ({}, "telecom", [{"system": "phone", "value": "+1-916-5550102", "use": "mobile"}]),
        ({"NK1-4": "1 B St^^Fresno^CA^93701"}, "address.0.city", "Fresno"),
        ({"NK1-2": ""}, "name", None),
    ],
)
def test_a_field_becomes_its_element(fields: dict[str, str], path: str, value: object) -> None:
    assert found(mapped("RelatedPerson", fields=fields), path) == value


@pytest.mark.parametrize(("field", "value"), [("NK1-3", "COUSIN"), ("NK1-7", "ZZ"), ("NK1-5", "^??^PH^^^1^2")])
def test_a_code_without_a_row_is_unmapped_at_its_field(field: str, value: str) -> None:
    with pytest.raises(UnmappedCode) as caught:
        mapped("RelatedPerson", fields={field: value})
    assert caught.value.where == field


def test_a_contact_is_a_conditional_update_under_the_feeds_own_key() -> None:
    (entry,) = entries(bundle([message()]), "RelatedPerson")
    key = entry["resource"]["identifier"][0]
    assert key["system"] == "urn:calaim-hub:adt:SMC:related-person"
    assert entry["request"]["url"] == f"RelatedPerson?identifier={key['system']}|{key['value']}"


def test_a_contact_keeps_its_key_when_the_list_is_reordered() -> None:
    keys = [
        {found(r, "name.0.family").upper(): r["identifier"][0]["value"] for r in resources(sent, "RelatedPerson")}
        for sent in (bundle([message(fields=SECOND)]), bundle([message(fields=SWAPPED)]))
    ]
    assert keys[0] == keys[1]
    assert len(set(keys[0].values())) == 2


def test_a_contact_that_left_the_newest_group_becomes_inactive() -> None:
    first = message(at="20261122080000", fields=SECOND)
    second = message("A08", "MSG2", at="20261122090000")
    active = {r["name"][0]["given"][0]: r["active"] for r in resources(bundle([first, second]), "RelatedPerson")}
    assert active == {"Ines": False, "Sam": True}


def test_a_contact_without_name_and_relationship_is_left_out() -> None:
    sent = message(fields={"NK1-2": '""', "NK1-3": '""', "NK1-7": '""'})
    assert resources(bundle([sent]), "RelatedPerson") == []
