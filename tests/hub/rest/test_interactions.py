"""The interactions, one by one: what FHIR says comes back comes back, with the right headers."""

import json
from typing import Any

import pytest

from tests.hub.asking import BASE, FHIR_JSON, Api, entry, mrn, observation, patient, refused

BY_A = "identifier=https://hospital.invalid/mrn|a"
RICH = patient(
    "rich",
    text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Invented  &amp; spaced</div>'},
    contained=[{"resourceType": "Organization", "id": "o", "name": "Invented"}],
    managingOrganization={"reference": "#o"},
    extension=[{"url": "https://unknown.invalid/x", "extension": [{"url": "a", "valueDecimal": 1}]}],
    name=[{"given": ["Ann", "Bo"], "_given": [None, {"id": "second"}], "family": "Ælfgifu"}],
    _birthDate={"extension": [{"url": "https://unknown.invalid/y", "valueCode": "unknown"}]},
)


def test_a_read_gives_what_was_stored(api: Api) -> None:
    made = api.post("/Patient", RICH)
    found = api.get(f"/Patient/{made.json['id']}")
    assert found.data == made.data
    assert {n: v for n, v in found.json.items() if n != "meta"} == RICH | {"id": made.json["id"]}
    assert list(found.json)[:3] == ["resourceType", "id", "meta"]


def test_a_read_has_an_etag_and_a_time(api: Api) -> None:
    api.have(patient("1"), patient("1", active=True))
    answer = api.get("/Patient/1")
    assert answer.headers["ETag"] == 'W/"2"'
    assert answer.headers["Last-Modified"].endswith("GMT")
    assert answer.content_type == f"{FHIR_JSON}; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["meta"]["versionId"] == "2"


@pytest.mark.parametrize(
    "path",
    ["/Patient/1", "/Patient/1/_history/1", "/Patient/1/_history", "/Patient?_id=1", "/metadata", "/Patient/0"],
)
def test_head_answers_as_get_without_the_body(api: Api, path: str) -> None:
    api.have(patient("1"))
    got, headed = api.get(path, X_Request_Id="mine"), api.ask("HEAD", path, X_Request_Id="mine")
    assert headed.data == b""
    assert (headed.status_code, dict(headed.headers)) == (got.status_code, dict(got.headers))
    assert int(headed.headers["Content-Length"]) == len(got.data) > 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [('W/"1"', 304), ('"1"', 304), ("*", 304), ('W/"7", W/"1"', 304), ('W/"2"', 200), ('W/"11"', 200), ("1", 200)],
)
def test_a_version_the_client_has_is_not_sent_again(api: Api, sent: str, status: int) -> None:
    api.have(patient("1"))
    for path in ("/Patient/1", "/Patient/1/_history/1"):
        answer = api.get(path, If_None_Match=sent)
        assert (answer.status_code, bool(answer.data)) == (status, status == 200)
        assert answer.headers["ETag"] == 'W/"1"'


def test_what_is_not_there_and_what_was_deleted_are_told_apart(api: Api) -> None:
    api.have(patient("1"))
    assert api.delete("/Patient/1").status_code == 204
    refused(api.get("/Patient/2"), 404, "not-found")
    refused(api.get("/Patient/2/_history"), 404, "not-found")
    refused(api.get("/Patient/2/_history/1"), 404, "not-found")
    refused(api.get("/Patient/1/_history/9"), 404, "not-found")
    gone = api.get("/Patient/1")
    refused(gone, 410, "deleted")
    assert gone.headers["ETag"] == 'W/"2"'
    refused(api.get("/Patient/1/_history/2"), 410, "deleted")
    assert api.get("/Patient/1/_history/1").json["id"] == "1"


def test_an_id_of_another_type_is_another_resource(api: Api) -> None:
    api.have(patient("1"))
    refused(api.get("/Observation/1"), 404, "not-found")


def test_the_history_has_every_version_newest_first(api: Api) -> None:
    api.have(patient("1"), patient("1", active=True))
    api.delete("/Patient/1")
    api.have(patient("1", active=False))
    body = api.get("/Patient/1/_history").json
    assert (body["type"], body["total"]) == ("history", 4)
    assert body["link"] == [{"relation": "self", "url": f"{BASE}/Patient/1/_history"}]
    assert {e["fullUrl"] for e in body["entry"]} == {f"{BASE}/Patient/1"}
    told = [(e["request"]["method"], e["request"]["url"], e["response"]["etag"]) for e in body["entry"]]
    assert told == [
        ("PUT", "Patient/1", 'W/"4"'),
        ("DELETE", "Patient/1", 'W/"3"'),
        ("PUT", "Patient/1", 'W/"2"'),
        ("PUT", "Patient/1", 'W/"1"'),
    ]
    assert [e.get("resource", {}).get("active") for e in body["entry"]] == [False, None, True, None]
    assert "resource" not in body["entry"][1]
    times = [e["response"]["lastModified"] for e in body["entry"]]
    assert times == sorted(times, reverse=True)


