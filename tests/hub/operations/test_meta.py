"""$meta, $meta-add, $meta-delete: labels are sets by system and code, and each change is a version."""

from typing import Any

import pytest

from tests.hub.asking import Api, patient, refused

A = {"system": "urn:example:tags", "code": "a"}
B = {"system": "urn:example:tags", "code": "b"}
SECRET = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
MOST_SECRET = {**SECRET, "code": "V"}
PROFILE = "https://example.invalid/StructureDefinition/p"


def body(**meta: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def labels(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (found,) = answer.json["parameter"]
    assert found["name"] == "return"
    return {name: value for name, value in found["valueMeta"].items() if name not in ("versionId", "lastUpdated")}


@pytest.fixture
def held(api: Api) -> Api:
    api.have(patient("1", meta={"tag": [A]}, active=True))
    return api


def test_meta_is_as_a_read_shows_it(held: Api) -> None:
    for path in ("/Patient/1/$meta", "/Patient/1/_history/1/$meta"):
        assert held.get(path).json["parameter"][0]["valueMeta"] == held.get("/Patient/1").json["meta"]
        assert held.post(path).json == held.get(path).json


ADDED = {
    "another tag": (body(tag=[B]), {"tag": [A, B]}),
    "one that is there": (body(tag=[{**A, "display": "other"}]), {"tag": [A]}),
    "twice the same": (body(tag=[B, B]), {"tag": [A, B]}),
    "all three": (
        body(tag=[B], security=[SECRET], profile=[PROFILE]),
        {"tag": [A, B], "security": [MOST_SECRET], "profile": [PROFILE]},  # `R` for no known reason
    ),
    "what is the server's": (body(tag=[B], versionId="77", lastUpdated="2001-01-01T00:00:00Z"), {"tag": [A, B]}),
    "nothing": (body(tag=[]), {"tag": [A]}),
}


@pytest.mark.parametrize("case", ADDED)
def test_labels_are_added(held: Api, case: str) -> None:
    sent, expected = ADDED[case]
    assert labels(held.post("/Patient/1/$meta-add", sent)) == expected
    now = held.get("/Patient/1").json
    assert now["active"] is True
    assert now["meta"]["versionId"] == ("1" if expected == {"tag": [A]} else "2")
    assert held.get("/Patient/1/_history/1").json["meta"]["tag"] == [A]


def test_what_was_added_is_found(held: Api) -> None:
    held.post("/Patient/1/$meta-add", body(tag=[B]))
    assert held.found(f"/Patient?_tag={B['system']}|b") == ["1"]
    held.post("/Patient/1/$meta-delete", body(tag=[B]))
    assert held.found(f"/Patient?_tag={B['system']}|b") == []


def test_labels_are_deleted(held: Api) -> None:
    assert labels(held.post("/Patient/1/$meta-delete", body(tag=[{**A, "version": "2"}, B]))) == {}
    assert "tag" not in held.get("/Patient/1").json["meta"]
    assert labels(held.post("/Patient/1/$meta-delete", body(tag=[A]))) == {}
    assert held.get("/Patient/1").json["meta"]["versionId"] == "2"


REFUSED = {
    "no meta": ({"resourceType": "Parameters"}, {}, 400, "required"),
    "no body": (None, {}, 400, "required"),
    "other elements": (body(source="urn:x"), {}, 400, "not-supported"),
    "no list": (body(tag=A), {}, 400, "structure"),
    "a profile that is no text": (body(profile=[1]), {}, 400, "structure"),
    "a tag of texts": (body(tag=["a"]), {}, 400, "structure"),
    "a tag that is none": (body(tag=[{"foo": "bar"}]), {}, 400, "structure"),
    "stale": (body(tag=[B]), {"If_Match": 'W/"9"'}, 412, "conflict"),
    "bad ETag": (body(tag=[B]), {"If_Match": "W/1"}, 400, "value"),
    "a condition that is not looked at": (body(tag=[B]), {"If_None_Match": 'W/"1"'}, 400, "not-supported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_change_changes_nothing(held: Api, case: str) -> None:
    sent, headers, status, code = REFUSED[case]
    before = held.counts()
    refused(held.post("/Patient/1/$meta-add", sent, **headers), status, code)
    assert held.counts() == before


@pytest.mark.parametrize(
    ("who", "path", "status", "code"),
    [
        ("reader", "/Patient/1/$meta-add", 403, "forbidden"),
        ("reader", "/Patient/1/$meta-delete", 403, "forbidden"),
        ("updater", "/Patient/1/$meta", 403, "forbidden"),
        ("updater", "/Patient/1/$meta-add", 403, "forbidden"),
        ("updater", "/Patient/1/$meta-delete", 403, "forbidden"),
        ("all", "/Patient/none/$meta-add", 404, "not-found"),
        ("all", "/Patient/none/$meta", 404, "not-found"),
        ("all", "/Patient/gone/$meta", 410, "deleted"),
        ("all", "/Patient/gone/$meta-add", 410, "deleted"),
        ("all", "/Patient/a_b/$meta-add", 400, "value"),
        ("all", "/Patient/1/_history/9/$meta", 404, "not-found"),
        ("all", "/Patient/1/_history/1/$meta-add", 400, "not-supported"),
    ],
)
def test_who_may_not_and_what_is_not_there(held: Api, who: str, path: str, status: int, code: str) -> None:
    held.have(patient("gone"))
    held.delete("/Patient/gone")
    sent = None if path.endswith("$meta") else body(tag=[B])
    refused(held.as_(who).post(path, sent), status, code)


def test_one_key_is_not_good_for_two_operations(held: Api) -> None:
    key = {"Idempotency_Key": "k1"}
    assert held.post("/Patient/1/$meta-add", body(tag=[B]), **key).status_code == 200
    assert held.post("/Patient/1/$meta-add", body(tag=[B]), **key).status_code == 200
    refused(held.post("/Patient/1/$meta-delete", body(tag=[B]), **key), 422, "conflict")
    assert held.get("/Patient/1").json["meta"]["versionId"] == "2"
