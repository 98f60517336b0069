"""A notification becomes the record of a hospital message that says the same."""

from typing import Any

import pytest

from fhir_mappings.adt.problems import AdtProblem
from fhir_mappings.adt.records import CWE, PL, XCN, AdtMessage, given
from fhir_mappings.alerts.notification_adt import adt_message, is_notification, placed_once
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, SMC, TABLES, entries, message
from tests.fhir_mappings.adt.stay import bundle as visit_of
from tests.fhir_mappings.alerts.factory import ACT, NPI, alert, raw

DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
NUBC = "https://www.nubc.org/CodeSystem/PatDischargeStatus"
PART2 = {"system": ACT, "code": "42CFRPart2"}
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
OVER = {"status": "finished", "period": {"start": "2026-11-22T08:15:00-08:00", "end": "2026-11-23T10:00:00-08:00"}}


def read(*arguments: Any, **more: Any) -> AdtMessage:
    return adt_message(raw(*arguments, **more), SMC, CIN_SYSTEM, TABLES)


def test_bytes_say_by_themselves_which_format_they_are() -> None:
    assert is_notification(raw())
    assert not is_notification(b"MSH|^~\\&|EPICADT|SMC")


@pytest.mark.parametrize(
    ("code", "visit", "event"),
    [
        ("notification-admit", {}, "A01"),
        ("notification-admit", {"class": {"system": ACT, "code": "EMER"}}, "A04"),
        ("notification-admit", {"status": "planned"}, "A05"),
        ("notification-admit", {"status": "cancelled"}, "A11"),
        ("notification-admit", {"status": "entered-in-error"}, "A11"),
        ("notification-transfer", {}, "A02"),
        ("notification-discharge", OVER, "A03"),
        ("A11", {"status": "cancelled"}, "A11"),
        ("A12", {}, "A12"),
        ("A13", {}, "A13"),
    ],
)
def test_each_event_is_one_of_table_0003(code: str, visit: dict[str, Any], event: str) -> None:
    assert read(code, visit=visit).event == event


@pytest.mark.parametrize(
    ("code", "visit"),
    [
        ("notification-refill-request", {}),
        ("notification-invented", {}),
        ("notification-discharge", {}),
        ("notification-transfer", OVER),
        ("A03", OVER),
        ("A11", {}),
    ],
)
def test_other_events_and_contradicting_statuses_are_refused(code: str, visit: dict[str, Any]) -> None:
    with pytest.raises(AdtProblem) as refused:
        read(code, visit=visit)
    assert refused.value.where in ("MessageHeader.eventCoding", "Encounter.status")


def test_who_and_which_visit_are_read_by_the_facilitys_own_systems() -> None:
    found = read()
    assert [(one.id, one.type) for one in given(found.patient.identifiers) or ()] == [
        ("SMC0012345", "MR"),
        ("91234567A", "MA"),
    ]
    number = given(found.visit.visit_number)
    assert number is not None
    assert number.id == "V1000123"
    with pytest.raises(AdtProblem, match="No visit number"):
        read(visit={"identifier": [{"system": "https://other.example/visit", "value": "V1000123"}]})


def test_what_it_says_is_what_a_message_of_v2_would_have_said() -> None:
    found = read()
    assert found.visit.patient_class == CWE("I")
    assert found.visit.location == PL(point_of_care="4W")
    assert found.visit.attending == (XCN("1234567893", "Testdoctor-Birch", "Pat", "Dr.", "NPI", "NPI"),)
    assert [(d.code, given(d.type)) for d in found.diagnoses] == [(CWE("R07.9", "Chest pain", "I10"), None)]
    assert found.event_facility == (SMC.npi,)
    assert [(one.number, one.email) for one in given(found.patient.home_phones) or ()] == [
        ("916-555-0101", ""),
        ("", "robin@example.org"),
    ]
    assert given(found.patient.sex) == CWE("F")


