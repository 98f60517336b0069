"""$import: lines become resources, a bad line costs itself, the same lines again change nothing. docs/bulk.md"""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.access import Access
from hub.bulk import files
from hub.bulk.fetching import CannotFetch
from hub.bulk.importing import Importing
from hub.bulk.jobs import Job
from hub.store.engine import Database
from hub.store.tables_bulk import bulk_job, bulk_part
from tests.hub.asking import BASE, mrn, observation, patient, refused
from tests.hub.bulk.bulk_world import Bulk, bulk_hub, ndjson
from tests.hub.sighted import caller, labelled, panel, to
from tests.hub.smallest import smallest

ASYNC = {"Prefer": "respond-async"}
NDJSON = ASYNC | {"Content-Type": "application/fhir+ndjson"}


@pytest.fixture
def bulk(swept: Database) -> Bulk:
    return bulk_hub(swept, {})


def began(bulk: Bulk, body: bytes, who: str = "all") -> str:
    answer = bulk.as_(who).post("/$import", body, **NDJSON)
    assert answer.status_code == 202, answer.text
    return answer.headers["Content-Location"].removeprefix(BASE)


def imported(bulk: Bulk, *resources: Any, who: str = "all") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report's counts by type, and its OperationOutcomes."""
    job = began(bulk, ndjson(*resources), who)
    bulk.work()
    told = bulk.manifest(job, who)
    report = [line for file in told["error"] for line in bulk.lines(file["url"], who)]
    return {each["type"]: each["extension"] for each in told["output"]}, report


def test_each_line_becomes_a_resource(bulk: Bulk) -> None:
    counts, report = imported(bulk, patient("ann"), patient("ben"), observation("o", subject=to("Patient", "ann")))
    assert counts == {"Patient": {"created": 2}, "Observation": {"created": 1}}
    assert report == []
    assert bulk.api.get("/Observation/o").json["subject"] == to("Patient", "ann")


@pytest.mark.parametrize("narrow", [True, False])
def test_what_a_narrow_token_may_not_write_its_import_may_not(swept: Database, narrow: bool) -> None:
    """A Subscription: its lines are written by what the client may do, as far as the token may."""
    harbor = bulk_hub(swept, {"harbor": caller()})
    made = {name: value for name, value in smallest("Subscription", "x").items() if name != "id"}
    own = harbor.as_("harbor").post("/Subscription", made).json
    harbor.callers["harbor"] = replace(caller(), narrow=narrow)
    job = began(harbor, ndjson(own | {"reason": "another"}), "harbor")
    harbor.callers["harbor"] = caller()
    harbor.work()
    report = [
        line for file in harbor.manifest(job, "harbor")["error"] for line in harbor.lines(file["url"], "harbor")
    ]
    assert ["client's own" in str(line) for line in report] == ([True] if narrow else [])
    assert harbor.as_("harbor").get(f"/Subscription/{own['id']}").json["reason"] == (
        "invented" if narrow else "another"
    )


def test_numbers_keep_their_digits(bulk: Bulk) -> None:
    said = b'"status":"final","code":{"text":"x"},"valueQuantity":{"value":72.50}'
    imported(bulk, b'{"resourceType":"Observation","id":"o",' + said + b"}")
    assert b"72.50" in bulk.api.get("/Observation/o").data


def test_the_same_lines_again_change_nothing(bulk: Bulk) -> None:
    lines = [patient("ann", active=True), patient(identifier=mrn("1"), gender="male")]
    assert imported(bulk, *lines)[0] == {"Patient": {"created": 2}}
    assert imported(bulk, *lines)[0] == {"Patient": {"unchanged": 2}}
    assert {each["meta"]["versionId"] for each in patients(bulk)} == {"1"}
    changed = [patient("ann", active=False), patient(identifier=mrn("1"), gender="female")]
    assert imported(bulk, *changed)[0] == {"Patient": {"updated": 2}}
    assert {each["meta"]["versionId"] for each in patients(bulk)} == {"2"}


def patients(bulk: Bulk) -> list[dict[str, Any]]:
    return [each["resource"] for each in bulk.api.get("/Patient").json["entry"]]


BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "structure"),
    "no object": (b"[]", "structure"),
    "no resource": ({"id": "x"}, "structure"),
    "a type that is none": ({"resourceType": "Frob", "id": "x"}, "structure"),
    "a Bundle": ({"resourceType": "Bundle", "id": "x", "type": "collection"}, "structure"),
    "an AuditEvent": ({"resourceType": "AuditEvent", "id": "x"}, "structure"),
    "neither id nor identifier": (patient(), "required"),
    "an id that cannot be": (patient("not an id"), "value"),
    "an element that is none": (patient("x", frob=1), "structure"),
    "a code that is none": (patient("x", gender="frob"), "code-invalid"),
    "a key twice": (b'{"resourceType":"Patient","id":"x","id":"y"}', "structure"),
    "no UTF-8": (b'{"resourceType":"Patient","id":"\xff"}', "structure"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_costs_itself_and_is_told_with_its_number(bulk: Bulk, name: str) -> None:
    line, code = BAD[name]
    good = [patient(f"p{number}") for number in range(5)]
    counts, report = imported(bulk, *good[:2], line, *good[2:])
    assert counts == {"Patient": {"created": 5}}
    (told,) = report
    assert told["issue"][0]["code"] == code
    assert told["issue"][0]["diagnostics"].startswith("Line 3: ")


def test_a_report_names_the_place_and_no_content(bulk: Bulk) -> None:
    _, report = imported(bulk, patient("x", name=[{"family": "Testperson"}], gender="frob"))
    assert report[0]["issue"][0]["expression"] == ["gender"]
    assert "Testperson" not in json.dumps(report)


def test_many_bad_lines_cost_themselves(bulk: Bulk) -> None:
    lines = [patient(f"p{number}") if number % 3 else patient() for number in range(30)]
    counts, report = imported(bulk, *lines)
    assert counts == {"Patient": {"created": 20}}
    assert [each["issue"][0]["diagnostics"].partition(":")[0] for each in report] == [
        f"Line {number + 1}" for number in range(30) if not number % 3
    ]


def test_of_two_lines_about_one_resource_the_later_one_counts(bulk: Bulk) -> None:
    counts, report = imported(bulk, patient("ann", active=True), patient("ann", active=False))
    assert (counts, report) == ({"Patient": {"created": 1, "updated": 1}}, [])
    assert bulk.api.get("/Patient/ann").json["active"] is False


def test_an_identifier_that_several_have_is_refused(bulk: Bulk) -> None:
    bulk.api.have(patient("one", identifier=mrn("1")), patient("two", identifier=mrn("1")))
    counts, report = imported(bulk, patient(identifier=mrn("1")))
    assert (counts, report[0]["issue"][0]["code"]) == ({}, "multiple-matches")


def test_empty_lines_and_a_missing_last_end_are_no_fault(bulk: Bulk) -> None:
    job = began(
        bulk, b"\n\r\n" + ndjson(patient("ann")).replace(b"\n", b"\r\n") + b"\n" + ndjson(patient("ben"))[:-1]
    )
    bulk.work()
    assert bulk.manifest(job)["output"][0]["count"] == 2


def test_the_lines_go_when_all_is_done_and_the_report_when_it_expires(bulk: Bulk) -> None:
    job = began(bulk, ndjson(patient("ann"), patient()))
    bulk.work()
    assert bulk.rows() == 3  # the job, the report and its piece
    assert bulk.api.delete(job).status_code == 202
    assert bulk.rows() == 0


def test_an_import_that_fails_keeps_no_lines_but_its_report(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.bulk.importing.PORTION", 2)
    bulk.callers["loads"] = caller("loads")
    job = began(bulk, ndjson(patient("canary"), patient("canary2"), patient("canary3")), "loads")
    step, left = Importing.step, [1]

    def ending(self: Importing, of: Job) -> Job | None:
        if not left[0]:
            bulk.callers.pop("loads")  # the client is not active any more
        left[0] -= 1
        return step(self, of)

    monkeypatch.setattr(Importing, "step", ending)
    bulk.work()
    bulk.callers["loads"] = caller("loads")
    problem = refused(bulk.as_("loads").get(job), 403, "forbidden")
    assert "2 lines were done before" in problem["diagnostics"]
    url = problem["diagnostics"].rpartition(" ")[2]
    assert url.startswith(BASE)
    assert len(bulk.lines(url, "loads")) == 2
    with bulk.desk.database.read() as connection:
        assert files.listed(connection, job.rpartition("/")[2])[-1].kind == files.ERROR
        assert not any(
            b"canary" in bytes(each) for each in connection.execute(select(bulk_part.c.content)).scalars()
        )


class Killed(BaseException):
    """kill -9, as it looks from within."""


@pytest.mark.parametrize("steps", range(6))
def test_a_killed_import_goes_on_where_it_was(bulk: Bulk, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.bulk.importing.PORTION", 3)
    lines = [patient(f"p{number}") if number != 4 else patient() for number in range(10)]
    job = began(bulk, ndjson(*lines))
    step, left = Importing.step, [steps]

    def dying(self: Importing, of: Job) -> Job | None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return step(self, of)

    with monkeypatch.context() as patched:
        patched.setattr(Importing, "step", dying)
        if bulk_dies(bulk):
            with bulk.desk.database.write() as connection:
                connection.execute(update(bulk_job).values(lease=0))
    bulk.work()
    told = bulk.manifest(job)
    assert told["output"] == [{"type": "Patient", "count": 9, "extension": {"created": 9}}]
    assert [file["count"] for file in told["error"]] == [1]
    assert {each["meta"]["versionId"] for each in patients(bulk)} == {"1"}


def bulk_dies(bulk: Bulk) -> bool:
    try:
        bulk.work()
    except Killed:
        return True
    return False


@pytest.fixture
def harbor(swept: Database) -> Bulk:
    made = bulk_hub(swept, {"harbor": caller()})
    made.api.have(
        patient("seen"), patient("stranger"), panel("seen"), observation("old", subject=to("Patient", "seen"))
    )
    return made


def codes(report: list[dict[str, Any]]) -> list[str]:
    return [each["issue"][0]["code"] for each in report]


def about(name: str, **parts: Any) -> dict[str, Any]:
    return observation(identifier=mrn(name), subject=to("Patient", name), **parts)


def test_a_line_is_written_with_what_its_client_may_do(harbor: Bulk) -> None:
    counts, report = imported(harbor, about("seen"), about("stranger"), about("nobody"), who="harbor")
    assert counts == {"Observation": {"created": 1}}
    assert codes(report) == ["forbidden", "forbidden"]


def test_a_client_gives_no_ids(harbor: Bulk) -> None:
    of = to("Patient", "seen")
    lines = [observation("new", subject=of), observation("old", subject=of, status="amended")]
    counts, report = imported(harbor, *lines, who="harbor")
    assert (counts, len(report)) == ({"Observation": {"updated": 1}}, 1)


def test_what_ends_after_the_kick_off_counts(harbor: Bulk) -> None:
    job = began(harbor, ndjson(about("seen")), "harbor")
    harbor.callers["harbor"] = caller(holders=())
    harbor.work()
    told = harbor.manifest(job, "harbor")
    assert told["output"] == []
    assert codes(harbor.lines(told["error"][0]["url"], "harbor")) == ["forbidden"]


def test_a_wider_client_writes_no_more_than_the_token_could(harbor: Bulk) -> None:
    harbor.callers["harbor"] = caller(grants=frozenset((("Patient", "u"), ("Patient", "s"))))
    job = began(harbor, ndjson(about("seen")), "harbor")
    harbor.callers["harbor"] = caller()
    harbor.work()
    told = harbor.manifest(job, "harbor")
    assert codes(harbor.lines(told["error"][0]["url"], "harbor")) == ["forbidden"]


def test_labels_are_raised_by_lines_as_by_any_write(harbor: Bulk) -> None:
    imported(harbor, observation("old", subject=to("Patient", "seen"), meta=labelled("HIV")))
    refused(harbor.as_("harbor").get("/Observation/old"), 404, "not-found")


def test_who_may_update_nothing_imports_nothing(harbor: Bulk) -> None:
    harbor.callers["harbor"] = caller(grants=frozenset((("Patient", "r"), ("Patient", "s"))))
    refused(harbor.as_("harbor").post("/$import", ndjson(about("seen")), **NDJSON), 403, "forbidden")


def test_people_import_nothing(harbor: Bulk) -> None:
    made: Access = caller()
    harbor.callers["harbor"] = Access(made.who, made.grants, sight=made.sight, user="dr")
    refused(harbor.as_("harbor").post("/$import", ndjson(about("seen")), **NDJSON), 403, "forbidden")


def test_an_import_is_asynchronous_and_by_post(bulk: Bulk) -> None:
    plain = {"Content-Type": "application/fhir+ndjson"}
    refused(bulk.api.post("/$import", ndjson(patient("ann")), **plain), 400, "required")
    refused(bulk.api.get("/$import", **ASYNC), 405, "not-supported")


LISTED = "files.invented.invalid"


def parameters(*urls: str, **parts: str) -> dict[str, Any]:
    made = [{"name": name, "valueCode": value} for name, value in parts.items()]
    made += [{"name": "input", "part": [{"name": "url", "valueUrl": url}]} for url in urls]
    return {"resourceType": "Parameters", "parameter": made}


@pytest.fixture
def fetching(swept: Database) -> tuple[Bulk, dict[str, Any]]:
    """A hub that fetches from a host that is not there: what it answers is in the second one."""
    answers: dict[str, Any] = {}

    def fetch(url: str) -> list[bytes]:
        if isinstance(answers[url], str):
            raise CannotFetch(answers[url])
        return [answers[url]]

    return bulk_hub(swept, {}, hosts=(LISTED,), fetch=fetch), answers


def test_files_are_fetched_one_after_the_other(fetching: tuple[Bulk, dict[str, Any]]) -> None:
    bulk, answers = fetching
    one, two = f"https://{LISTED}/1", f"https://{LISTED}/2"
    answers |= {one: ndjson(patient("ann"), patient()), two: ndjson(patient("ben"))}
    answer = bulk.api.post("/$import", parameters(one, two, inputFormat="application/fhir+ndjson"), **ASYNC)
    bulk.work()
    told = bulk.manifest(answer.headers["Content-Location"].removeprefix(BASE))
    assert told["output"] == [{"type": "Patient", "count": 2, "extension": {"created": 2}}]
    assert told["error"][0]["count"] == 1


def test_a_file_that_cannot_be_fetched_is_told_and_the_others_are_imported(
    fetching: tuple[Bulk, dict[str, Any]],
) -> None:
    bulk, answers = fetching
    one, two = f"https://{LISTED}/1", f"https://{LISTED}/2"
    answers |= {one: "its host answers 404", two: ndjson(patient("ben"))}
    answer = bulk.api.post("/$import", parameters(one, two), **ASYNC)
    for _ in range(5):
        bulk.work()
        with bulk.desk.database.write() as connection:
            connection.execute(update(bulk_job).values(lease=0))
    told = bulk.manifest(answer.headers["Content-Location"].removeprefix(BASE))
    assert told["output"][0]["count"] == 1
    (report,) = bulk.lines(told["error"][0]["url"])
    assert "answers 404" in report["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "url",
    [
        "https://other.invented.invalid/1",
        f"https://{LISTED}@other.invented.invalid/1",
        f"https://{LISTED}.other.invalid/1",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://files.invented.invalid/1",
        "",
    ],
)
def test_nothing_is_fetched_from_hosts_that_are_not_listed(fetching: tuple[Bulk, dict[str, Any]], url: str) -> None:
    bulk, _ = fetching
    refused(bulk.api.post("/$import", parameters(url), **ASYNC), 422, "business-rule")
    assert bulk.rows() == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (parameters(), "required"),
        (parameters(inputFormat="text/csv"), "not-supported"),
        (parameters(frob="x"), "not-supported"),
        ({"resourceType": "Parameters", "parameter": {}}, "structure"),
        ({"resourceType": "Parameters", "parameter": [1]}, "structure"),
        ({"resourceType": "Patient"}, "invalid"),
    ],
)
def test_what_is_no_import_is_refused(bulk: Bulk, body: dict[str, Any], code: str) -> None:
    refused(bulk.api.post("/$import", body, **ASYNC), 400, code)
    assert bulk.rows() == 0
