"""Conditions of writes: one that is not looked at is refused, never left out, whatever the client prefers."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.hub.asking import FHIR_JSON, Api, entry, mrn, patient, refused, token_of
from tests.hub.patching import PATCH_JSON

HELD = patient("1", identifier=mrn("a"), name=[{"family": "Quux"}])
MORE = patient("1", identifier=mrn("a"), active=True)
CHANGE = b'[{"op":"add","path":"/active","value":true}]'
EMPTY = {"resourceType": "Bundle", "type": "batch"}
TAG = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]}

# name: method, path, body, its Content-Type
WRITES: dict[str, tuple[str, str, Any, str]] = {
    "create": ("POST", "/Patient", patient(), FHIR_JSON),
    "update": ("PUT", "/Patient/1", MORE, FHIR_JSON),
    "conditional update": ("PUT", "/Patient?identifier=a", MORE, FHIR_JSON),
    "patch": ("PATCH", "/Patient/1", CHANGE, PATCH_JSON),
    "conditional patch": ("PATCH", "/Patient?identifier=a", CHANGE, PATCH_JSON),
    "delete": ("DELETE", "/Patient/1", None, ""),
    "conditional delete": ("DELETE", "/Patient?identifier=a", None, ""),
    "bundle": ("POST", "", EMPTY | {"entry": [entry("POST", "Patient", patient())]}, FHIR_JSON),
    "operation": ("POST", "/Patient/1/$meta-add", TAG, FHIR_JSON),
}
HEADERS = {
    "If-Match": 'W/"1"',
    "If-None-Exist": "identifier=a",
    "If-None-Match": "*",
    "If-Modified-Since": "Sat, 21 Nov 2026 00:00:00 GMT",
    "If-Unmodified-Since": "Sat, 21 Nov 2026 00:00:00 GMT",
}
LOOKED_AT = {"create": "If-None-Exist", "bundle": ""}  # all others look at If-Match


@pytest.fixture
def held(api: Api) -> Api:
    api.have(HELD)
    return api


def send(api: Api, name: str, more: str = "", **headers: str) -> TestResponse:
    method, path, body, kind = WRITES[name]
    path += (("&" if "?" in path else "?") + more) if more else ""
    return api.ask(method, path, body, Content_Type=kind, **headers)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_looks_at_a_condition_or_refuses_it(held: Api, name: str, header: str) -> None:
    before = held.counts()
    answer = send(held, name, **{header: HEADERS[header]})
    if header == LOOKED_AT.get(name, "If-Match"):
        assert answer.status_code < 300, answer.text
    else:
        refused(answer, 400, "not-supported")
        assert held.counts() == before


def test_a_read_leaves_out_what_http_lets_it_leave_out(held: Api) -> None:
    for path in ("/Patient/1", "/Patient?identifier=a", "/Patient/1/_history"):
        assert held.get(path, If_Match='W/"9"', If_None_Exist="identifier=a").status_code == 200


@pytest.mark.parametrize("name", [name for name in WRITES if not name.startswith("conditional")])
@pytest.mark.parametrize("more", ["identifier=nobody", "foo=z"])
def test_lenient_handling_leaves_nothing_out_of_a_write(held: Api, name: str, more: str) -> None:
    """`DELETE /Patient/1?identifier=nobody` would delete Patient/1."""
    before = held.counts()
    refused(send(held, name, more, Prefer="handling=lenient"), 400, "not-supported")
    assert held.counts() == before


@pytest.mark.parametrize("name", [name for name in WRITES if name.startswith("conditional")])
def test_lenient_handling_leaves_nothing_out_of_a_condition(held: Api, name: str) -> None:
    before = held.counts()
    refused(send(held, name, "foo=z", Prefer="handling=lenient"), 400, "not-supported")
    assert held.counts() == before


def test_lenient_handling_still_leaves_it_out_of_a_read(held: Api) -> None:
    assert held.get("/Patient/1?foo=z", Prefer="handling=lenient").status_code == 200
    assert held.form("/Patient/_search", "foo=z", Prefer="handling=lenient").status_code == 200


@pytest.mark.parametrize("text", ["", "?", "??", " ", "? ", "&", "?&&"])
def test_a_conditional_create_without_a_condition_creates_nothing(held: Api, text: str) -> None:
    before = held.counts()
    headers = {"Authorization": f"Bearer {token_of('all')}", "If-None-Exist": text}
    refused(held.app.test_client().post("/fhir/Patient", json=patient(), headers=headers), 400, "invalid")
    bad = entry("POST", "Patient", patient(), ifNoneExist=text)
    refused(held.bundle("transaction", bad), 400, "invalid")
    assert not _stored_by_a_batch(held, bad)
    assert held.counts() == before


def _stored_by_a_batch(api: Api, one: dict[str, Any]) -> bool:
    """A batch may refuse the entry alone, or all that it belongs to."""
    answer = api.bundle("batch", one)
    return answer.status_code == 200 and answer.json["entry"][0]["response"]["status"][:3] != "400"


SHOWING = (
    "_summary=count",
    "_summary=false",
    "_count=0",
    "_count=1",
    "_total=accurate",
    "_sort=_id",
    "_cursor=x",
    "_elements=name",
    "_include=Patient:organization",
    "_revinclude=Provenance:target",
    "_format=json",
    "_pretty=true",
)


@pytest.mark.parametrize("more", SHOWING)
def test_a_condition_takes_nothing_that_shows_results(held: Api, more: str) -> None:
    before = held.counts()
    asked = f"identifier=a&{more}"
    refused(held.post("/Patient", patient(), If_None_Exist=asked), 400, "not-supported")
    entries = [
        entry("POST", "Patient", patient(), ifNoneExist=asked),
        entry("PUT", f"Patient?{asked}", MORE),
        entry("DELETE", f"Patient?{asked}"),
        entry("POST", "Patient", patient(managingOrganization={"reference": f"Organization?{asked}"})),
    ]
    for one in entries:
        refused(held.bundle("transaction", one), 400, "not-supported")
    if not more.startswith(("_format", "_pretty")):  # the answer to a request of its own is written as they say
        for name in ("conditional update", "conditional patch", "conditional delete"):
            refused(send(held, name, more), 400, "not-supported")
    assert held.counts() == before
