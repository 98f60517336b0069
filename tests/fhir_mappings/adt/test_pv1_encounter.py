from typing import Any

import pytest

from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import bundle, entries, mapped, message
from tests.fhir_mappings.adt.test_pid_patient import found

UNKNOWN = {
    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    "code": "unknown",
    "display": "Unknown",
}


@pytest.mark.parametrize(
    ("fields", "path", "value"),
    [
        ({}, "identifier.0.system", "https://smc.example/id/visit"),
        ({}, "identifier.0.value", "V1000123"),
        ({}, "class.code", "IMP"),
        ({"PV1-2": "V"}, "class.code", "OBSENC"),
        ({"PV1-2": ""}, "class", UNKNOWN),
        ({}, "type.0.coding.0.code", "E"),
        ({"PV1-4": "1"}, "type.0.coding.0.system", "https://www.nubc.org/CodeSystem/PriorityTypeOfAdmitOrVisit"),
        ({"PV1-4": ""}, "type", [{"coding": [UNKNOWN]}]),
        ({}, "period", {"start": "2026-11-22T08:15:00-08:00"}),
        ({}, "reasonCode", [{"text": "Chest pain"}]),
        ({"PV2-3": "Fell at home"}, "reasonCode", [{"text": "Fell at home"}]),
        (
            {"PV2-3": "", "DG1-3": "R07.9^Chest pain, unspecified^I10"},
            "reasonCode.0.text",
            "Chest pain, unspecified",
        ),
        ({"PV2-3": "", "DG1-3": "R07.9", "DG1-4": "Pain in chest"}, "reasonCode", [{"text": "Pain in chest"}]),
        ({"PV2": None}, "reasonCode", None),
        ({}, "hospitalization.admitSource.coding.0.code", "emd"),
        (
            {"PV1-14": "1"},
            "hospitalization.admitSource.coding.0.system",
            "http://terminology.hl7.org/CodeSystem/v2-0023",
        ),
        ({"PV1-36": "03"}, "hospitalization.dischargeDisposition.coding.0.code", "snf"),
        ({"PV1-14": ""}, "hospitalization", None),
        ({}, "location", [{"location": {"display": "4W 412-B"}, "status": "active"}]),
        ({"PV1-3": ""}, "location", None),
        ({}, "participant.0.type.0.coding.0.code", "ATND"),
        ({}, "participant.0.individual.identifier.value", "1234567893"),
        ({}, "participant.0.individual.display", "Dr. Pat Testdoctor-Birch"),
        (
            {"PV1-7": "77^Testdoctor^Sam"},
            "participant.0.individual",
            {"type": "Practitioner", "display": "Sam Testdoctor"},
        ),
        ({"PV1-7": "1234567890^^^^^^^^NPI"}, "participant", None),  # wrong check digit, no name
        ({"PV1-17": "5^Testdoctor^Lee"}, "participant.1.type.0.coding.0.code", "ADM"),
        ({}, "serviceProvider.display", "Sample Hospital SMC"),
        ({}, "serviceProvider.identifier.value", "1234567893"),
    ],
)
def test_a_field_becomes_its_element(fields: dict[str, str | None], path: str, value: object) -> None:
    assert found(mapped("Encounter", fields=fields), path) == value


@pytest.mark.parametrize("field", ["PV1-2", "PV1-4", "PV1-14", "PV1-36"])
def test_a_code_without_a_row_is_unmapped_at_its_field(field: str) -> None:
    with pytest.raises(UnmappedCode) as caught:
        mapped("Encounter", fields={field: "Q7"})
    assert (caught.value.where, caught.value.code) == (field, "Q7")


def test_the_encounter_is_a_conditional_update_by_visit_number() -> None:
    (entry,) = entries(bundle([message(visit="V 1\\F\\2,3")]), "Encounter")
    assert entry["request"] == {
        "method": "PUT",
        "url": "Encounter?identifier=https://smc.example/id/visit|V%201%5C%7C2%5C%2C3",
    }


@pytest.mark.parametrize(
    ("event", "arguments", "status"),
    [
        ("A01", {}, "in-progress"),
        ("A04", {}, "in-progress"),
        ("A04", {"fields": {"PV1-2": "E"}, "admitted": ""}, "in-progress"),
        ("A04", {"fields": {"PV1-2": "P"}}, "in-progress"),
        ("A03", {"discharged": "20261124120000"}, "finished"),
        ("A03", {}, "finished"),
        ("A08", {}, "in-progress"),
        ("A08", {"fields": {"PV1-2": "P"}}, "planned"),
        ("A08", {"discharged": "20261124120000"}, "finished"),
    ],
)
def test_the_status_follows_from_event_and_discharge_time(
    event: str, arguments: dict[str, Any], status: str
) -> None:
    encounter = mapped("Encounter", event, **arguments)
    assert encounter["status"] == status
    assert ("end" in encounter["period"]) is (status == "finished")


def test_a_discharge_without_a_time_ended_when_it_occurred() -> None:
    encounter = mapped("Encounter", "A03", at="20261124120000", fields={"EVN-6": "20261124113000"})
    assert encounter["period"]["end"] == "2026-11-24T11:30:00-08:00"