def test_a_create_says_where_it_is(api: Api) -> None:
    answer = api.post("/Patient", patient())
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{BASE}/Patient/{answer.json['id']}/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.json["meta"]["versionId"] == "1"


def test_a_conditional_create_makes_one_and_finds_it_ever_after(api: Api) -> None:
    sent = patient(identifier=mrn("a"))
    first, again = (api.post("/Patient", sent, If_None_Exist=text) for text in (BY_A, f"?{BY_A}"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["id"] == again.json["id"]
    assert api.counts()["resource"] == 1
    refused(api.post("/Patient", sent, If_None_Exist="shoesize=1"), 400, "not-supported")
    refused(api.post("/Patient", sent, If_None_Exist="&"), 400, "invalid")


def test_an_update_to_a_free_id_creates(api: Api) -> None:
    answer = api.put("/Patient/mine", patient("mine"))
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{BASE}/Patient/mine/_history/1"
    answer = api.put("/Patient/mine", patient("mine", active=True), If_Match='W/"1"')
    assert (answer.status_code, answer.headers["ETag"], answer.headers.get("Location")) == (200, 'W/"2"', None)


def test_a_conditional_update_updates_the_one_or_creates(api: Api) -> None:
    sent = patient(identifier=mrn("a"))
    made = api.put(f"/Patient?{BY_A}", sent)
    assert made.status_code == 201
    changed = api.put(f"/Patient?{BY_A}", sent | {"active": True})
    assert (changed.status_code, changed.json["id"], changed.headers["ETag"]) == (200, made.json["id"], 'W/"2"')
    refused(api.put(f"/Patient?{BY_A}", sent | {"id": "other"}), 400, "invalid")
    refused(api.put(f"/Patient?{BY_A}", sent, If_Match='W/"1"'), 412, "conflict")
    refused(api.put("/Patient?identifier=nobody", sent, If_Match='W/"1"'), 412, "conflict")
    kept = api.put("/Patient?identifier=b", patient("kept", identifier=mrn("b")))
    assert (kept.status_code, kept.json["id"]) == (201, "kept")


def test_a_deletion_is_204_whether_or_not_there_was_something(api: Api) -> None:
    api.have(patient("1", identifier=mrn("a")))
    for answer in (
        api.delete("/Patient/1"),
        api.delete("/Patient/1"),
        api.delete("/Patient/never"),
        api.delete(f"/Patient?{BY_A}"),
    ):
        assert (answer.status_code, answer.data) == (204, b"")
    assert api.get("/Patient/1/_history").json["total"] == 2


def test_a_conditional_deletion_deletes_the_one(api: Api) -> None:
    api.have(patient("1", identifier=mrn("a")), patient("2", identifier=mrn("b")))
    refused(api.delete(f"/Patient?{BY_A}", If_Match='W/"2"'), 412, "conflict")
    assert api.delete(f"/Patient?{BY_A}", If_Match='W/"1"').status_code == 204
    assert api.found("/Patient") == ["2"]


def test_an_update_after_the_deletion_revives_with_the_next_version(api: Api) -> None:
    api.have(patient("1", identifier=mrn("a")))
    api.delete("/Patient/1")
    assert api.counts()["index_token"] == 0
    refused(api.put("/Patient/1", patient("1"), If_Match='W/"2"'), 412, "conflict")
    answer = api.put("/Patient/1", patient("1", identifier=mrn("a")))
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"3"')
    assert api.found(f"/Patient?{BY_A}") == ["1"]


def test_an_update_that_changes_nothing_makes_no_version(api: Api) -> None:
    api.have(RICH)
    before = api.counts()
    shuffled = dict(reversed(RICH.items())) | {"meta": {"versionId": "9", "lastUpdated": "1999-01-01T00:00:00Z"}}
    answer = api.put("/Patient/rich", shuffled)
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')
    assert api.counts() == before
    changed = api.put("/Patient/rich", RICH | {"meta": {"tag": [{"code": "x"}]}})
    assert changed.headers["ETag"] == 'W/"2"'


def test_a_decimal_with_other_digits_is_a_change(api: Api) -> None:
    for number, version in (("1.0", 1), ("1.00", 2), ("1.00", 2), ("1.0", 3)):
        body = json.dumps(observation("o", valueQuantity={"value": 0.25})).replace("0.25", number)
        assert api.put("/Observation/o", body.encode()).headers["ETag"] == f'W/"{version}"'


@pytest.mark.parametrize(
    ("prefer", "body"),
    [
        ("return=minimal", ""),
        ("return=representation", "Patient"),
        ("return=OperationOutcome", "OperationOutcome"),
        ("", "Patient"),
        ("return=nonsense", "Patient"),
        ('respond=x; return="minimal"', ""),
        ("handling=strict, return=minimal", ""),
    ],
)
def test_a_write_answers_as_prefer_says(api: Api, prefer: str, body: str) -> None:
    for number, answer in enumerate(
        (
            api.put("/Patient/1", patient("1"), Prefer=prefer),
            api.put("/Patient/1", patient("1", active=True), Prefer=prefer),
        ),
        1,
    ):
        assert answer.status_code == (201 if number == 1 else 200)
        assert answer.headers["ETag"] == f'W/"{number}"'
        assert (answer.json["resourceType"] if answer.data else "") == body


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize(
    ("prefer", "resource", "outcome"),
    [("return=minimal", False, False), ("", True, False), ("return=OperationOutcome", False, True)],
)
def test_a_bundle_answers_as_prefer_says(api: Api, kind: str, prefer: str, resource: bool, outcome: bool) -> None:
    api.have(patient("1"))
    entries = [entry("POST", "Patient", patient()), entry("GET", "Patient/1")]
    written, read = api.bundle(kind, *entries, Prefer=prefer).json["entry"]
    assert ("resource" in written, "outcome" in written["response"]) == (resource, outcome)
    assert written["response"]["status"] == "201 Created"
    assert written["response"]["location"].startswith(f"{BASE}/Patient/")
    assert written["response"]["etag"] == 'W/"1"'
    assert (read["resource"]["id"], read["response"]["status"]) == ("1", "200 OK")


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_bundle_reads_searches_and_asks_for_versions(api: Api, kind: str) -> None:
    api.have(patient("1"), patient("1", active=True), patient("2"))
    answer = api.bundle(
        kind,
        entry("GET", "Patient/1/_history/1"),
        entry("GET", "Patient?active=true"),
        entry("GET", "Patient/2", ifNoneMatch='W/"1"'),
        entry("GET", "Patient?_id=1,2&_sort=-_lastUpdated&_count=1"),
    )
    version, active, unchanged, page = answer.json["entry"]
    assert "active" not in version["resource"]
    assert [e["resource"]["id"] for e in active["resource"]["entry"]] == ["1"]
    assert (unchanged["response"]["status"], "resource" in unchanged) == ("304 Not Modified", False)
    assert [e["resource"]["id"] for e in page["resource"]["entry"]] == ["2"]
    assert "next" in {link["relation"] for link in page["resource"]["link"]}


def test_a_get_of_a_transaction_sees_its_writes(api: Api) -> None:
    answer = api.bundle(
        "transaction",
        entry("GET", "Patient/1"),
        entry("GET", "Patient?active=true"),
        entry("PUT", "Patient/1", patient("1", active=True)),
    )
    read, search, written = answer.json["entry"]
    assert read["resource"]["active"] is True
    assert [e["resource"]["id"] for e in search["resource"]["entry"]] == ["1"]
    assert written["response"]["status"] == "201 Created"


def test_the_metadata_is_open_and_tells_what_routes_serve(api: Api) -> None:
    answer = api.ask("GET", "/metadata", Authorization="")
    assert answer.status_code == 200
    rest = answer.json["rest"][0]
    assert {i["code"] for i in rest["interaction"]} >= {"transaction", "batch", "history-system"}
    by_type: dict[str, Any] = {r["type"]: r for r in rest["resource"]}
    assert {i["code"] for i in by_type["Patient"]["interaction"]} == {
        "read",
        "vread",
        "history-instance",
        "history-type",
        "search-type",
        "create",
        "update",
        "patch",
        "delete",
    }
    assert "birthdate" in {p["name"] for p in by_type["Patient"]["searchParam"]}
