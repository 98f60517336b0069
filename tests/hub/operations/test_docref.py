"""DocumentReference/$docref: a patient's current documents, by care dates, type and profile."""

from typing import Any

import pytest

from tests.hub.asking import BASE, Api, patient, refused

LOINC = "http://loinc.org"
CCD, NOTE = "34133-9", "11506-3"
PROFILE = "https://example.invalid/StructureDefinition/doc"
BINARY = [{"attachment": {"url": "https://example.invalid/doc"}}]


def document(identity: str, date: str, code: str = CCD, who: str = "p1", **parts: Any) -> dict[str, Any]:
    base = {
        "resourceType": "DocumentReference",
        "id": identity,
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{who}"},
        "date": date,
        "content": BINARY,
    }
    return base | parts


@pytest.fixture
def filed(api: Api) -> Api:
    period = {"start": "2019-01-01", "end": "2019-01-31"}
    api.have(
        patient("p1"),
        patient("p2"),
        document("old", "2018-05-01T00:00:00Z"),
        document("new", "2022-05-01T00:00:00Z"),
        document("note", "2020-05-01T00:00:00Z", NOTE),
        document("stay", "2023-01-01T00:00:00Z", NOTE, context={"period": period}),
        document("wrong", "2023-05-01T00:00:00Z", status="entered-in-error"),
        document("special", "2017-05-01T00:00:00Z", NOTE, meta={"profile": [PROFILE]}),
        document("theirs", "2023-05-01T00:00:00Z", who="p2"),
    )
    return api


FOUND = {
    "patient=p1": ["new", "note"],
    "patient=p2": ["theirs"],
    "patient=nobody": [],
    "patient=p1&start=2000-01-01": ["new", "note", "stay", "old", "special"],
    "patient=p1&start=2019-01-15&end=2019-02-01": ["stay"],
    "patient=p1&end=2018-12-31T00:00:00-08:00": ["old", "special"],
    f"patient=p1&type={LOINC}|{CCD}": ["new"],
    f"patient=p1&type={NOTE}&start=2000": ["note", "stay", "special"],
    f"patient=p1&type={LOINC}|{CCD}&type={LOINC}|{NOTE}": ["new", "note"],
    f"patient=p1&profile={PROFILE}": ["special"],
    "patient=p1&on-demand=false": ["new", "note"],
}


@pytest.mark.parametrize("query", FOUND)
def test_it_finds_documents(filed: Api, query: str) -> None:
    answer = filed.get(f"/DocumentReference/$docref?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json["type"] == "searchset"
    assert [e["resource"]["id"] for e in answer.json.get("entry", [])] == FOUND[query]
    assert answer.json["total"] == len(FOUND[query])
    assert answer.json["link"][0]["url"].startswith(f"{BASE}/DocumentReference/$docref?patient=")


def test_by_post_it_takes_codings(filed: Api) -> None:
    parameters = [
        {"name": "patient", "valueId": "p1"},
        {"name": "type", "valueCoding": {"system": LOINC, "code": CCD}},
        {"name": "profile", "valueCanonical": PROFILE},
    ]
    answer = filed.post("/DocumentReference/$docref", {"resourceType": "Parameters", "parameter": parameters[:2]})
    assert [e["resource"]["id"] for e in answer.json["entry"]] == ["new"]
    answer = filed.post("/DocumentReference/$docref", {"resourceType": "Parameters", "parameter": parameters})
    assert "entry" not in answer.json


def test_documents_on_demand_are_said_not_to_be_there(filed: Api) -> None:
    (only,) = filed.get("/DocumentReference/$docref?patient=p1&on-demand=true").json["entry"]
    assert only["search"]["mode"] == "outcome"
    assert "on demand" in only["resource"]["issue"][0]["diagnostics"]


REFUSED = {
    "no patient": ("all", "", 400, "required"),
    "no id": ("all", "patient=a_b", 400, "value"),
    "bad date": ("all", "patient=p1&start=x", 400, "value"),
    "end before start": ("all", "patient=p1&start=2021&end=2020", 400, "value"),
    "bad boolean": ("all", "patient=p1&on-demand=yes", 400, "value"),
    "unknown": ("all", "patient=p1&_count=5", 400, "not-supported"),
    "no scope": ("patients", "patient=p1", 403, "forbidden"),
    "no search": ("reader", "patient=p1&on-demand=true", 403, "forbidden"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused(filed: Api, case: str) -> None:
    who, query, status, code = REFUSED[case]
    refused(filed.as_(who).get(f"/DocumentReference/$docref?{query}"), status, code)


def test_too_many_documents_are_refused(filed: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.operations.docref.MOST", 2)
    refused(filed.get("/DocumentReference/$docref?patient=p1"), 400, "too-costly")
