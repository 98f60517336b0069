"""XML in and out over the whole API: what comes in XML is what JSON would have brought, and the other way round."""

from typing import Any

import pytest

from hub.fhir import xml
from tests.hub.asking import Api, entry, mrn, observation, patient

FHIR_XML = "application/fhir+xml"
CONTENT_TYPE = f"{FHIR_XML}; charset=utf-8"
NS = 'xmlns="http://hl7.org/fhir"'
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Invented &amp; <b>spaced</b></div>'

FULL = patient(
    "a",
    text={"status": "generated", "div": DIV},
    contained=[{"resourceType": "Organization", "id": "o", "name": "Invented <Clinic>"}],
    extension=[{"url": "https://invented.invalid/weight", "valueDecimal": 72}],
    identifier=mrn("1"),
    name=[
        {
            "family": 'Invented "Family"',
            "given": ["A", "B"],
            "_given": [None, {"extension": [{"url": "https://invented.invalid/x", "valueCode": "y"}]}],
        }
    ],
    birthDate="1980-02",
    managingOrganization={"reference": "#o"},
)


def send(api: Api, method: str, path: str, resource: dict[str, Any] | bytes, **headers: str) -> Any:
    """Sends XML, takes XML; gives the status and what the XML says."""
    body = resource if isinstance(resource, bytes) else xml.write(resource)
    answer = api.ask(method, path, body, Content_Type=FHIR_XML, Accept=FHIR_XML, **headers)
    assert answer.content_type == CONTENT_TYPE, answer.text
    return answer.status_code, xml.read(answer.data)


def without_meta(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "meta"}


def test_what_is_written_in_xml_is_read_in_both_formats(api: Api) -> None:
    status, stored = send(api, "PUT", "/Patient/a", FULL)
    assert (status, without_meta(stored), stored["meta"]["versionId"]) == (201, FULL, "1")
    in_json = api.get("/Patient/a")
    assert in_json.json == stored
    in_xml = api.get("/Patient/a", Accept=FHIR_XML)
    assert xml.read(in_xml.data) == stored
    assert in_xml.headers["ETag"] == in_json.headers["ETag"]
    assert xml.read(api.get("/Patient/a/_history/1?_format=xml").data) == stored


def test_digits_survive_xml(api: Api) -> None:
    body = xml.write(observation("w")).replace(b"</Observation>", b"%s</Observation>")
    status, _ = send(api, "PUT", "/Observation/w", body % b'<valueQuantity><value value="72.50"/></valueQuantity>')
    assert status == 201
    assert b'"value":72.50' in api.get("/Observation/w").data
    assert b'<value value="72.50"/>' in api.get("/Observation/w", Accept=FHIR_XML).data


def test_create_answers_in_xml_with_a_new_id(api: Api) -> None:
    status, stored = send(api, "POST", "/Patient", patient(active=True), If_None_Exist="identifier=x")
    assert (status, stored["active"]) == (201, True)
    assert api.get(f"/Patient/{stored['id']}").json["active"] is True


