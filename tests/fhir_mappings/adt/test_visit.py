from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.allergyintolerance import AllergyIntolerance
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.coverage import Coverage
from fhir.resources.R4B.encounter import Encounter
from fhir.resources.R4B.location import Location
from fhir.resources.R4B.organization import Organization
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.practitioner import Practitioner
from fhir.resources.R4B.practitionerrole import PractitionerRole
from fhir.resources.R4B.provenance import Provenance
from fhir.resources.R4B.relatedperson import RelatedPerson
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.validation import structure
from fhir_mappings.adt.directory import named_in
from fhir_mappings.adt.problems import AdtProblem, MissingIdentifier, UnmappedCode
from fhir_mappings.adt.visit import KnownMember
from tests.fhir_mappings.adt.stay import bundle, entries, fixture, message, one, resources

TYPES: dict[str, Any] = {
    "Patient": Patient,
    "Encounter": Encounter,
    "Coverage": Coverage,
    "RelatedPerson": RelatedPerson,
    "Provenance": Provenance,
    "AllergyIntolerance": AllergyIntolerance,
    "Condition": Condition,
    "Location": Location,
    "Organization": Organization,
    "Practitioner": Practitioner,
    "PractitionerRole": PractitionerRole,
}
READABLE = [
    "epic_a04_ed_registration_2.5.1",
    "cerner_a01_admit_2.3",
    "cerner_a03_discharge_2.3",
    "meditech_a08_update_2.8",
    "odd_delimiters_latin1_a01_2.5",
]

ADMIT = message("A01", "9", at="20261122081530")
UPDATE = message("A08", "10", at="20261122093000", fields={"PV1-3": "ICU^2^A^SMC", "PV1-14": "", "PID-8": '""'})
MOVED = message("A08", "11", at="20261122093000", fields={"PV1-3": "5E^501^A^SMC", "NK1": None, "IN1-36": "TM-7"})
DISCHARGE = message("A03", "12", at="20261124120000", discharged="20261124114500", fields={"PV1-36": "03"})
AFTERWARDS = message(
    "A08", "13", at="20261125080000", fields={"PV1-44": "", "PV1-36": "06", "NK1-2": "Testperson^New"}
)
STAY = [ADMIT, UPDATE, MOVED, DISCHARGE, AFTERWARDS]


def without_provenance(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in found["entry"] if entry["resource"]["resourceType"] != "Provenance"]


@pytest.mark.parametrize("name", READABLE)
def test_what_vendors_send_becomes_valid_fhir(name: str) -> None:
    found = bundle([fixture(name)])
    Bundle.model_validate(found)
    for entry in found["entry"]:
        TYPES[entry["resource"]["resourceType"]].model_validate(entry["resource"])
        assert list(structure.validate(entry["resource"])) == []
    assert {"Patient", "Encounter", "Provenance"} <= {e["resource"]["resourceType"] for e in found["entry"]}


@pytest.mark.parametrize("name", READABLE)
def test_us_core_finds_its_required_elements(name: str) -> None:
    found = bundle([fixture(name)])
    required = {
        "Patient": ("identifier", "name", "gender"),
        "Encounter": ("status", "class", "type", "subject"),
        "Coverage": ("status", "subscriberId", "beneficiary", "relationship", "payor"),
        "RelatedPerson": ("active", "patient", "relationship", "name"),
        "Provenance": ("target", "recorded", "agent"),
    }
    for kind, elements in required.items():
        for resource in resources(found, kind):
            assert [element for element in elements if element not in resource] == []


def test_an_emergency_registration_of_one_vendor_is_mapped_whole() -> None:
    found = bundle([fixture("epic_a04_ed_registration_2.5.1")])
    patient, encounter = one(found, "Patient"), one(found, "Encounter")
    assert patient["name"][0] == {"use": "official", "family": "Testperson-Núñez", "given": ["María José", "D"]}
    assert [i["value"] for i in patient["identifier"]] == ["E1004477", "91234567A"]
    assert (encounter["status"], encounter["class"]["code"]) == ("in-progress", "EMER")
    assert [c["relationship"]["coding"][0]["code"] for c in resources(found, "Coverage")] == ["self", "spouse"]
    assert len(resources(found, "RelatedPerson")) == 2


