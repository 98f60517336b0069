from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.problems import UnmappedCode
from tests.fhir_mappings.adt.stay import SMC, bundle, entries, mapped, message
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
            {"PV2-3": "R079^Chest pain^I10"},
            "reasonCode.0",
            {
                "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "R07.9"}],
                "text": "Chest pain",
            },
        ),
        ({"PV2-3": "", "DG1-3": "R07.9^Chest pain, unspecified^I10"}, "reasonCode", None),  # that is a Condition
        ({"PV1-16": "VIP^Invented guest"}, "hospitalization.specialCourtesy", [{"text": "Invented guest"}]),
        ({"PV1-16": "VIP"}, "hospitalization.specialCourtesy.0.text", "VIP"),
        ({"PV1-50": "ALT-7^^^SMC^VN"}, "identifier.1", {"system": f"{SMC.feed}:alternate-visit", "value": "ALT-7"}),
        ({"PV1-50": "^^^SMC"}, "identifier.1", None),
        ({"PV1-10": "MED"}, "serviceType.coding.0.code", "382"),
        ({"PV1-10": "PSY"}, "serviceType.coding.0.code", "PSYCH"),  # a word would have no label
        ({"PV1-10": "4TH"}, "serviceType", {"text": "4TH"}),
        ({"PV1-13": "R"}, "hospitalization.reAdmission.coding.0.code", "R"),
        ({"PV1-5": "PA7"}, "hospitalization.preAdmissionIdentifier.value", "PA7"),
        ({"PV1-37": "SAMPLE SNF"}, "hospitalization.destination.display", "SAMPLE SNF"),
        ({"PV2-11": "3"}, "length", {"value": 3, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}),
        ({"PV2-11": "some"}, "length", None),
        ({"PV2-25": "1"}, "priority.coding.0.code", "EM"),
        ({"PV2-8": "20261201"}, "extension.0.valueDateTime", "2026-12-01"),
        ({"PV1-52": "8^Testdoctor^Noor"}, "participant.1.type.0.coding.0.code", "PART"),
        ({"PV2": None}, "reasonCode", None),
        ({}, "hospitalization.admitSource.coding.0.code", "emd"),
        (
            {"PV1-14": "1"},
            "hospitalization.admitSource.coding.0.system",
            "http://terminology.hl7.org/CodeSystem/v2-0023",
        ),
        ({"PV1-36": "03"}, "hospitalization.dischargeDisposition.coding.0.code", "snf"),
        ({"PV1-14": ""}, "hospitalization", None),
        ({}, "location.0.location.display", "4W 412-B"),
        ({}, "location.0.status", "active"),
        ({}, "location.0.period", {"start": "2026-11-22T08:15:00-08:00"}),
        ({"PV1-2": "R"}, "class.system", "http://terminology.hl7.org/CodeSystem/v2-0004"),
        ({"PV1-3": ""}, "location", None),
        ({}, "participant.0.type.0.coding.0.code", "ATND"),
        ({}, "participant.0.individual.identifier.value", "1234567893"),
        ({}, "participant.0.individual.display", "Dr. Pat Testdoctor-Birch"),
        ({"PV1-7": "77^Testdoctor^Sam"}, "participant.0.individual.display", "Sam Testdoctor"),
        ({"PV1-7": "77^Testdoctor^Sam"}, "participant.0.individual.identifier", None),
        (
            {"PV1-7": "^Testdoctor^Sam"},
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


def test_a_local_table_gives_a_vip_a_code(tmp_path: Path) -> None:
    row = "VIP,http://terminology.hl7.org/CodeSystem/v3-EncounterSpecialCourtesy,VIP,very important person,ours"
    (tmp_path / "0099.csv").write_text(f"code,system,target,display,source\n{row}\n", encoding="utf-8")
    (encounter,) = (
        entry["resource"]
        for entry in entries(
            bundle([message(fields={"PV1-16": "VIP"})], tables=CodeTables.load(tmp_path)), "Encounter"
        )
    )
    assert encounter["hospitalization"]["specialCourtesy"][0]["coding"][0]["code"] == "VIP"
