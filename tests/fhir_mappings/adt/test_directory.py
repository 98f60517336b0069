"""Practitioners, roles, organizations and places: created once, referred to ever after."""

from dataclasses import replace
from typing import Any

import pytest

from fhir_mappings.adt.directory import keys, named_in, with_known
from fhir_mappings.adt.facilities import Facilities
from fhir_mappings.adt.problems import UnmappedCode
from fhir_mappings.adt.visit import NOBODY, visit_bundle
from tests.fhir_mappings.adt.stay import (
    ARRIVAL,
    CIN_SYSTEM,
    ROWS,
    SMC,
    TABLES,
    bundle,
    entries,
    message,
    one,
    resources,
)
from tests.fhir_mappings.adt.test_pid_patient import found

NPI = "http://hl7.org/fhir/sid/us-npi"
OAK = "1234567893^Testdoctor-Oak^Lee^^^^^^NPI"
ROLE = {"ROL-2": "AD", "ROL-3": "CP", "ROL-4": OAK}
PHONE = {"ROL-12": "^WPN^PH^^1^916^5550190", "ROL-14": "Sample Clinic^^10021"}


def test_a_practitioner_is_created_once_by_npi() -> None:
    (entry,) = entries(bundle([message()]), "Practitioner")
    assert entry["request"] == {
        "method": "POST",
        "url": "Practitioner",
        "ifNoneExist": f"identifier={NPI}|1234567893",
    }
    assert entry["resource"]["name"] == [{"family": "Testdoctor-Birch", "given": ["Pat"], "prefix": ["Dr."]}]


@pytest.mark.parametrize(
    ("doctor", "token"),
    [
        ("77^Testdoctor^Sam", ("urn:calaim-hub:adt:SMC:practitioner", "77")),
        ("77^Testdoctor^Sam^^^^^^SMCDOC", ("urn:calaim-hub:adt:SMC:practitioner", "SMCDOC|77")),
        ("1234567893^Testdoctor^Sam^^^^^^2.16.840.1.113883.4.6", (NPI, "1234567893")),
        ("1234567890^Testdoctor^Sam^^^^^^NPI", None),  # called an NPI, and is none
        ("^Testdoctor^Sam", None),
        ("1234567893^^^^^^^^NPI", None),  # US Core wants a family name
    ],
)
def test_who_is_written_has_a_number_that_can_be_believed(doctor: str, token: tuple[str, str] | None) -> None:
    sent = bundle([message(fields={"PV1-7": doctor})])
    tokens = [(p["identifier"][0]["system"], p["identifier"][0]["value"]) for p in resources(sent, "Practitioner")]
    assert tokens == ([token] if token else [])


def test_the_facility_is_an_organization_by_npi_else_by_its_code() -> None:
    (entry,) = entries(bundle([message()]), "Organization")
    assert entry["request"]["ifNoneExist"] == f"identifier={NPI}|1234567893"
    assert (entry["resource"]["active"], entry["resource"]["name"]) == (True, "Sample Hospital SMC")
    sent = message()
    plain = visit_bundle([sent], NOBODY, replace(SMC, npi=None), TABLES, CIN_SYSTEM, told=[(sent, ARRIVAL)])
    assert one(plain, "Organization")["identifier"] == [
        {"system": "urn:calaim-hub:adt:SMC:organization", "value": "SMC"}
    ]


def test_references_of_a_bundle_lead_to_its_entries() -> None:
    sent = bundle([message(fields=ROLE | PHONE | {"PD1-3": "Sample Practice^^88", "PD1-4": OAK})])
    urls = {entry.get("fullUrl") for entry in sent["entry"]}
    assert {reference for reference in _references(sent) if reference.startswith("urn:uuid:")} <= urls


def _references(content: Any) -> list[str]:
    if isinstance(content, dict):
        own = [content["reference"]] if isinstance(content.get("reference"), str) else []
        return own + [each for value in content.values() for each in _references(value)]
    return [each for item in content for each in _references(item)] if isinstance(content, list) else []


def test_what_is_there_already_is_referred_to_and_not_sent() -> None:
    sent = bundle([message()])
    known = {url: f"{kind}/{place}" for place, (kind, _, _, url) in enumerate(keys(named_in(sent)))}
    left = with_known(sent, known)
    assert named_in(left) == []
    assert {r for r in _references(left) if r.startswith("Practitioner/")} == {
        url for url in known.values() if url.startswith("Practitioner/")
    }
    assert set(known.values()) >= {r for r in _references(left) if not r.startswith(("urn:", "Patient"))}