def test_admission_and_discharge_of_an_old_version_make_one_finished_encounter() -> None:
    found = bundle([fixture("cerner_a03_discharge_2.3"), fixture("cerner_a01_admit_2.3")])
    encounter = one(found, "Encounter")
    assert encounter["period"] == {"start": "2026-11-03T13:58:00-08:00", "end": "2026-11-09T15:12:00-08:00"}
    assert encounter["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "snf"
    assert encounter["reasonCode"] == [{"text": "Hip fracture after fall"}]


def test_an_unmapped_fixture_names_table_and_field_and_no_content() -> None:
    with pytest.raises(UnmappedCode) as caught:
        bundle([fixture("unmapped_discharge_disposition")])
    assert (caught.value.table, caught.value.where) == ("0112", "PV1-36")
    assert "HOTEL" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.permutations(STAY), st.lists(st.sampled_from(STAY), max_size=4))
def test_any_order_of_arrival_with_any_repetition_gives_the_same_result(order: list[Any], again: list[Any]) -> None:
    assert without_provenance(bundle([*order, *again])) == without_provenance(bundle(STAY))


@settings(max_examples=30, deadline=None)
@given(st.permutations(STAY[:4]))
def test_after_the_last_arrival_the_encounter_is_finished_whatever_came_last(order: list[Any]) -> None:
    encounter = one(bundle(order), "Encounter")
    assert encounter["status"] == "finished"
    assert encounter["period"] == {"start": "2026-11-22T08:15:00-08:00", "end": "2026-11-24T11:45:00-08:00"}
    (stay,) = encounter["location"]
    assert (stay["location"]["display"], stay["status"]) == ("4W 412-B", "completed")
    assert stay["period"] == encounter["period"]


def test_control_ids_of_one_moment_count_as_numbers_do() -> None:
    later, earlier = message("A08", "10", fields={"PV1-3": "NEW"}), message("A08", "9", fields={"PV1-3": "OLD"})
    encounter = one(bundle([later, earlier]), "Encounter")
    assert encounter["location"][0]["location"]["display"] == "NEW"


def test_two_messages_under_one_control_id_and_moment_still_have_one_order() -> None:
    one_bed, other_bed = message("A08", "9", fields={"PV1-3": "B1"}), message("A08", "9", fields={"PV1-3": "B2"})
    first, second = bundle([one_bed, other_bed]), bundle([other_bed, one_bed])
    assert without_provenance(first) == without_provenance(second)


def test_an_older_message_that_arrives_later_changes_nothing_newer() -> None:
    encounter = one(bundle([UPDATE, ADMIT]), "Encounter")
    assert encounter["location"][0]["location"]["display"] == "ICU 2-A"


def test_empty_leaves_the_admit_source_and_the_null_takes_the_discharge_back() -> None:
    undone = message("A08", "14", at="20261126080000", fields={"PV1-45": '""', "PV1-14": "", "PV1-36": '""'})
    encounter = one(bundle([ADMIT, DISCHARGE, undone]), "Encounter")
    assert encounter["status"] == "in-progress"
    assert "end" not in encounter["period"]
    assert encounter["hospitalization"].keys() == {"admitSource"}


def test_an_admission_after_the_emergency_discharge_opens_the_visit_again() -> None:
    registered = message("A04", "1", at="20261122080000", admitted="20261122075500")
    left = message("A03", "2", at="20261122110000", discharged="20261122105500", fields={"PV1-36": "09"})
    admitted = message("A01", "3", at="20261122111000", admitted="20261122110500")
    encounter = one(bundle([registered, left, admitted]), "Encounter")
    assert (encounter["status"], encounter["period"]) == ("in-progress", {"start": "2026-11-22T11:05:00-08:00"})
    assert "dischargeDisposition" not in encounter.get("hospitalization", {})


