"""Idempotency-Key: sent again, answered again, done once (rows B14 and H20)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from hub import clock
from hub.access import Access
from hub.problems import Issue
from hub.rest.asked import Asked
from hub.rest.idempotency import digest
from hub.store import idempotency
from hub.store.tables import idempotency as kept
from tests.hub.asking import BASE, Api, app_of, entry, observation, patient, refused, validator
from tests.hub.sighted import ACT, api_of, caller, panel

TAGGED = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]}

CREATE = entry("POST", "Patient", patient(), full_url="urn:uuid:6f6e4a6e-0d6a-4bb2-9a34-0d2a3a9b1e01")
TWICE = [CREATE, entry("PUT", "Patient/b", patient("b"))]

# name: method, path, body, status
WRITES: dict[str, tuple[str, str, Any, int]] = {
    "create": ("POST", "/Patient", patient(), 201),
    "update": ("PUT", "/Patient/1", patient("1", active=True), 200),
    "update that creates": ("PUT", "/Patient/2", patient("2"), 201),
    "delete": ("DELETE", "/Patient/1", None, 204),
    "conditional update": ("PUT", "/Patient?_id=1", patient("1", active=True), 200),
    "transaction": ("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": TWICE}, 200),
    "batch": ("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": TWICE}, 200),
}


def told(answer: Any) -> tuple[Any, ...]:
    """Status, body and the headers that say what was done."""
    names = ("ETag", "Location", "Last-Modified", "Content-Type")
    return answer.status_code, answer.data, *(answer.headers.get(name) for name in names)


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES.values(), ids=WRITES)
def test_what_is_sent_again_is_answered_again_and_done_once(
    api: Api, method: str, path: str, body: Any, status: int
) -> None:
    api.have(patient("1"))
    first = api.ask(method, path, body, Idempotency_Key='"a-key"')
    assert first.status_code == status, first.text
    after = api.counts()
    second = api.ask(method, path, body, Idempotency_Key='"a-key"')
    assert told(second) == told(first)
    assert api.counts() == after
    third = api.ask(method, path, body, Idempotency_Key="a-key")  # without the quotes it is the same key
    assert told(third) == told(first)


def test_without_a_key_it_is_done_again(api: Api) -> None:
    api.post("/Patient", patient())
    api.post("/Patient", patient())
    assert api.counts()["resource"] == 2
    assert api.counts()["idempotency"] == 0


OTHERS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "another body": ("POST", "/Patient", patient(active=True), {}),
    "another type": ("POST", "/Observation", observation(), {}),
    "another method": ("PUT", "/Patient/1", patient("1"), {}),
    "another query": ("PUT", "/Patient?_id=1", patient("1"), {}),
    "a condition": ("POST", "/Patient", patient(), {"If-None-Exist": "active=true"}),
    "another preference": ("POST", "/Patient", patient(), {"Prefer": "return=minimal"}),
    "a Bundle": ("POST", "", {"resourceType": "Bundle", "type": "batch"}, {}),
}


@pytest.mark.parametrize(("method", "path", "body", "headers"), OTHERS.values(), ids=OTHERS)
def test_a_key_is_for_one_request(api: Api, method: str, path: str, body: Any, headers: dict[str, str]) -> None:
    """H20"""
    assert api.post("/Patient", patient(), Idempotency_Key="k").status_code == 201
    before = api.counts()
    refused(api.ask(method, path, body, Idempotency_Key="k", **headers), 422, "conflict")
    assert api.counts() == before


PATHS = (
    {"type": "Patient"},
    {"type": "Patient", "query": "_id=1"},
    {"type": "Patient", "id": "1"},
    {"type": "Patient", "id": "1\x00meta"},
    {"type": "Patient", "id": "1", "operation": "meta"},
    {"type": "Patient", "id": "1", "operation": "meta", "version": 1},
    {"type": "Patient", "id": "1", "operation": "meta", "version": 2},
    {"type": "Patient", "id": "1", "member": "meta"},
    {"type": "Patient", "id": "1", "headers": {"prefer": "return=minimal"}},
    {"type": "Patient", "id": "1", "headers": {"if-match": "return=minimal"}},
    {"type": "Patient", "id": "1", "body": b"1"},
)


def test_each_part_of_a_request_makes_it_another() -> None:
    access = Access.system("a test")
    assert len({digest(Asked("POST", **parts), access) for parts in PATHS}) == len(PATHS)  # type: ignore[arg-type]
    assert digest(Asked("POST", "Patient"), access) == digest(Asked("POST", "Patient"), access)


READS: dict[str, tuple[str, str, Any]] = {
    "metadata": ("GET", "/metadata", None),
    "a read": ("GET", "/Patient/1", None),
    "a search by form": ("POST", "/Patient/_search", b"_id=1"),
    "$validate": ("POST", "/Patient/$validate", patient()),
    "$meta": ("POST", "/Patient/1/$meta", None),
    "$everything": ("POST", "/Patient/1/$everything", None),
    "$lookup": ("GET", "/CodeSystem/$lookup?system=http://hl7.org/fhir/task-status&code=draft", None),
}


@pytest.mark.parametrize("key", ["k", "no key"])
@pytest.mark.parametrize(("method", "path", "body"), READS.values(), ids=READS)
def test_a_key_on_what_only_reads_is_left_alone(api: Api, method: str, path: str, body: Any, key: str) -> None:
    """It would hold the one place to write of SQLite while it works."""
    api.have(patient("1"))
    kind = {"Content_Type": "application/x-www-form-urlencoded"} if isinstance(body, bytes) else {}
    for _ in range(2):
        assert api.ask(method, path, body, Idempotency_Key=key, **kind).status_code == 200
    assert api.counts()["idempotency"] == 0


def test_two_versions_with_one_key_are_each_told(api: Api) -> None:
    api.have(patient("1"), patient("1", meta={"tag": [{"code": "second"}]}))
    first, second = (
        api.post(f"/Patient/1/_history/{number}/$meta", Idempotency_Key="k").json["parameter"][0]["valueMeta"]
        for number in (1, 2)
    )
    assert (first["versionId"], second["versionId"]) == ("1", "2")


def test_a_key_is_its_clients_own(api: Api) -> None:
    first = api.post("/Patient", patient(), Idempotency_Key="k")
    second = api.as_("other").post("/Patient", patient(), Idempotency_Key="k")
    assert second.status_code == 201
    assert second.json["id"] != first.json["id"]


def test_a_refusal_is_not_kept(api: Api) -> None:
    refused(api.put("/Patient/1", patient("1"), Idempotency_Key="k", If_Match='W/"1"'), 412, "conflict")
    refused(api.post("/Patient", {"resourceType": "Patient", "shoe": 1}, Idempotency_Key="k"), 400, "structure")
    refused(api.as_("reader").post("/Patient", patient(), Idempotency_Key="k"), 403, "forbidden")
    assert set(api.counts().values()) == {0}
    assert api.post("/Patient", patient(), Idempotency_Key="k").status_code == 201


def test_a_batch_with_a_key_keeps_the_answers_of_its_failures_too(api: Api) -> None:
    entries = [
        entry("POST", "Patient", patient()),
        entry("PUT", "Patient/x", {"resourceType": "Patient", "id": "x", "shoe": 1}),
        entry("PUT", "Patient/y", patient("y"), ifMatch='W/"9"'),
        entry("GET", "Patient?_summary=count"),
        entry("PUT", "Patient/z", patient("z")),
    ]
    first = api.bundle("batch", *entries, Idempotency_Key="k")
    statuses = [each["response"]["status"][:3] for each in first.json["entry"]]
    assert statuses == ["201", "400", "412", "200", "201"]
    assert first.json["entry"][3]["resource"]["total"] == 1  # it sees what the entry before it stored
    assert api.counts()["resource"] == 2
    assert api.bundle("batch", *entries, Idempotency_Key="k").data == first.data
    assert api.counts()["resource"] == 2


def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    moment = [datetime(2026, 3, 1, tzinfo=UTC)]
    mine = Api(app_of(api.database, now=lambda: moment[0]), api.database)
    first = mine.post("/Patient", patient(), Idempotency_Key="k")
    moment[0] += timedelta(hours=23)
    assert mine.post("/Patient", patient(), Idempotency_Key="k").json["id"] == first.json["id"]
    moment[0] += timedelta(hours=2)
    assert mine.post("/Patient", patient(), Idempotency_Key="k").json["id"] != first.json["id"]
    now = clock.micros(moment[0])
    for later, left in ((timedelta(hours=23), 1), (timedelta(hours=25), 0)):
        at = now + later // clock.MICROSECOND
        api.database.writing(lambda c, at=at: idempotency.forget(c, at))
        with api.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(kept)).scalar_one() == left


def test_a_request_that_is_being_worked_on_is_not_begun_again(api: Api) -> None:
    """H20: in this process, and on PostgreSQL in another one."""
    working, go_on = threading.Event(), threading.Event()

    def slowly(resource: dict[str, Any], expected: str, conditional: bool, who: str) -> list[Issue]:
        working.set()
        assert go_on.wait(10)
        return validator(resource, expected, conditional)

    slow = Api(app_of(api.database, validate=slowly), api.database)
    others = [slow]
    if not api.database.is_sqlite:
        others.append(Api(app_of(api.database), api.database))  # it knows nothing of the first one but the database
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(slow.post, "/Patient", patient(), Idempotency_Key="k")
        try:
            assert working.wait(10)
            for other in others:
                refused(other.post("/Patient", patient(), Idempotency_Key="k"), 409, "conflict")
        finally:
            go_on.set()
        done = first.result(20)
    assert done.status_code == 201
    assert told(others[-1].post("/Patient", patient(), Idempotency_Key="k")) == told(done)
    assert api.counts()["resource"] == 1


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_many_at_once_are_done_once(api: Api, kind: str) -> None:
    apps = [Api(app_of(api.database), api.database) for _ in range(2)]

    def send(number: int) -> Any:
        while True:
            answer = apps[number % 2].bundle(kind, *TWICE, Idempotency_Key="k")
            if answer.status_code != 409:
                return answer

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert api.counts()["resource"] == 2


def test_a_fault_in_between_leaves_neither_effect_nor_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("the machine stops here")

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "keep", fails)
        refused(api.bundle("batch", *TWICE, Idempotency_Key="k"), 500, "exception")
        refused(api.post("/Patient", patient(), Idempotency_Key="l"), 500, "exception")
    assert set(api.counts().values()) == {0}
    assert api.bundle("batch", *TWICE, Idempotency_Key="k").status_code == 200


def test_what_was_kept_is_written_in_the_format_of_the_repeat(api: Api) -> None:
    first = api.post("/Patient", patient(), Idempotency_Key="k")
    again = api.post("/Patient", patient(), Idempotency_Key="k", Accept="application/fhir+xml")
    assert (again.status_code, again.mimetype) == (201, "application/fhir+xml")
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Location"].startswith(f"{BASE}/Patient/")


HIDE = {"subject": {"reference": "Patient/p"}, "meta": {"security": [{"system": ACT, "code": "HIV"}]}}
SENT: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "create": ("POST", "/Observation", observation(subject={"reference": "Patient/p"}), {}),
    "update": ("PUT", "/Observation/o", observation("o", subject={"reference": "Patient/p"}, status="amended"), {}),
    "patch": (
        "PATCH", "/Observation/o", [{"op": "replace", "path": "/status", "value": "amended"}],
        {"Content_Type": "application/json-patch+json"},
    ),
    "$meta-add": ("POST", "/Observation/o/$meta-add", TAGGED, {}),
    "transaction": ("POST", "", {
        "resourceType": "Bundle", "type": "transaction", "entry": [
            entry("POST", "Observation", observation(subject={"reference": "Patient/p"})),
            entry("GET", "Patient/p"), entry("GET", "Observation?_id=o"),
        ],
    }, {}),
    "batch": ("POST", "", {
        "resourceType": "Bundle", "type": "batch", "entry": [
            entry("PUT", "Observation/o", observation("o", subject={"reference": "Patient/p"}, status="amended")),
            entry("GET", "Patient/p"), entry("GET", "Patient/none"),
        ],
    }, {}),
}  # fmt: skip


@pytest.fixture
def limited(api: Api) -> tuple[Api, dict[str, Access]]:
    """Harbor, whose panel is one patient."""
    callers = {"harbor": caller(own=0), "blind": caller(holders=(), own=0)}
    mine = api_of(api.database, callers)
    mine.have(patient("p", active=True), panel("p"), observation("o", subject={"reference": "Patient/p"}))
    return mine.as_("harbor"), callers


@pytest.mark.parametrize("name", SENT)
def test_who_still_sees_what_it_wrote_is_told_it_again(limited: tuple[Api, dict[str, Access]], name: str) -> None:
    harbor, _ = limited
    method, path, body, headers = SENT[name]
    first = harbor.ask(method, path, body, Idempotency_Key="k", **headers)
    assert first.status_code in (200, 201), first.text
    again = harbor.ask(method, path, body, Idempotency_Key="k", **headers)
    names = ("ETag", "Location", "Last-Modified")
    assert [again.headers.get(each) for each in names] == [first.headers.get(each) for each in names]
    assert again.status_code == first.status_code
    told_first, told_again = first.json, again.json
    if name == "transaction":  # a search may be asked again
        assert told_first["entry"][2].pop("resource")["type"] == "searchset"
    assert told_again == told_first


@pytest.mark.parametrize("loses", ["the member", "the label"])
@pytest.mark.parametrize("name", SENT)
def test_who_does_not_see_it_any_more_is_told_that_it_was_done_and_no_more(
    limited: tuple[Api, dict[str, Access]], name: str, loses: str
) -> None:
    harbor, callers = limited
    method, path, body, headers = SENT[name]
    first = harbor.ask(method, path, body, Idempotency_Key="k", **headers)
    written = first.json.get("id", "o")
    if name == "transaction":
        written = first.json["entry"][0]["resource"]["id"]
    if loses == "the member":
        callers["harbor"] = callers["blind"]
    else:
        harbor.as_("all").have(observation(written, **HIDE))
    counted = harbor.counts()
    again = harbor.ask(method, path, body, Idempotency_Key="k", **headers)
    assert harbor.counts() == counted
    assert (again.status_code, again.headers.get("Location")) == (first.status_code, first.headers.get("Location"))
    if "entry" not in first.json:
        assert again.data == b""
        return
    kept = {e["resource"]["resourceType"] for e in again.json["entry"] if "resource" in e}
    assert kept == (set() if loses == "the member" else {"Patient"})
    assert [e["response"]["status"] for e in again.json["entry"]] == [
        e["response"]["status"] for e in first.json["entry"]
    ]


def test_what_is_told_again_is_a_part_where_only_a_part_is_shown(limited: tuple[Api, dict[str, Access]]) -> None:
    harbor, callers = limited
    body = observation(subject={"reference": "Patient/p"}, valueString="ZQ")
    assert "ZQ" in harbor.post("/Observation", body, Idempotency_Key="k").text
    callers["harbor"] = caller(elements={"Observation": frozenset(("code",))})
    again = harbor.post("/Observation", body, Idempotency_Key="k")
    assert (again.status_code, again.json["resourceType"]) == (201, "Observation")
    assert "ZQ" not in again.text


def test_who_may_only_write_is_told_again_what_it_wrote(limited: tuple[Api, dict[str, Access]]) -> None:
    harbor, callers = limited
    callers["harbor"] = caller(grants=frozenset({("Observation", "c")}))
    body = observation(subject={"reference": "Patient/p"})
    first = harbor.post("/Observation", body, Idempotency_Key="k")
    assert first.status_code == 201
    assert harbor.post("/Observation", body, Idempotency_Key="k").data == first.data