def test_a_place_has_one_name_where_v2_names_it_too() -> None:
    """A place under two names would be a transfer that never was."""
    told, sent = read(at="2026-11-22T08:20:00-08:00"), message("A01")
    assert placed_once([told])[0].visit.location == PL(point_of_care="4W")
    for several in ([told, sent], [sent, told]):
        (made,) = entries(visit_of(placed_once(several)), "Encounter")
        (row,) = made["resource"]["location"]
        assert (row["location"]["display"], row["status"]) == ("4W 412-B", "active")


def test_the_end_counts_when_the_visit_is_over() -> None:
    """The guide's own example of an admission has an end."""
    period = {"start": "2026-11-22T08:15:00-08:00", "end": "2026-11-22T09:15:00-08:00"}
    assert read(visit={"period": period}).visit.discharged_at is None
    over = read("notification-discharge", visit=OVER)
    assert over.occurred_at == over.visit.discharged_at is not None


@pytest.mark.parametrize(
    ("codings", "code"),
    [
        ([(DISPOSITION, "home")], "home"),
        ([(NUBC, "06")], "06"),
        ([(DISPOSITION, "snf"), (NUBC, "03")], "03"),
        ([(DISPOSITION, "other-hcf")], "other-hcf"),
    ],
)
def test_a_code_says_no_more_than_its_sender_said(codings: list[tuple[str, str]], code: str) -> None:
    said = {"coding": [{"system": system, "code": one} for system, one in codings]}
    visit = OVER | {"hospitalization": {"dischargeDisposition": said}}
    assert read("notification-discharge", visit=visit).visit.discharge_disposition == CWE(code)
    (made,) = entries(visit_of([read("notification-discharge", visit=visit)]), "Encounter")
    written = made["resource"]["hospitalization"]["dischargeDisposition"]["coding"]
    assert {(DISPOSITION, "home")} != {(one["system"], one["code"]) for one in written} or code == "home"
    assert {(one["system"], one["code"]) for one in written} >= set(codings)


def test_a_notification_and_a_message_of_v2_are_one_visit() -> None:
    """The discharge comes as FHIR; the admission came by v2."""
    over = read("notification-discharge", visit=OVER, at="2026-11-23T10:01:00-08:00")
    (made,) = entries(visit_of([message("A01"), over]), "Encounter")
    assert made["resource"]["status"] == "finished"
    assert made["resource"]["period"] == OVER["period"]
    assert [one["value"] for one in made["resource"]["identifier"]] == ["V1000123"]


@pytest.mark.parametrize("place", ["bundle", "header", "encounter", "patient", "condition"])
def test_a_label_of_any_part_makes_all_of_it_a_record_of_a_program(place: str) -> None:
    sent = alert()
    resource = sent if place == "bundle" else sent["entry"][_PLACES[place]]["resource"]
    resource["meta"] = {"security": [PART2]}
    from hub.fhir import json

    found = adt_message(json.write(sent), SMC, CIN_SYSTEM, TABLES)
    assert found.part2


_PLACES = {"header": 0, "encounter": 1, "patient": 2, "condition": 3}


@pytest.mark.parametrize(
    ("coding", "labels", "restricted"),
    [
        ({"system": ACT, "code": "PSY"}, ("PSY",), False),
        ({"system": CONFIDENTIALITY, "code": "R"}, (), True),
        ({"system": CONFIDENTIALITY, "code": "V"}, ("SPI",), False),
        ({"system": CONFIDENTIALITY, "code": "N"}, (), False),
        ({"system": "https://elsewhere.example/labels", "code": "odd"}, ("SPI",), False),
        ({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}, (), False),
    ],
)
def test_no_label_is_lost(coding: dict[str, str], labels: tuple[str, ...], restricted: bool) -> None:
    found = read(visit={"meta": {"security": [coding]}})
    assert found.labels == labels
    assert (given(found.visit.protection) == CWE("Y")) is restricted
    assert (given(found.patient.protection) == CWE("Y")) is restricted


def test_an_organization_of_a_program_that_is_named_is_told() -> None:
    provider = {"identifier": [{"system": NPI, "value": "1999999984"}]}
    assert read(organization=provider).event_facility == ("1999999984",)