def test_an_admission_recorded_after_the_discharge_does_not_open_it_again() -> None:
    late = message("A01", "99", at="20261124150000")
    assert one(bundle([DISCHARGE, late]), "Encounter")["status"] == "finished"


def test_a_late_message_of_an_older_visit_leaves_newer_facts_about_the_person() -> None:
    current = {"resourceType": "Patient", "id": "p1", "gender": "male", "identifier": []}
    newer = KnownMember("p1", True, current, as_of=datetime(2027, 1, 1, tzinfo=UTC))
    found = bundle([ADMIT], newer)
    assert one(found, "Patient")["gender"] == "male"
    assert resources(found, "Coverage") + resources(found, "RelatedPerson") == []
    assert one(found, "Encounter")["status"] == "in-progress"


def test_the_provenance_names_the_last_arrived_message_and_everything_written() -> None:
    found = bundle([DISCHARGE, ADMIT])
    provenance = one(found, "Provenance")
    assert provenance["entity"][0]["what"]["identifier"] == {"system": "urn:calaim-hub:adt:SMC", "value": "9"}
    assert provenance["activity"]["coding"][0]["code"] == "A01"
    assert provenance["recorded"] == "2026-11-22T16:16:00.123Z"
    assert provenance["agent"][0]["who"]["display"] == "Sample Hospital SMC"
    written = [entry["fullUrl"] for entry in found["entry"][:-1] if entry not in named_in(found)]
    assert named_in(found)
    assert [target["reference"] for target in provenance["target"]] == written


def test_full_urls_are_unique_and_the_same_at_a_replay() -> None:
    first, second = bundle([ADMIT]), bundle([ADMIT])
    urls = [entry.get("fullUrl", entry["request"]["url"]) for entry in first["entry"]]
    assert len(urls) == len(set(urls))
    assert first == second


def test_a_cin_that_only_the_first_message_carried_is_kept() -> None:
    later = message("A08", "2", at="20261122100000", cin=None, fields={"IN1": None})
    assert [i["value"] for i in one(bundle([ADMIT, later]), "Patient")["identifier"]] == ["SMC0012345", "91234567A"]


def test_a_message_without_any_identifier_is_refused() -> None:
    with pytest.raises(MissingIdentifier):
        bundle([message(fields={"PID-3": "", "IN1": None})])


def test_messages_of_two_visits_are_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="one visit"):
        bundle([ADMIT, message(visit="V2")])


def test_no_problem_text_holds_content_of_a_message() -> None:
    canary = "Canary-Quokka"
    for field in ("PID-8", "PID-16", "PV1-2", "PV1-36", "NK1-3", "IN1-17", "PID-7", "PV1-44", "PID-30"):
        with pytest.raises(AdtProblem) as caught:
            bundle([message(fields={field: canary})])
        assert canary not in f"{caught.value} {caught.value.args}"
        assert caught.value.where == field


def test_a_coverage_written_twice_in_one_visit_is_one_entry() -> None:
    changed = message("A08", "2", at="20261122100000", fields={"IN1-12": "20260301"})
    found = entries(bundle([ADMIT, changed]), "Coverage")
    assert [(e["resource"]["status"], e["resource"]["period"]["start"]) for e in found] == [
        ("active", "2026-03-01")
    ]


@pytest.mark.parametrize(("first", "second"), [("9", "10"), ("9", "9999"), ("", "1")])
def test_messages_of_one_moment_are_in_the_order_of_their_sequence_numbers(first: str, second: str) -> None:
    """MSH-13; their control ids say the opposite."""
    older = message("A08", "B", fields={"MSH-13": first, "PV1-3": "4W^1^A^SMC"})
    newer = message("A08", "A", fields={"MSH-13": second, "PV1-3": "ICU^1^A^SMC"})
    for order in ([older, newer], [newer, older]):
        assert one(bundle([message(), *order]), "Encounter")["location"][-1]["location"]["display"] == "ICU 1-A"


@pytest.mark.parametrize("text", ["x", "-1", "1" * 16, "\u0661"])
def test_what_is_no_sequence_number_orders_nothing(text: str) -> None:
    assert message(fields={"MSH-13": text}).sequence == -1
