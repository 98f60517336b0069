"""$export of the system: the kick-off, the status, the files. https://hl7.org/fhir/uv/bulkdata/STU2/export.html"""

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from hub import clock
from hub.bulk import jobs
from hub.store.engine import Database
from tests.hub.asking import BASE, entry, observation, patient, refused, token_of
from tests.hub.bulk.bulk_world import Bulk, bulk_hub
from tests.hub.smallest import smallest

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def bulk(swept: Database) -> Bulk:
    return bulk_hub(swept, {})


def test_an_export_holds_everything_and_each_file_one_type(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), patient("ben"), observation("o"), smallest("Practitioner", "dr"))
    assert bulk.names("/$export") == {"Patient/ann", "Patient/ben", "Observation/o", "Practitioner/dr"}


def test_the_kick_off_is_accepted_with_the_address_of_its_status(bulk: Bulk) -> None:
    answer = bulk.api.get("/$export", **ASYNC)
    assert (answer.status_code, answer.data) == (202, b"")
    assert answer.headers["Content-Location"].startswith(f"{BASE}/bulk/")


def test_a_kick_off_may_be_a_post(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), observation("o"))
    asked = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueString": "Observation"}]}
    answer = bulk.api.post("/$export", asked, **ASYNC)
    bulk.work()
    told = bulk.manifest(answer.headers["Content-Location"].removeprefix(BASE))
    assert [file["type"] for file in told["output"]] == ["Observation"]
    assert told["request"] == f"{BASE}/$export"


def test_a_bare_post_exports_everything(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    answer = bulk.api.post("/$export", **ASYNC)
    bulk.work()
    assert len(bulk.manifest(answer.headers["Content-Location"].removeprefix(BASE))["output"]) == 1


def test_the_manifest_says_when_what_was_asked_and_that_a_token_is_needed(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), patient("ben"))
    job = bulk.kick("/$export?_type=Patient")
    bulk.work()
    told = bulk.manifest(job)
    assert told["request"] == f"{BASE}/$export?_type=Patient"
    assert told["requiresAccessToken"] is True
    assert told["transactionTime"].endswith("Z")
    assert told["output"] == [{"type": "Patient", "url": f"{BASE}{job}/1.ndjson", "count": 2}]
    assert told["error"] == []
    assert "deleted" not in told


def test_a_job_under_way_says_so_and_when_to_ask_again(bulk: Bulk) -> None:
    answer = bulk.api.get(bulk.kick("/$export"))
    assert (answer.status_code, answer.data) == (202, b"")
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["X-Progress"] == "0 resources so far"


def test_who_asks_too_often_is_told_to_wait_and_then_is_answered(bulk: Bulk) -> None:
    job = bulk.kick("/$export")
    assert bulk.api.get(job).status_code == 202
    answer = bulk.api.get(job)
    refused(answer, 429, "throttled")
    assert answer.headers["Retry-After"] == "2"
    bulk.now.ahead = timedelta(seconds=2)
    assert bulk.api.get(job).status_code == 202


def test_a_finished_job_answers_whoever_asks_at_once(bulk: Bulk) -> None:
    job = bulk.kick("/$export")
    bulk.work()
    assert [bulk.api.get(job).status_code for _ in range(3)] == [200] * 3


