"""CalOMS-style records, consents and tools as files, and the status record as FHIR."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from conformance.validation import structure
from hub.feeds.records import ABOUT, DIRECTORY, PERSON, Feed, Given
from tests.adapters.county_bh.reading import (
    KINDS,
    NPI,
    SYSTEM,
    bundle,
    read,
    rejects,
    resources,
    rows,
    subjects,
    warnings,
    written,
)

CALOMS = {
    "record_type": "1",
    "record_date": "2026-03-02",
    "county_client_number": "006132464",
    "provider_org_npi": NPI,
    "admission_date": "2026-03-02",
    "living_arrangement": "1",
}
CONSENT = {
    "consent_id": "CONSENT-1",
    "county_client_number": "006132464",
    "form": "part2-named-recipient",
    "discloser": "general",
    "information": "42CFRPart2; PSY",
    "recipient_npi": NPI,
    "purpose": "TREAT",
    "expires_on": "2030-03-01",
    "signer": "patient",
    "signed_on": "2026-03-01",
}
TOOL: dict[str, Any] = {
    "tool": "adult-screening",
    "tool_id": "T-1",
    "county_client_number": "006132463",
    "completed_on": "2026-03-01",
    "answers": {"1": True, "2": 7, "3": "invented", "4": ["a", "b"]},
    "pdf": base64.b64encode(b"%PDF-1.7 invented").decode(),
}
QUESTIONNAIRES = {
    "adult-screening": {"version": "2023", "item": [{"linkId": "1", "type": "boolean", "text": "Invented?"}]}
}
TOOL_FEED = Feed("county-tool", "county-tool", SYSTEM, options={"questionnaires": QUESTIONNAIRES})


def all_valid(given: list[Given], kind: str, feed: Feed = TOOL_FEED) -> list[dict[str, Any]]:
    found = resources(given, kind, feed)
    for one in found:
        assert list(structure.validate(one, one["resourceType"], conditional_references=True)) == []
    return found


def tool(path: Path, *changes: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(TOOL | change) + "\n" for change in changes))
    return path


def test_a_caloms_record_becomes_an_episode_and_what_it_says(tmp_path: Path) -> None:
    given = read(written(tmp_path / "caloms.csv", CALOMS, {}), "county-caloms")
    assert [row.stage for row in rows(given)] == [PERSON]
    kinds = [one["resourceType"] for one in all_valid(given, "county-caloms")]
    assert kinds == ["CareTeam", "EpisodeOfCare", "Observation"]


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"record_type": ""}, "REQUIRED", "record_type"),
        ({"admission_date": "2026-13-01"}, "DATE", "admission_date"),
        ({"discharge_date": "2026-03-01"}, "DATE", "discharge_date"),
        ({"provider_org_npi": "1"}, "IDENTIFIER", "provider_org_npi"),
        ({"living_arrangement": "x" * 9}, "LENGTH", "living_arrangement"),
    ],
)
def test_a_bad_caloms_record_says_where(tmp_path: Path, change: dict[str, str], code: str, column: str) -> None:
    given = read(written(tmp_path / "caloms.csv", CALOMS, change), "county-caloms")
    assert rejects(given) == [(code, 2, column)]


def test_a_consent_is_about_a_client_and_by_itself(tmp_path: Path) -> None:
    given = read(written(tmp_path / "consents.csv", CONSENT, {}, {"consent_id": "CONSENT-2"}), "county-consent")
    assert (rejects(given), warnings(given)) == ([], [])
    found = subjects(given)
    assert [row.stage for row in rows(given)] == [ABOUT, ABOUT]
    assert [KINDS["county-consent"].about(one) for one in found] == ["006132464", "006132464"]
    assert KINDS["county-consent"].said(found[0]) is None
    assert len(all_valid(given, "county-consent")) == 2


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ({"purpose": ""}, ("REQUIRED", 2, "purpose")),
        ({"expires_on": ""}, ("REQUIRED", 2, "expires_on")),
        ({"recipient_npi": ""}, ("REQUIRED", 2, "recipient_npi")),
        ({"information": "", "form": "ascmi-ab133"}, ("REQUIRED", 2, "information")),
        ({"signer": "representative"}, ("UNSUPPORTED", 2, "signer")),
        ({"discloser": "Harbor Invented Detox"}, ("UNSUPPORTED", 2, "discloser")),
    ],
)
def test_a_consent_that_opens_nothing_is_kept_and_named(
    tmp_path: Path, change: dict[str, str], warned: tuple[str, int, str]
) -> None:
    given = read(written(tmp_path / "consents.csv", CONSENT, change), "county-consent")
    assert len(rows(given)) == 1
    assert warnings(given) == [warned]


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"form": "general release"}, "CODE", "form"),
        ({"information": "everything"}, "CODE", "information"),
        ({"purpose": "HMARKT"}, "CODE", "purpose"),
        ({"signed_on": ""}, "REQUIRED", "signed_on"),
        ({"expires_on": "2026-02-01"}, "DATE", "expires_on"),
        ({"recipient_class": "ecm-provider"}, "TYPE", "recipient_class"),
        ({"recipient_npi": "", "recipient_class": "everybody"}, "CODE", "recipient_class"),
    ],
)
def test_a_bad_consent_says_where(tmp_path: Path, change: dict[str, str], code: str, column: str) -> None:
    given = read(written(tmp_path / "consents.csv", CONSENT, change), "county-consent")
    assert rejects(given) == [(code, 2, column)]


def test_the_tpo_form_and_a_revocation_lack_nothing(tmp_path: Path) -> None:
    bare = {"purpose": "", "expires_on": "", "recipient_npi": "", "information": ""}
    path = written(tmp_path / "c.csv", CONSENT, {"form": "part2-tpo", **bare}, {"form": "ascmi-revocation", **bare})
    assert warnings(read(path, "county-consent")) == []


def test_a_tool_is_its_questionnaire_its_answers_and_its_pdf(tmp_path: Path) -> None:
    given = read(tool(tmp_path / "tools.ndjson", {}), "county-tool", TOOL_FEED)
    assert [row.stage for row in rows(given)] == [DIRECTORY, ABOUT]
    questionnaire, document, response = all_valid(given, "county-tool")
    assert (questionnaire["status"], questionnaire["url"]) == ("active", response["questionnaire"])
    assert [item["answer"] for item in response["item"]] == [
        [{"valueBoolean": True}],
        [{"valueInteger": 7}],
        [{"valueString": "invented"}],
        [{"valueString": "a"}, {"valueString": "b"}],
    ]
    assert document["content"][0]["attachment"]["contentType"] == "application/pdf"
    assert {one["code"] for one in response["meta"]["security"]} == {"PSY", "42CFRPart2", "ETH"}


def test_without_a_deployments_items_there_is_no_questionnaire_row(tmp_path: Path) -> None:
    given = read(tool(tmp_path / "tools.ndjson", {"part2_program": "N"}), "county-tool")
    assert [row.kind for row in rows(given)] == ["tool"]
    assert {one["code"] for one in all_valid(given, "county-tool")[0]["meta"]["security"]} == {"PSY"}


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"tool": "another"}, "CODE", "tool"),
        ({"completed_on": "someday"}, "DATE", "completed_on"),
        ({"pdf": "bm8gcGRm"}, "TYPE", "pdf"),
        ({"pdf": "%%%"}, "TYPE", "pdf"),
        ({"answers": ["a"]}, "TYPE", "answers"),
        ({"answers": {"1": {"nested": 1}}}, "TYPE", "answers"),
        ({"canary-name": "x"}, "HEADER_UNKNOWN", ""),
        ({"tool_id": "x" * 65}, "LENGTH", "tool_id"),
    ],
)
def test_a_bad_tool_says_where(tmp_path: Path, change: dict[str, Any], code: str, column: str) -> None:
    given = read(tool(tmp_path / "tools.ndjson", change, {}), "county-tool")
    assert rejects(given) == [(code, 1, column)]
    assert len(rows(given)) == 1


def test_a_tool_without_its_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tools.ndjson"
    path.write_text(json.dumps({name: value for name, value in TOOL.items() if name != "tool_id"}))
    assert rejects(read(path, "county-tool")) == [("REQUIRED", 1, "tool_id")]


PATIENT = {
    "resourceType": "Patient",
    "id": "c1",
    "meta": {"lastUpdated": "2026-04-01T08:00:00Z"},
    "identifier": [
        {"system": SYSTEM, "value": "006132463"},
        {"system": "https://calaim-hub.example/fhir/sid/medi-cal-cin", "value": "91234567A"},
    ],
    "name": [{"family": "Testperson-Alder", "given": ["Robin"]}],
    "birthDate": "1980-02-15",
}
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
EPISODE: dict[str, Any] = {
    "resourceType": "EpisodeOfCare",
    "meta": {"lastUpdated": "2026-04-01T08:00:00Z", "security": [{"system": ACT, "code": "PSY"}]},
    "contained": [
        {
            "resourceType": "Condition",
            "id": "d",
            "subject": {"reference": "Patient/c1"},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]},
        }
    ],
    "extension": [
        {"url": "https://calaim-hub.example/fhir/StructureDefinition/level-of-care", "valueString": "2.1"}
    ],
    "identifier": [{"system": "urn:invented", "value": "E-1"}],
    "status": "active",
    "type": [
        {
            "coding": [
                {
                    "system": "https://calaim-hub.example/fhir/CodeSystem/county-behavioral-health-system",
                    "code": "SMHS",
                }
            ]
        }
    ],
    "diagnosis": [{"condition": {"reference": "#d"}}],
    "patient": {"reference": "Patient/c1"},
    "managingOrganization": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": NPI}},
    "period": {"start": "2026-03-02"},
}
ROW = {
    "county_client_number": "006132463",
    "system": "SMHS",
    "status": "open",
    "open_date": "2026-03-02",
    "level_of_care": "2.1",
    "provider_org_npi": NPI,
    "part2_program": "N",
    "as_of": "2026-04-01",
    "episode_id": "E-1",
    "diagnosis": ["F33.1"],
}


def ndjson(path: Path, *found: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in found))
    return path


def test_an_episode_as_fhir_is_the_row_that_a_csv_would_have_had(tmp_path: Path) -> None:
    given = read(ndjson(tmp_path / "county.ndjson", PATIENT, EPISODE))
    assert rejects(given) == []
    client, status = rows(given)
    assert dict(status.values) == ROW
    assert (client.subject, client.values["cin"], client.values["dob"]) == ("006132463", "91234567A", "1980-02-15")


def test_a_bundle_says_the_same_as_ndjson(tmp_path: Path) -> None:
    path = tmp_path / "county.json"
    about = EPISODE | {"patient": {"reference": "urn:uuid:c1"}}
    path.write_text(json.dumps(bundle(PATIENT, about)))
    lines = read(ndjson(tmp_path / "county.ndjson", PATIENT, EPISODE))
    assert [row.values for row in rows(read(path))] == [row.values for row in rows(lines)]


def test_whom_an_episode_is_about_may_be_said_by_the_client_number(tmp_path: Path) -> None:
    about = EPISODE | {"patient": {"identifier": {"system": SYSTEM, "value": "006132463"}}}
    (row,) = rows(read(ndjson(tmp_path / "county.ndjson", about)))
    assert row.subject == "006132463"


def test_fhir_and_csv_become_the_same_resources(tmp_path: Path) -> None:
    cells = {name: " ".join(value) if isinstance(value, list) else value for name, value in ROW.items()}
    who = {"cin": "91234567A", "last": "Testperson-Alder", "first": "Robin", "dob": "1980-02-15", "close_date": ""}
    lines = read(ndjson(tmp_path / "county.ndjson", PATIENT, EPISODE))
    table = read(written(tmp_path / "county.csv", cells | who, {}))
    assert resources(lines, "county") == resources(table, "county")
    said = [KINDS["county"].said(subjects(given)[0]) for given in (lines, table)]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("security", "program"),
    [([{"system": ACT, "code": "42CFRPart2"}], "Y"), ([], None), ([{"system": ACT, "code": "ETH"}], "N")],
)
def test_labels_say_whether_the_program_is_one(tmp_path: Path, security: list[Any], program: str | None) -> None:
    about = EPISODE | {"meta": EPISODE["meta"] | {"security": security}}
    _, row = rows(read(ndjson(tmp_path / "county.ndjson", PATIENT, about)))
    assert row.values.get("part2_program") == program


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"resourceType": "Claim"}, "UNSUPPORTED", "resourceType"),
        ({"status": "onhold-ish"}, "CODE", "status"),
        ({"patient": {"reference": "Patient/nobody"}}, "REQUIRED", "county_client_number"),
        ({"patient": "Patient/c1"}, "REQUIRED", "county_client_number"),
        ({"period": "2026"}, "REQUIRED", "open_date"),
        ({"type": 7}, "REQUIRED", "system"),
        ({"meta": {}}, "REQUIRED", "as_of"),
    ],
)
def test_what_fhir_leaves_out_is_refused_as_in_a_row(
    tmp_path: Path, change: dict[str, Any], code: str, column: str
) -> None:
    given = read(ndjson(tmp_path / "county.ndjson", PATIENT, EPISODE | change))
    assert (code, 2, column) in rejects(given)
    assert len(rows(given)) == 1


def test_what_is_no_bundle_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "county.json"
    for content in (b"{}", b"[]", b"no json", b"\xff\xfe", b'{"resourceType": "Bundle", "entry": {}}'):
        path.write_bytes(content)
        assert rejects(read(path)) == [("FORMAT", 0, "")]


def test_a_referral_as_fhir_is_a_referral(tmp_path: Path) -> None:
    asked = {
        "resourceType": "ServiceRequest",
        "meta": {"lastUpdated": "2026-04-01T08:00:00Z"},
        "status": "active",
        "intent": "order",
        "code": EPISODE["type"][0],
        "subject": {"reference": "Patient/c1"},
        "authoredOn": "2026-03-28T10:00:00-07:00",
    }
    given = read(ndjson(tmp_path / "county.ndjson", PATIENT, asked))
    assert [one["resourceType"] for one in all_valid(given, "county")] == ["ServiceRequest"]