def test_a_search_answers_a_bundle_in_xml(api: Api) -> None:
    api.have(FULL, patient("b"))
    answer = api.get("/Patient?_id=a,b&_sort=_lastUpdated&_format=xml")
    bundle = xml.read(answer.data)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == CONTENT_TYPE
    assert bundle["type"] == "searchset"
    assert [e["resource"]["id"] for e in bundle["entry"]] == ["a", "b"]
    assert without_meta(bundle["entry"][0]["resource"]) == FULL
    history = xml.read(api.get("/Patient/a/_history", Accept=FHIR_XML).data)
    assert history["type"] == "history"


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_bundle_is_worked_off_in_xml(api: Api, kind: str) -> None:
    entries = [entry("PUT", "Patient/a", FULL), entry("GET", "Patient/a"), entry("DELETE", "Patient/none")]
    status, answer = send(api, "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})
    assert (status, answer["type"]) == (200, f"{kind}-response")
    assert [e["response"]["status"][:3] for e in answer["entry"]] == ["201", "200", "204"]
    assert without_meta(answer["entry"][1]["resource"]) == FULL


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "/Patient/1", f"<Patient {NS}>".encode(), 400, "structure"),
        ("PUT", "/Patient/1", f'<!DOCTYPE x><Patient {NS}><id value="1"/></Patient>'.encode(), 400, "structure"),
        ("PUT", "/Patient/1", f'<Patient {NS}><id value="2"/></Patient>'.encode(), 400, "invalid"),
        ("POST", "/Observation", f'<Patient {NS}><active value="true"/></Patient>'.encode(), 400, "invalid"),
        ("POST", "/Observation", f"<Observation {NS}/>".encode(), 400, "required"),
        ("POST", "/Patient", f'<Patient {NS}><active value="yes"/></Patient>'.encode(), 400, "value"),
        ("POST", "/Patient", f'<Patient {NS}><birthDate value="2026-02-30"/></Patient>'.encode(), 400, "value"),
        ("POST", "/Patient", f'<Patient {NS}><gender value="M"/></Patient>'.encode(), 422, "code-invalid"),
        (
            "POST",
            "/Patient",
            f'<Patient {NS}><name><text value="{"a" * (2**20 + 1)}"/></name></Patient>'.encode(),
            400,
            "too-long",
        ),
        (
            "POST",
            "/Patient",
            f'<Patient {NS}><deceasedBoolean value="true"/><deceasedDateTime value="2026"/></Patient>'.encode(),
            400,
            "structure",
        ),
        (
            "POST",
            "/Patient",
            f'<Patient {NS}><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">'
            f"<script>a</script></div></text></Patient>".encode(),
            400,
            "invalid",
        ),
    ],
)
def test_a_refusal_is_an_outcome_in_xml(
    api: Api, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    got, outcome = send(api, method, path, body)
    assert (got, outcome["resourceType"], outcome["issue"][0]["code"]) == (status, "OperationOutcome", code)
    assert not any(api.counts().values())


def test_what_is_not_there_is_told_in_xml(api: Api) -> None:
    answer = api.get("/Patient/none", Accept=FHIR_XML)
    assert (answer.status_code, answer.content_type) == (404, CONTENT_TYPE)
    assert xml.read(answer.data)["issue"][0]["code"] == "not-found"


def test_a_message_with_a_control_character_is_still_xml(api: Api) -> None:
    answer = api.get("/Patient?a%01b=1", Accept=FHIR_XML)
    assert answer.status_code == 400
    assert xml.read(answer.data)["resourceType"] == "OperationOutcome"


def test_pretty_xml_has_a_line_for_each_element(api: Api) -> None:
    api.have(FULL)
    plain, pretty = (api.get(f"/Patient/a?_format=xml&_pretty={word}").data for word in ("false", "true"))
    assert pretty.count(b"\n") > plain.count(b"\n") + 10
    assert xml.read(pretty) == xml.read(plain)


def test_the_capability_statement_is_there_in_xml_and_names_it(api: Api) -> None:
    statement = xml.read(api.get("/metadata", Accept=FHIR_XML).data)
    assert statement["resourceType"] == "CapabilityStatement"
    assert FHIR_XML in statement["format"]


def test_an_outcome_that_was_wished_for_is_in_xml(api: Api) -> None:
    status, outcome = send(api, "PUT", "/Patient/a", FULL, Prefer="return=OperationOutcome")
    assert (status, outcome["resourceType"]) == (201, "OperationOutcome")


def test_json_patch_of_a_resource_answers_in_xml(api: Api) -> None:
    api.have(FULL)
    patch = b'[{"op": "replace", "path": "/birthDate", "value": "1981"}]'
    answer = api.ask("PATCH", "/Patient/a", patch, Content_Type="application/json-patch+json", Accept=FHIR_XML)
    assert (answer.status_code, xml.read(answer.data).get("birthDate")) == (200, "1981"), answer.text


def test_a_fhirpath_patch_may_come_in_xml(api: Api) -> None:
    api.have(FULL)
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Patient.birthDate"},
        {"name": "value", "valueDate": "1981"},
    ]
    body = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    status, patched = send(api, "PATCH", "/Patient/a", body)
    assert (status, patched.get("birthDate")) == (200, "1981")