def test_manifest_and_files_expire(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    job = bulk.kick("/$export")
    bulk.work()
    assert bulk.api.get(job).headers["Expires"].endswith("GMT")
    assert bulk.download(f"{job}/1.ndjson").headers["Expires"].endswith("GMT")
    bulk.now.ahead = timedelta(hours=2)
    refused(bulk.api.get(job), 404, "not-found")
    refused(bulk.download(f"{job}/1.ndjson"), 404, "not-found")


def test_what_expired_is_forgotten(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    bulk.kick("/$export")
    bulk.work()
    assert not bulk.lane.forget(0)
    bulk.now.ahead = timedelta(hours=2)
    assert bulk.lane.forget(bulk.desk._micros())
    assert bulk.rows() == 0


def test_a_deleted_job_is_gone_with_its_files(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    job = bulk.kick("/$export")
    bulk.work()
    assert bulk.api.delete(job).status_code == 202
    refused(bulk.api.get(job), 404, "not-found")
    refused(bulk.download(f"{job}/1.ndjson"), 404, "not-found")
    refused(bulk.api.delete(job), 404, "not-found")
    assert bulk.rows() == 0


def test_a_job_deleted_under_way_is_not_gone_on_with(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    assert bulk.api.delete(bulk.kick("/$export")).status_code == 202
    bulk.work()
    assert bulk.rows() == 0


def test_lines_are_the_bytes_that_are_stored(bulk: Bulk) -> None:
    said = '"status":"final","code":{"text":"a\\nb"},"valueQuantity":{"value":72.50}'
    body = f'{{"resourceType":"Observation","id":"o",{said}}}'
    assert bulk.api.put("/Observation/o", body.encode()).status_code == 201
    job = bulk.kick("/$export")
    bulk.work()
    answer = bulk.download(f"{job}/1.ndjson")
    assert answer.data == bulk.api.get("/Observation/o").data + b"\n"
    assert b"72.50" in answer.data
    assert answer.content_type == "application/fhir+ndjson"


def test_files_are_compressed_for_who_asks(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    job = bulk.kick("/$export")
    bulk.work()
    plain, packed = (bulk.download(f"{job}/1.ndjson", Accept_Encoding=each) for each in ("", "gzip"))
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in plain.headers


def test_no_file_is_kept_on_the_way(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    job = bulk.kick("/$export")
    bulk.work()
    for path in (job, f"{job}/1.ndjson"):
        assert bulk.api.get(path).headers["Cache-Control"] == "no-store"


def test_large_types_have_several_files_and_nothing_twice(swept: Database) -> None:
    bulk = bulk_hub(swept, {}, window=3, file=5)
    names = {f"p{number}" for number in range(17)}
    bulk.api.have(*(patient(name) for name in names))
    job = bulk.kick("/$export")
    bulk.work()
    files = bulk.manifest(job)["output"]
    found = [each["id"] for file in files for each in bulk.lines(file["url"])]
    assert len(files) > 2
    assert (len(found), set(found)) == (17, names)
    assert [file["count"] for file in files] == [len(bulk.lines(file["url"])) for file in files]


def test_an_export_is_as_of_its_transaction_time(swept: Database) -> None:
    """What is changed later is as it was, what comes later is not in."""
    bulk = bulk_hub(swept, {})
    bulk.api.have(patient("ann", active=True), patient("ben"))
    job = bulk.kick("/$export")
    bulk.work()
    bulk.api.have(patient("ann", active=False), patient("later"))
    (file,) = bulk.manifest(job)["output"]
    found = {each["id"]: each for each in bulk.lines(file["url"])}
    assert set(found) == {"ann", "ben"}
    assert (found["ann"]["active"], found["ann"]["meta"]["versionId"]) == (True, "1")


def test_what_changes_before_it_is_looked_at_comes_with_the_next_export(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), patient("ben"))
    job = bulk.kick("/$export")
    bulk.api.have(patient("ann", active=True))
    bulk.work()
    told = bulk.manifest(job)
    assert {each["id"] for each in bulk.lines(told["output"][0]["url"])} == {"ben"}
    assert bulk.names(f"/$export?_since={told['transactionTime']}") == {"Patient/ann"}


def test_what_was_deleted_since_is_left_out_of_the_download(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), patient("ben"))
    job = bulk.kick("/$export")
    bulk.work()
    assert bulk.api.delete("/Patient/ann").status_code in (200, 204)
    assert [each["id"] for each in bulk.lines(f"{job}/1.ndjson")] == ["ben"]


def test_since_and_until_bound_what_changed(bulk: Bulk) -> None:
    bulk.api.have(patient("one"))
    first = bulk.moment()
    bulk.api.have(patient("two"))
    second = bulk.moment()
    bulk.api.have(patient("three"))
    assert bulk.names(f"/$export?_since={first}") == {"Patient/two", "Patient/three"}
    assert bulk.names(f"/$export?_until={second}") == {"Patient/one", "Patient/two"}
    assert bulk.names(f"/$export?_since={first}&_until={second}") == {"Patient/two"}


def test_deletions_are_told_since(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), patient("ben"))
    since = bulk.moment()
    bulk.api.delete("/Patient/ann")
    job = bulk.kick(f"/$export?_since={since}")
    bulk.work()
    (file,) = bulk.manifest(job)["deleted"]
    (line,) = bulk.lines(file["url"])
    assert (file["type"], file["count"]) == ("Bundle", 1)
    assert (line["resourceType"], line["type"]) == ("Bundle", "transaction")
    assert line["entry"] == [{"request": {"method": "DELETE", "url": "Patient/ann"}}]


def test_no_deletion_is_told_of_what_is_there_again(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    since = bulk.moment()
    bulk.api.delete("/Patient/ann")
    job = bulk.kick(f"/$export?_since={since}")
    bulk.work()
    (file,) = bulk.manifest(job)["deleted"]
    bulk.api.have(patient("ann"))
    assert bulk.manifest(job)["deleted"] == []
    assert bulk.lines(file["url"]) == []


def test_an_export_of_everything_tells_no_deletions(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    bulk.api.delete("/Patient/ann")
    job = bulk.kick("/$export")
    bulk.work()
    told = bulk.manifest(job)
    assert (told["output"], "deleted" in told) == ([], False)


def test_types_are_a_list_or_said_several_times(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), observation("o"), smallest("Practitioner", "dr"))
    wanted = {"Patient/ann", "Practitioner/dr"}
    assert bulk.names("/$export?_type=Patient,Practitioner") == wanted
    assert bulk.names("/$export?_type=Patient&_type=Practitioner") == wanted


@pytest.mark.parametrize(
    "name", ["application/fhir%2Bndjson", "application/fhir+ndjson", "application/ndjson", "ndjson"]
)
def test_every_name_of_ndjson_is_known(bulk: Bulk, name: str) -> None:
    assert bulk.api.get(f"/$export?_outputFormat={name}", **ASYNC).status_code == 202


def test_filters_of_a_type_are_alternatives_and_leave_other_types_alone(bulk: Bulk) -> None:
    bulk.api.have(patient("ann", active=True, gender="female"), patient("ben", gender="male"), patient("cy"))
    bulk.api.have(observation("o"))
    asked = "_typeFilter=Patient%3Factive%3Dtrue&_typeFilter=Patient%3Fgender%3Dmale"
    assert bulk.names(f"/$export?{asked}") == {"Patient/ann", "Patient/ben", "Observation/o"}
    together = "_typeFilter=Patient%3Factive%3Dtrue,Patient%3Fgender%3Dmale,other"
    assert bulk.names(f"/$export?{together}&_type=Patient") == {"Patient/ann", "Patient/ben"}


def test_a_filter_may_follow_references(bulk: Bulk) -> None:
    bulk.api.have(patient("ann", active=True), patient("ben", active=False))
    bulk.api.have(*(observation(f"o-{name}", subject={"reference": f"Patient/{name}"}) for name in ("ann", "ben")))
    asked = "/$export?_type=Observation&_typeFilter=Observation%3Fsubject:Patient.active%3Dtrue"
    assert bulk.names(asked) == {"Observation/o-ann"}


def test_elements_are_those_asked_for_of_a_type_or_of_all(bulk: Bulk) -> None:
    bulk.api.have(patient("ann", active=True, gender="female"), observation("o", valueString="x"))
    found = bulk.exported("/$export?_elements=Patient.gender")
    assert set(found["Patient"][0]) == {"resourceType", "id", "meta", "gender"}
    assert found["Patient"][0]["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "valueString" in found["Observation"][0]
    found = bulk.exported("/$export?_elements=active,valueString")
    assert set(found["Patient"][0]) == {"resourceType", "id", "meta", "active"}
    assert set(found["Observation"][0]) == {"resourceType", "id", "meta", "status", "code", "valueString"}


REFUSED = {
    "/$export?_frob=1": "not-supported",
    "/$export?_outputFormat=text/csv": "not-supported",
    "/$export?_outputFormat=application/fhir%2Bparquet": "not-supported",
    "/$export?_type=Patient,Frob": "value",
    "/$export?_since=yesterday": "value",
    "/$export?_since=2026-02-01&_until=2026-01-01": "value",
    "/$export?_typeFilter=Patient": "value",
    "/$export?_typeFilter=Frob%3Fa%3Db": "value",
    "/$export?_typeFilter=Patient%3Ffrob%3D1": "not-supported",
    "/$export?_typeFilter=Patient%3F_include%3DPatient:link": "not-supported",
    "/$export?_typeFilter=Patient%3F_sort%3Dname": "not-supported",
    "/$export?_type=Task&_typeFilter=Patient%3Factive%3Dtrue": "value",
    "/$export?_elements=Patient.frob": "not-supported",
    "/$export?includeAssociatedData=LatestProvenanceResources": "not-supported",
    "/$export?patient=Patient/ann": "not-supported",
    "/Patient/$export?_type=Practitioner": "not-supported",
    "/Observation/$export": "not-supported",
    "/Patient/ann/$export": "not-supported",
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_cannot_be_done_is_refused_before_a_job_is_begun(bulk: Bulk, path: str) -> None:
    refused(bulk.api.get(path, **ASYNC), 400, REFUSED[path])
    assert bulk.rows() == 0


def test_lenient_handling_leaves_out_and_tells(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"))
    asked = "/$export?_frob=1&includeAssociatedData=x&_typeFilter=Patient%3Ffrob%3D1&_elements=Patient.frob"
    found = bulk.exported(asked, Prefer="respond-async, handling=lenient")
    assert [each["id"] for each in found["Patient"]] == ["ann"]
    told = [each["issue"][0]["expression"][0] for each in found["error"]]
    assert sorted(told) == ["_elements", "_frob", "_typeFilter", "includeAssociatedData"]
    assert {each["issue"][0]["severity"] for each in found["error"]} == {"warning"}


def test_without_respond_async_there_is_no_export(bulk: Bulk) -> None:
    issue = refused(bulk.api.get("/$export"), 400, "required")
    assert "respond-async" in issue["diagnostics"]
    refused(bulk.api.get("/$export", Prefer="handling=lenient"), 400, "required")


def test_a_patients_binary_is_told_by_its_document_and_not_exported(bulk: Bulk) -> None:
    bulk.api.have(patient("ann"), smallest("Binary", "of-whom-nobody-knows"))
    bulk.api.have(smallest("Binary", "scan") | {"securityContext": {"reference": "Patient/ann"}})
    attached = [{"attachment": {"contentType": "image/png", "url": "Binary/scan"}}]
    document = {"status": "current", "subject": {"reference": "Patient/ann"}, "content": attached}
    bulk.api.have(smallest("DocumentReference", "d") | document)
    assert bulk.names("/$export?_type=Binary,DocumentReference") == {"DocumentReference/d"}


def test_the_address_of_an_attachment_is_whole_and_leads_there(bulk: Bulk) -> None:
    """With the token that fetched the file."""
    bulk.api.have(patient("ann"))
    bulk.api.have(smallest("Binary", "scan") | {"securityContext": {"reference": "Patient/ann"}})
    texts = [{"url": "Binary/scan", "title": '"url":"Binary/scan'}, {"url": "https://elsewhere.example/Binary/1"}]
    document = {"status": "current", "content": [{"attachment": each} for each in texts]}
    bulk.api.have(smallest("DocumentReference", "d") | document)
    (found,) = bulk.exported("/$export?_type=DocumentReference")["DocumentReference"]
    here, elsewhere = (each["attachment"] for each in found["content"])
    assert here == {"url": f"{BASE}/Binary/scan", "title": '"url":"Binary/scan'}
    assert elsewhere == texts[1]
    assert bulk.download(here["url"]).status_code == 200


def test_the_statement_says_that_bulk_data_is_served(bulk: Bulk) -> None:
    told = bulk.api.get("/metadata").json
    assert "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data" in told["instantiates"]
    group = next(each for each in told["rest"][0]["resource"] if each["type"] == "Group")
    assert {"export", "davinci-data-export"} <= {each["name"] for each in group["operation"]}


def test_an_entry_of_a_bundle_begins_no_job(bulk: Bulk) -> None:
    for kind in ("batch", "transaction"):
        answer = bulk.api.bundle(kind, entry("GET", "$export"), **ASYNC)
        assert "no entry of a Bundle" in answer.text
    assert bulk.rows() == 0


def test_head_begins_no_job(bulk: Bulk) -> None:
    assert bulk.api.ask("HEAD", "/$export", **ASYNC).status_code == 405
    assert bulk.rows() == 0


def test_only_so_many_jobs_of_a_client_at_once(swept: Database) -> None:
    bulk = bulk_hub(swept, {}, most=2)
    first = bulk.kick("/$export")
    bulk.kick("/$export")
    answer = bulk.api.get("/$export", **ASYNC)
    refused(answer, 429, "throttled")
    assert int(answer.headers["Retry-After"]) > 0
    bulk.api.delete(first)
    assert bulk.api.get("/$export", **ASYNC).status_code == 202


def test_kick_offs_at_once_count_each_other(swept: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have counted before one of them writes, if nothing keeps them apart."""
    bulk, count, both = bulk_hub(swept, {}, most=1), jobs.unfinished, threading.Barrier(2)

    def slowly(*of: Any) -> int:
        found = count(*of)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return found

    monkeypatch.setattr(jobs, "unfinished", slowly)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: bulk.as_("all").get("/$export", **ASYNC).status_code, range(2)))
    assert sorted(answers) == [202, 429]


def test_who_waits_as_it_was_told_is_answered(bulk: Bulk) -> None:
    """Also where the job became an old one meanwhile."""
    job = bulk.kick("/$export")
    bulk.now.ahead = timedelta(seconds=29)
    wait = int(bulk.api.get(job).headers["Retry-After"])
    bulk.now.ahead += timedelta(seconds=wait)
    assert bulk.api.get(job).headers["Retry-After"] == "10"
    bulk.now.ahead += timedelta(seconds=wait)
    refused(bulk.api.get(job), 429, "throttled")


def test_a_file_that_is_being_fetched_does_not_expire(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.bulk.downloading.LINES", 1)
    monkeypatch.setattr("hub.rest.streamed.WHOLE", 0)
    bulk.api.have(patient("ann"), patient("ben"))
    job = bulk.kick("/$export")
    bulk.work()
    bulk.now.ahead = timedelta(minutes=59)
    headers = {"Authorization": f"Bearer {token_of('all')}"}
    pieces = bulk.api.app.test_client().get(f"/fhir{job}/1.ndjson", headers=headers).iter_encoded()
    assert b"ann" in next(pieces)
    bulk.now.ahead = timedelta(minutes=61)
    assert not bulk.lane.forget(clock.micros(bulk.now()))
    assert b"ben" in b"".join(pieces)
    bulk.now.ahead = timedelta(hours=2)
    assert bulk.lane.forget(clock.micros(bulk.now()))


@pytest.mark.parametrize("path", ["/bulk/nothing", "/bulk/nothing/1.ndjson"])
def test_what_was_never_begun_is_not_there(bulk: Bulk, path: str) -> None:
    refused(bulk.api.get(path), 404, "not-found")


@pytest.mark.parametrize("number", [0, 2, 9])
def test_a_file_that_no_manifest_names_is_not_there(bulk: Bulk, number: int) -> None:
    bulk.api.have(patient("ann"))
    job = bulk.kick("/$export")
    refused(bulk.download(f"{job}/1.ndjson"), 404, "not-found")
    bulk.work()
    refused(bulk.download(f"{job}/{number}.ndjson"), 404, "not-found")


def test_a_status_is_json(bulk: Bulk) -> None:
    job = bulk.kick("/$export")
    bulk.work()
    answer = bulk.api.get(job, Accept="application/json")
    assert json.loads(answer.data)["output"] == []
