"""Operations over HTTP: found at every level, by their methods only; the CapabilityStatement lists them."""

import pytest

from hub.fhir.systems import OWN
from hub.fhir.types import resource_types
from hub.operations.table import OPERATIONS
from tests.hub.asking import Api, entry, patient, refused

PATIENT_OPERATIONS = {
    *("everything", "disclosures", "explain-access", "match", "member-match", "merge", "unmerge", "export"),
}
UNKNOWN = ["/$foo", "/Patient/$foo", "/Patient/1/$foo", "/Patient/1/_history/1/$foo", "/$everything$"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_operation_is_refused(api: Api, method: str, path: str) -> None:
    refused(api.ask(method, path), 404, "not-supported")


def test_an_unknown_type_is_refused(api: Api) -> None:
    refused(api.get("/Patiant/$validate"), 404, "not-supported")


ELSEWHERE = [
    "/$everything",
    "/Patient/$meta",
    "/$meta",
    "/Patient/$versions",
    "/Patient/$docref",
    "/Patient/1/$expand",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_an_operation_of_another_place_says_where_it_is(api: Api, path: str) -> None:
    assert "is served at" in refused(api.get(path), 400, "not-supported")["diagnostics"]


METHODS = [
    ("DELETE", "/Patient/1/$everything", "GET, HEAD, POST"),
    ("PUT", "/$versions", "GET, HEAD, POST"),
    ("PATCH", "/ValueSet/$expand", "GET, HEAD, POST"),
    ("GET", "/Patient/1/$meta-add", "POST"),
    ("GET", "/Patient/1/$meta-delete", "POST"),
    ("GET", "/Patient/$validate", "POST"),
    ("HEAD", "/Patient/1/$meta-add", "POST"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS)
def test_other_methods_are_refused(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.ask(method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed


def test_a_token_is_needed(api: Api) -> None:
    refused(api.get("/$versions", Authorization=""), 401, "login")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_versions_tells_the_version(api: Api, method: str) -> None:
    answer = api.ask(method, "/$versions")
    assert answer.json["parameter"] == [
        {"name": "version", "valueCode": "4.0"},
        {"name": "default", "valueCode": "4.0"},
    ]


def test_answers_come_in_xml_too(api: Api) -> None:
    assert b"<Parameters " in api.get("/$versions?_format=xml").data


BAD_BODIES = {
    "text": (b"x", "text/plain", 415, "not-supported"),
    "a form": (b"a=b", "application/x-www-form-urlencoded", 415, "not-supported"),
    "no JSON": (b"{", "application/fhir+json", 400, "structure"),
    "another resource": (b'{"resourceType":"Patient"}', "application/fhir+json", 400, "invalid"),
    "no list": (b'{"resourceType":"Parameters","parameter":1}', "application/fhir+json", 400, "structure"),
    "unknown": (
        b'{"resourceType":"Parameters","parameter":[{"name":"x"}]}', "application/fhir+json", 400, "not-supported"
    ),
    "of another type": (
        b'{"resourceType":"Parameters","parameter":[{"name":"_count","valueString":"1"}]}',
        "application/fhir+json",
        400,
        "value",
    ),
    "too many": (
        b'{"resourceType":"Parameters","parameter":[' + b'{"name":"_type","valueCode":"Task"},' * 100 + b"{}]}",
        "application/fhir+json",
        400,
        "too-costly",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused(api: Api, case: str) -> None:
    api.have(patient("1"))
    body, kind, status, code = BAD_BODIES[case]
    refused(api.post("/Patient/1/$everything", body, Content_Type=kind), status, code)


IN_BUNDLES = {
    "unknown": ("Patient/1/$foo", "404"),
    "another place": ("Patient/$meta", "400"),
    "only by POST": ("Patient/1/$meta-add", "405"),
    "system": ("$versions", "200"),
    "a version": ("Patient/1/_history/1/$meta", "200"),
    "escaped": ("Patient/1/%24meta", "200"),
}


@pytest.mark.parametrize("case", IN_BUNDLES)
def test_a_batch_may_ask_operations_by_get(api: Api, case: str) -> None:
    api.have(patient("1"))
    url, status = IN_BUNDLES[case]
    (answer,) = api.bundle("batch", entry("GET", url)).json["entry"]
    assert answer["response"]["status"][:3] == status


def test_the_capability_statement_lists_what_is_served(api: Api) -> None:
    rest = api.get("/metadata").json["rest"][0]
    assert {row["name"] for row in rest["operation"]} == {"versions", "export", "import", "process-message"}
    listed = {
        each["type"]: {row["name"]: row["definition"] for row in each["operation"]} for each in rest["resource"]
    }
    assert set(listed) | {"AuditEvent"} == resource_types()
    always = {"validate", "meta", "meta-add", "meta-delete"}
    assert set(listed["Practitioner"]) == always
    assert set(listed["Patient"]) == always | PATIENT_OPERATIONS
    assert set(listed["CodeSystem"]) == always | {"lookup", "validate-code", "subsumes"}
    assert listed["DocumentReference"]["docref"] == "http://hl7.org/fhir/us/core/OperationDefinition/docref"
    assert all(row.definition.startswith(("http://hl7.org/fhir/", OWN)) for row in OPERATIONS)


def test_what_the_capability_statement_lists_is_there(api: Api) -> None:
    """404 and 410 are of the resource, 400 of its parameters: no call is told that there is no such operation."""
    for each in api.get("/metadata").json["rest"][0]["resource"]:
        for row in each["operation"]:
            answers = [api.post(f"/{each['type']}{place}/${row['name']}") for place in ("", "/none")]
            codes = {answer.json["issue"][0]["code"] if answer.status_code >= 400 else "" for answer in answers}
            assert codes != {"not-supported"}, (each["type"], row["name"])
        if each["type"] > "D":
            break


METADATA = {
    "": (200, "CapabilityStatement"),
    "?mode=full": (200, "CapabilityStatement"),
    "?mode=normative": (200, "CapabilityStatement"),
    "?mode=terminology": (200, "TerminologyCapabilities"),
    "?mode=foo": (400, "OperationOutcome"),
    "?mode=full&mode=full": (400, "OperationOutcome"),
    "?foo=1": (400, "OperationOutcome"),
    "?_format=json": (200, "CapabilityStatement"),
}


@pytest.mark.parametrize("query", METADATA)
def test_metadata_has_modes(api: Api, query: str) -> None:
    answer = api.get(f"/metadata{query}", Authorization="")
    assert (answer.status_code, answer.json["resourceType"]) == METADATA[query]
    if answer.json["resourceType"] != "OperationOutcome":
        body = answer.json
        assert api.post(f"/{body['resourceType']}/$validate", body).json["issue"][0]["severity"] == "information"