def test_a_role_takes_part_for_its_time_and_is_not_there_twice() -> None:
    role = ROLE | {"ROL-5": "20261122090000", "ROL-6": "20261123090000"}
    encounter = one(bundle([message(fields=role | {"PV1-9": OAK})]), "Encounter")
    kinds = [found(p, "type.0.coding.0.code") for p in encounter["participant"]]
    assert kinds == ["ATND", "CON"]
    assert encounter["participant"][1]["period"] == {
        "start": "2026-11-22T09:00:00-08:00",
        "end": "2026-11-23T09:00:00-08:00",
    }


def test_a_role_that_says_how_to_reach_somebody_is_a_practitioner_role() -> None:
    sent = bundle([message(fields=ROLE | PHONE)])
    role = one(sent, "PractitionerRole")
    assert role["telecom"] == [{"system": "phone", "value": "+1-916-5550190", "use": "work"}]
    assert role["organization"]["display"] == "Sample Clinic"
    assert {o["name"] for o in resources(sent, "Organization")} == {"Sample Hospital SMC", "Sample Clinic"}
    (entry,) = entries(sent, "PractitionerRole")
    assert one(sent, "Encounter")["participant"][1]["individual"]["reference"] == entry["fullUrl"]


@pytest.mark.parametrize("action", ["DE", "UN"])
def test_a_role_that_ended_is_left_out(action: str) -> None:
    assert len(one(bundle([message(fields=ROLE | {"ROL-2": action})]), "Encounter")["participant"]) == 1


def test_prt_says_the_same_as_rol() -> None:
    prt = {"PRT-2": "AD", "PRT-4": "CP", "PRT-5": OAK, "PRT-15": PHONE["ROL-12"], "PRT-8": PHONE["ROL-14"]}
    by_prt = bundle([message(version="2.8", fields=prt)])
    by_rol = bundle([message(fields=ROLE | PHONE)])
    assert one(by_prt, "Encounter")["participant"] == one(by_rol, "Encounter")["participant"]
    assert one(by_prt, "PractitionerRole") == one(by_rol, "PractitionerRole")


def test_the_general_practitioner_comes_from_pd1_and_from_the_role_pp() -> None:
    sent = bundle([message(fields={"PD1-3": "Sample Practice^^88", "PD1-4": "9^Testdoctor-Ash^Mo"})])
    displays = [g["display"] for g in one(sent, "Patient")["generalPractitioner"]]
    assert displays == ["Sample Practice", "Mo Testdoctor-Ash"]
    both = bundle([message(fields=ROLE | PHONE | {"ROL-3": "PP", "PD1-4": OAK})])
    (one_only,) = one(both, "Patient")["generalPractitioner"]
    assert one_only["reference"] == entries(both, "PractitionerRole")[0]["fullUrl"]


@pytest.mark.parametrize(("segment", "where"), [("ROL-3", "ROL-3"), ("PRT-4", "PRT-4")])
def test_a_role_without_a_row_is_unmapped(segment: str, where: str) -> None:
    person = {"ROL-4": OAK} if segment == "ROL-3" else {"PRT-5": OAK}
    with pytest.raises(UnmappedCode) as caught:
        bundle([message(fields={segment: "WIZARD", **person})])
    assert (caught.value.table, caught.value.where) == ("0443", where)


def test_a_program_under_part_2_writes_nothing_into_the_directory() -> None:
    program = Facilities.load([{**ROWS[0], "part2": "yes"}]).of("SMC")
    sent = message(fields=ROLE | PHONE | {"PD1-4": OAK, "DG1-3": "F1020^Words^I10", "AL1-3": "^Invented pollen"})
    made = visit_bundle([sent], NOBODY, program, TABLES, CIN_SYSTEM, told=[(sent, ARRIVAL)])
    assert named_in(made) == []
    assert one(made, "Encounter")["participant"][0]["individual"]["identifier"]["value"] == "1234567893"
    assert all(e["resource"]["meta"]["security"] for e in made["entry"])
    assert {"Condition", "AllergyIntolerance"} <= {e["resource"]["resourceType"] for e in made["entry"]}


DETOX = {**ROWS[1], "facility": "DETOX", "part2": "yes", "npi": "1999999984"}


@pytest.mark.parametrize(
    ("fields", "guarded"),
    [
        ({}, False),
        ({"PV1-3": "U1^^^DETOX"}, True),
        ({"PV1-6": "U1^^^DETOX"}, True),
        ({"PV1-11": "U1^^^DETOX"}, True),
        ({"PV1-42": "U1^^^DETOX"}, True),
        ({"EVN-7": "DETOX"}, True),
        ({"EVN-7": "SMC^1999999984^NPI"}, True),
    ],
)
def test_a_stay_in_a_program_is_its_record_whoever_sends_it(fields: dict[str, str | None], guarded: bool) -> None:
    facilities = Facilities.load([ROWS[0], DETOX])
    later = message("A08", "2", at="20261122090000")
    assert facilities.guarded(SMC, [message(fields=fields), later]).part2 is guarded
