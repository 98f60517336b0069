"""Every interaction leaves a record, allowed or refused: what was asked, by whom, and whose data left."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, text

from hub.access import Access
from hub.audit import journal
from hub.audit.record import Record
from hub.fhir.bundles import Entry
from hub.rest import app
from hub.search.edges import address
from hub.store.tables import resource
from tests.hub.asking import entry, observation, patient
from tests.hub.audit.conftest import Audited

ANN, BOB = address("Patient", "ann"), address("Patient", "bob")
FORM = "application/x-www-form-urlencoded"


def about(who: str) -> dict[str, Any]:
    return {"subject": {"reference": f"Patient/{who}"}}


@pytest.fixture
def filled(audited: Audited) -> Audited:
    for one in (
        patient("ann", active=True),
        patient("bob"),
        observation("a1", **about("ann")),
        observation("a2", **about("ann")),
        observation("b1", **about("bob")),
    ):
        assert audited.ask("PUT", f"/{one['resourceType']}/{one['id']}", one).status_code == 201
    return audited


def told(record: Record) -> tuple[Any, ...]:
    return (record.interaction, record.status, record.type, record.id, record.version)


def patients(record: Record) -> set[int]:
    return {release.patient for release in record.releases}


PATCH = json.dumps([{"op": "add", "path": "/language", "value": "en"}]).encode()
JSON_PATCH = {"Content_Type": "application/json-patch+json"}

# request -> what is recorded of it, and whose data left
Case = tuple[tuple[Any, ...], tuple[Any, ...], set[int]]
CASES: dict[str, Case] = {
    "read": (("GET", "/Patient/ann"), ("read", 200, "Patient", "ann", 0), {ANN}),
    "not modified": (
        ("GET", "/Patient/ann", None, {"If_None_Match": 'W/"1"'}),
        ("read", 304, "Patient", "ann", 0),
        {ANN},
    ),
    "vread": (("GET", "/Patient/ann/_history/1"), ("vread", 200, "Patient", "ann", 1), {ANN}),
    "history": (("GET", "/Patient/ann/_history"), ("history-instance", 200, "Patient", "ann", 0), {ANN}),
    "history of a type": (
        ("GET", "/Observation/_history"),
        ("history-type", 200, "Observation", "", 0),
        {ANN, BOB},
    ),
    "history of all": (("GET", "/_history"), ("history-system", 200, "", "", 0), {ANN, BOB}),
    "search": (("GET", "/Observation?_id=a1"), ("search-type", 200, "Observation", "", 0), {ANN}),
    "search of several patients": (("GET", "/Observation"), ("search-type", 200, "Observation", "", 0), {ANN, BOB}),
    "search that includes": (
        ("GET", "/Observation?_id=b1&_include=Observation:subject"),
        ("search-type", 200, "Observation", "", 0),
        {BOB},
    ),
    "search that only counts": (
        ("GET", "/Observation?_summary=count"),
        ("search-type", 200, "Observation", "", 0),
        set(),
    ),
    "search that finds nothing": (("GET", "/Observation?_id=x"), ("search-type", 200, "Observation", "", 0), set()),
    "search by form": (
        ("POST", "/Observation/_search", b"_id=a1", {"Content_Type": FORM}),
        ("search-type", 200, "Observation", "", 0),
        {ANN},
    ),
    "search of all": (("GET", "?_type=Patient"), ("search-system", 200, "", "", 0), {ANN, BOB}),
    "search of a compartment": (
        ("GET", "/Patient/ann/Observation"),
        ("search-compartment", 200, "Patient", "ann", 0),
        {ANN},
    ),
    "operation": (("GET", "/Patient/ann/$everything"), ("operation", 200, "Patient", "ann", 0), {ANN}),
    "operation by POST": (
        ("POST", "/Patient/ann/$everything", {"resourceType": "Parameters"}),
        ("operation", 200, "Patient", "ann", 0),
        {ANN},
    ),
    "update": (("PUT", "/Patient/ann", patient("ann")), ("update", 200, "Patient", "ann", 2), {ANN}),
    "update that changes nothing": (
        ("PUT", "/Patient/ann", patient("ann", active=True)),
        ("update", 200, "Patient", "ann", 1),
        {ANN},
    ),
    "conditional update": (
        ("PUT", "/Patient?_id=ann", patient("ann")),
        ("update", 200, "Patient", "ann", 2),
        {ANN},
    ),
    "patch": (("PATCH", "/Patient/ann", PATCH, JSON_PATCH), ("patch", 200, "Patient", "ann", 2), {ANN}),
    "delete": (("DELETE", "/Observation/a1"), ("delete", 204, "Observation", "a1", 2), {ANN}),
    "delete of nothing": (("DELETE", "/Observation/x"), ("delete", 204, "Observation", "x", 0), set()),
    "found instead of made": (
        ("POST", "/Patient", patient(), {"If_None_Exist": "_id=ann"}),
        ("create", 200, "Patient", "ann", 1),
        {ANN},
    ),
    "an operation that writes": (
        (
            "POST",
            "/Patient/ann/$meta-add",
            {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]},
        ),
        ("patch", 200, "Patient", "ann", 2),
        {ANN},
    ),
    # refused, and failed
    "what is not there": (("GET", "/Patient/x"), ("read", 404, "Patient", "x", 0), set()),
    "what the scopes do not cover": (("GET", "/Consent/x"), ("read", 403, "Consent", "x", 0), set()),
    "a search that the scopes do not cover": (("GET", "/Consent"), ("search-type", 403, "Consent", "", 0), set()),
    "a search that is none": (("GET", "/Patient?nonsense=1"), ("search-type", 400, "Patient", "", 0), set()),
    "an unknown type": (("GET", "/Nonsense/1"), ("read", 404, "", "1", 0), set()),
    "an invalid resource": (("POST", "/Patient", patient(active="no")), ("create", 400, "Patient", "", 0), set()),
    "a body that is too large": (
        ("POST", "/Patient", b"x" * (2**20 + 1)),
        ("create", 413, "Patient", "", 0),
        set(),
    ),
    "a stale version": (
        ("PUT", "/Patient/ann", patient("ann"), {"If_Match": 'W/"7"'}),
        ("update", 412, "Patient", "ann", 0),
        set(),
    ),
    "an unknown operation": (("GET", "/Patient/ann/$nonsense"), ("operation", 404, "Patient", "ann", 0), set()),
    "writing the audit": (
        ("PUT", "/AuditEvent/1-0", patient("1-0")),
        ("update", 405, "AuditEvent", "1-0", 0),
        set(),
    ),
    "reading the audit": (("GET", "/AuditEvent"), ("search-type", 403, "AuditEvent", "", 0), set()),
}


WRITING = ("PUT", "PATCH", "DELETE")
WRITES = [name for name, ((method, *_), (_, status, *_), _) in CASES.items() if method in WRITING and status < 400]
WRITES += ["an operation that writes"]


def test_one_record_says_what_was_asked_and_whose_data_left(filled: Audited) -> None:
    for case in CASES:
        if case not in WRITES:
            is_told(case, filled)


@pytest.mark.parametrize("case", WRITES)
def test_one_record_says_what_was_written_and_whose_it_is(case: str, filled: Audited) -> None:
    is_told(case, filled)


def is_told(case: str, filled: Audited) -> None:
    (method, path, *rest), expected, people = CASES[case]
    body, headers = (*rest, None, {})[:2] if len(rest) < 2 else rest
    answer, found = filled.new(method, path, body, **(headers or {}))
    (one,) = found
    assert one.status == answer.status_code, answer.text
    assert told(one) == expected
    assert patients(one) == people
    assert (one.client, one.user, one.role, one.purposes) == ("ehr", "dr-doe", "ecm", ("TREAT",))
    assert (one.request, one.network) == ("request-1", "192.0.2.7")
    assert one.method == method
    assert one.query.startswith(path.split("?")[0])


def test_a_create_is_recorded_under_the_id_that_it_got(filled: Audited) -> None:
    answer, (one,) = filled.new("POST", "/Patient", patient())
    assert told(one) == ("create", 201, "Patient", answer.json["id"], 1)
    assert patients(one) == {address("Patient", answer.json["id"])}


def test_who_has_no_token_is_recorded_too(filled: Audited) -> None:
    answer, (one,) = filled.as_("nobody known").new("GET", "/Patient/ann")
    assert (answer.status_code, one.status, one.client) == (401, 401, "")


def test_a_search_by_form_is_recorded_with_its_form_and_a_token_in_a_url_is_not(filled: Audited) -> None:
    _, (one,) = filled.new("POST", "/Observation/_search?_count=5", b"_id=a1", Content_Type=FORM)
    assert one.query == "/Observation/_search?_count=5\n\n_id=a1"
    _, (one,) = filled.new("GET", "/Observation?access_token=secret-word")
    assert "secret-word" not in repr(one)


def test_a_transaction_has_a_record_for_each_entry(filled: Audited) -> None:
    sent = [
        entry("POST", "Observation", observation(**about("bob"))),
        entry("GET", "Patient/ann"),
        entry("DELETE", "Observation/a2"),
        entry("GET", "Observation?subject=Patient/bob"),
    ]
    answer, found = filled.new("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": sent})
    assert answer.status_code == 200, answer.text
    assert sorted((one.interaction, one.status, one.type, sorted(patients(one))) for one in found) == sorted(
        [
            ("create", 201, "Observation", [BOB]),
            ("read", 200, "Patient", [ANN]),
            ("delete", 204, "Observation", [ANN]),
            ("search-type", 200, "Observation", [BOB]),
        ]
    )
    assert {one.request for one in found} == {"request-1"}


def test_a_refused_transaction_has_one_record_and_nothing_else(filled: Audited) -> None:
    sent = [entry("DELETE", "Observation/a2"), entry("GET", "Patient/nobody")]
    answer, (one,) = filled.new("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": sent})
    assert (answer.status_code, told(one)) == (404, ("transaction", 404, "", "", 0))


def test_a_batch_has_a_record_for_each_entry_refused_or_not(filled: Audited) -> None:
    sent = [
        entry("PUT", "Patient/ann", patient("ann")),
        entry("GET", "Patient/nobody"),
        entry("GET", "Consent/x"),
        entry("PUT", "Patient/bob", patient("other")),
        entry("GET", "Patient/bob"),
    ]
    _, found = filled.new("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": sent})
    assert sorted(told(one) for one in found) == sorted(
        [
            ("update", 200, "Patient", "ann", 2),
            ("read", 404, "Patient", "nobody", 0),
            ("read", 403, "Consent", "x", 0),
            ("update", 400, "Patient", "bob", 0),
            ("read", 200, "Patient", "bob", 0),
        ]
    )


def test_the_audit_is_neither_read_nor_written_in_a_bundle(filled: Audited) -> None:
    for one in (
        entry("GET", "AuditEvent"),
        entry("PUT", "AuditEvent/1-0", {"resourceType": "AuditEvent", "id": "1-0"}),
    ):
        answer = filled.ask("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [one]})
        assert (answer.status_code, answer.json["issue"][0]["code"]) == (400, "not-supported")


def test_an_answer_that_is_repeated_is_recorded_again(filled: Audited) -> None:
    first, (made,) = filled.new("POST", "/Patient", patient(), Idempotency_Key="k")
    again, (repeated,) = filled.new("POST", "/Patient", patient(), Idempotency_Key="k")
    assert first.json["id"] == again.json["id"] == made.id
    assert (repeated.interaction, repeated.status) == ("create", 201)


def test_a_resource_of_several_patients_is_recorded_for_each(filled: Audited) -> None:
    members = [{"entity": {"reference": f"Patient/{who}"}} for who in ("ann", "bob")]
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members}
    _, (written,) = filled.new("PUT", "/Group/g", group)
    assert patients(written) == {ANN, BOB}
    _, (read,) = filled.new("GET", "/Group/g")
    assert patients(read) == {ANN, BOB}


def test_the_hubs_own_writes_are_recorded(filled: Audited) -> None:
    before = len(filled.records())
    task = Entry("POST", "Observation", resource=observation(**about("ann")))
    filled.transactions.commit([task], Access.system("follow-up after a discharge"))
    (one,) = filled.records()[before:]
    assert (one.interaction, one.status, one.client, one.reason) == (
        "create",
        201,
        "hub",
        "follow-up after a discharge",
    )
    assert patients(one) == {ANN}


def test_what_everybody_may_ask_is_not_recorded(filled: Audited) -> None:
    assert filled.new("GET", "/metadata")[1] == []


# -- what cannot be recorded does not happen


@pytest.fixture
def full_disk(filled: Audited, monkeypatch: pytest.MonkeyPatch) -> Audited:
    monkeypatch.setattr(journal.os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    return filled


def test_a_read_that_cannot_be_recorded_is_not_answered(full_disk: Audited) -> None:
    for path in ("/Patient/ann", "/Observation", "/Patient/ann/$everything", "/Patient/x", "/Consent"):
        answer = full_disk.get(path)
        assert (answer.status_code, answer.json["issue"][0]["code"]) == (507, "no-store"), path
        assert "Patient" not in answer.text


def test_a_write_whose_record_cannot_be_stored_is_not_done(filled: Audited) -> None:
    with filled.database.write() as connection:
        connection.execute(text("DROP TABLE audit_pending"))
    answer = filled.ask("PUT", "/Patient/new", patient("new"))
    assert answer.status_code >= 500
    with filled.database.read() as connection:
        count = select(func.count()).select_from(resource).where(resource.c.id == "new")
        assert connection.execute(count).scalar() == 0


def test_a_record_is_durable_before_its_answer_leaves(filled: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    whole: Callable[..., None] = journal.Journal.append

    def append(self: journal.Journal, *records: bytes) -> None:
        whole(self, *records)
        order.append("durable")

    monkeypatch.setattr(journal.Journal, "append", append)
    respond = app._response
    monkeypatch.setattr(app, "_response", lambda answer: (order.append("answered"), respond(answer))[1])
    filled.get("/Patient/ann")
    assert order == ["durable", "answered"]


def test_no_content_of_a_resource_is_recorded(filled: Audited) -> None:
    named = patient("named", name=[{"family": "Zqfamily"}], telecom=[{"value": "zqphone"}])
    for method, path, body in (
        ("PUT", "/Patient/named", named),
        ("GET", "/Patient/named", None),
        ("GET", "/Patient", None),
        ("POST", "/Patient", patient(active="no", name=[{"family": "Zqfamily"}])),
    ):
        _, found = filled.new(method, path, body)
        assert found
        assert "zq" not in repr(found).lower()
    assert "zq" not in json.dumps(filled.events()).lower()
    queries = [e["query"] for event in filled.events() for e in event["entity"] if "query" in e]
    assert all(b64decode(query).startswith(b"GET /") for query in queries)
