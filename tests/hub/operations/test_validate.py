"""$validate says in an OperationOutcome what is wrong, stores nothing, and refuses only what it cannot look at."""

from typing import Any

import pytest

from tests.hub.asking import Api, observation, patient, refused

FINE, WRONG = "information", "error"
PATIENT_DEFINITION = "http://hl7.org/fhir/StructureDefinition/Patient"


def body(**parts: Any) -> dict[str, Any]:
    kinds = {"resource": "resource", "mode": "valueCode", "profile": "valueUri"}
    return {"resourceType": "Parameters", "parameter": [{"name": n, kinds[n]: v} for n, v in parts.items()]}


ANSWERED = {
    "a bare resource": ("/Patient/$validate", patient(), FINE, "informational"),
    "inside Parameters": ("/Patient/$validate", body(resource=patient()), FINE, "informational"),
    "create": ("/Patient/$validate", body(resource=patient(), mode="create"), FINE, "informational"),
    "mode in the URL": ("/Patient/$validate?mode=create", patient(), FINE, "informational"),
    "the base definition": (f"/Patient/$validate?profile={PATIENT_DEFINITION}", patient(), FINE, "informational"),
    "mode profile": (
        "/Patient/$validate",
        body(resource=patient(), mode="profile", profile=PATIENT_DEFINITION),
        FINE,
        "informational",
    ),
    "update": ("/Patient/1/$validate", body(resource=patient("1"), mode="update"), FINE, "informational"),
    "delete": ("/Patient/1/$validate", body(mode="delete"), FINE, "informational"),
    "what is stored": ("/Patient/1/$validate", body(), FINE, "informational"),
    "a bad code": ("/Patient/$validate", patient(gender="M"), WRONG, "code-invalid"),
    "an unknown element": ("/Patient/$validate", patient(foo=1), WRONG, "structure"),
    "what is missing": ("/Observation/$validate", {"resourceType": "Observation"}, WRONG, "required"),
    "another type": ("/Patient/$validate", observation(), WRONG, "invalid"),
    "no type": ("/Patient/$validate", {"id": "1"}, WRONG, "invalid"),
    "another id": ("/Patient/1/$validate", body(resource=patient("2"), mode="update"), WRONG, "invalid"),
    "a claim that is not known": (
        "/Patient/$validate",
        patient(meta={"profile": ["https://example.invalid/p"]}),
        "warning",
        "not-found",
    ),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_it_answers_200_and_says_what_it_found(api: Api, case: str) -> None:
    api.have(patient("1"))
    before = api.counts()
    path, sent, severity, code = ANSWERED[case]
    answer = api.post(path, sent)
    assert answer.status_code == 200, answer.text
    issue = answer.json["issue"][0]
    assert (answer.json["resourceType"], issue["severity"], issue["code"]) == ("OperationOutcome", severity, code)
    assert api.counts() == before


def test_a_stored_resource_is_validated_by_get(api: Api) -> None:
    api.have(patient("1"))
    for query in ("", "?mode=update", "?mode=delete", f"?profile={PATIENT_DEFINITION}"):
        assert api.get(f"/Patient/1/$validate{query}").json["issue"][0]["severity"] == FINE


NOT_DONE = {
    "no resource": ("/Patient/$validate", body(), 400, "required"),
    "no body": ("/Patient/$validate", None, 400, "required"),
    "an unknown mode": ("/Patient/$validate?mode=foo", patient(), 400, "value"),
    "update of nothing": ("/Patient/$validate?mode=update", patient(), 400, "invalid"),
    "delete of nothing": ("/Patient/$validate?mode=delete", patient(), 400, "invalid"),
    "mode profile without one": ("/Patient/$validate?mode=profile", patient(), 400, "required"),
    "an unknown profile": ("/Patient/$validate?profile=https://example.invalid/p", patient(), 400, "not-found"),
    "no JSON": ("/Patient/$validate", b"{", 400, "structure"),
    "nobody": ("/Patient/none/$validate", patient("none"), 404, "not-found"),
    "a resource that is none": ("/Patient/$validate", body(resource="x"), 400, "value"),
    "at the system": ("/$validate", patient(), 400, "not-supported"),
}


@pytest.mark.parametrize("case", NOT_DONE)
def test_what_cannot_be_validated_is_refused(api: Api, case: str) -> None:
    path, sent, status, code = NOT_DONE[case]
    refused(api.post(path, sent), status, code)


def test_rights_are_part_of_the_mode(api: Api) -> None:
    api.have(patient("1"))
    assert api.as_("creator").post("/Patient/$validate?mode=create", patient()).json["issue"][0]["severity"] == FINE
    for mode, sent in (("create", body(resource=patient(), mode="create")), ("delete", body(mode="delete"))):
        issue = api.as_("reader").post("/Patient/1/$validate", sent).json["issue"][0]
        assert (issue["severity"], issue["code"]) == (WRONG, "forbidden"), mode
    refused(api.as_("searcher").post("/Patient/$validate", patient()), 403, "forbidden")
    refused(api.as_("creator").post("/Patient/1/$validate", patient("1")), 403, "forbidden")
