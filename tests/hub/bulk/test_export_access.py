"""Nothing leaves by an export that does not leave by a search: not at the kick-off, not when it is chosen, not
when it is downloaded. docs/access.md; known-failures SEC-39, SEC-40, SEC-41 of peers."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.access import Access
from hub.bulk import downloading
from hub.rights.labels import SUD_BITS
from hub.search.criterion import criterion
from hub.store.criteria import value_key
from hub.store.engine import Database
from tests.hub.asking import observation, patient, refused, token_of
from tests.hub.bulk.bulk_world import Bulk, bulk_hub
from tests.hub.sighted import caller, day, labelled, panel, same, to
from tests.hub.sighted_world import HIDDEN, LAB, agreed, callers, observations, people, there_for
from tests.hub.smallest import smallest

ASYNC = {"Prefer": "respond-async"}
CATEGORY = ("Observation", "category")
VITAL = criterion(*CATEGORY, f"{LAB}|vital-signs").values[0]


@pytest.fixture
def bulk(swept: Database) -> Bulk:
    """The world of tests/hub/sighted_world.py."""
    made = bulk_hub(swept, callers())
    made.api.have(*people())
    observations(made.api)
    return made


@pytest.mark.parametrize("who", ["harbor", "narrow"])
@pytest.mark.parametrize("path", ["/$export", "/Patient/$export"])
def test_an_export_holds_what_a_search_finds(bulk: Bulk, who: str, path: str) -> None:
    found = bulk.names(f"{path}?_type=Observation", who)
    of_nobody = {"Observation/own-nobodys"} if path != "/$export" else set()
    assert found == {f"Observation/{name}" for name in there_for(who)} - of_nobody
    assert found | of_nobody == {f"Observation/{each}" for each in bulk.as_(who).found("/Observation?_count=50")}


def test_a_group_gives_its_members_whom_the_client_sees(bulk: Bulk) -> None:
    found = bulk.names("/Group/panel/$export?_type=Patient,Observation", "harbor")
    assert found == {
        *(f"Patient/{name}" for name in ("seen", "also", "agreed")),
        *(f"Observation/{name}" for name in there_for("harbor") - {"own-nobodys"}),
    }


def test_a_group_out_of_sight_is_missing(bulk: Bulk) -> None:
    bulk.api.have(panel("stranger", of="Organization/clinic", identity="others"))
    hidden = bulk.as_("harbor").get("/Group/others/$export", **ASYNC)
    same(hidden, bulk.as_("harbor").get("/Group/nobody/$export", **ASYNC), "others", "nobody")
    refused(hidden, 404, "not-found")


def test_patients_out_of_sight_are_exported_as_if_nobody_had_them(bulk: Bulk) -> None:
    def asked(name: str) -> Bulk:
        body = {
            "resourceType": "Parameters",
            "parameter": [{"name": "patient", "valueReference": to("Patient", name)}],
        }
        answer = bulk.as_("harbor").post("/Patient/$export", body, **ASYNC)
        bulk.work()
        job = answer.headers["Content-Location"].partition("/fhir")[2]
        return bulk.manifest(job, "harbor")["output"]

    assert asked("stranger") == asked("nobody") == []
    assert asked("seen") != []


def consent_ends(bulk: Bulk) -> None:
    bulk.api.have({**agreed("agreed", "HIV"), "status": "inactive"})


def member_leaves(bulk: Bulk) -> None:
    bulk.api.have(panel("seen", "also"))


def label_is_raised(bulk: Bulk) -> None:
    held = bulk.api.get("/Observation/agreed-hiv").json
    bulk.api.have({**held, "meta": labelled("HIV", "PSYTHPN")})


def client_sees_less(bulk: Bulk) -> None:
    bulk.callers["harbor"] = caller(holders=())


def scopes_are_taken(bulk: Bulk) -> None:
    bulk.callers["harbor"] = caller(grants=frozenset((("Patient", "r"), ("Patient", "s"))))


CHANGES: dict[str, Callable[[Bulk], None]] = {
    "the consent ends": consent_ends,
    "the member leaves the panel": member_leaves,
    "a label is raised": label_is_raised,
    "the client loses its relations": client_sees_less,
    "the client loses its scope": scopes_are_taken,
}
GUARDED = "agreed-hiv"


@pytest.mark.parametrize("change", CHANGES)
def test_what_ends_after_the_kick_off_is_not_chosen(bulk: Bulk, change: str) -> None:
    job = bulk.kick("/$export", "harbor")
    CHANGES[change](bulk)
    bulk.work()
    answer = bulk.as_("harbor").get(job)
    found = [bulk.download(file["url"], "harbor") for file in answer.json["output"]]
    assert not any(GUARDED in each.text for each in found)


@pytest.mark.parametrize("change", CHANGES)
def test_what_ends_after_it_was_chosen_is_not_downloaded(bulk: Bulk, change: str) -> None:
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    assert GUARDED in bulk.download(file["url"], "harbor").text
    CHANGES[change](bulk)
    assert GUARDED not in bulk.download(file["url"], "harbor").text


@pytest.mark.parametrize("change", CHANGES)
def test_the_manifest_counts_what_would_leave_now(bulk: Bulk, change: str) -> None:
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (before,) = bulk.manifest(job, "harbor")["output"]
    assert before["count"] == len(bulk.lines(before["url"], "harbor"))
    CHANGES[change](bulk)
    now = sum(file["count"] for file in bulk.manifest(job, "harbor")["output"])
    assert now == len(bulk.lines(before["url"], "harbor")) < before["count"]


def test_an_earlier_version_is_closed_by_a_label_that_was_raised_since(bulk: Bulk) -> None:
    """The version that was chosen had no label."""
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    assert "plain" in {each["id"] for each in bulk.lines(file["url"], "harbor")}
    bulk.api.have({**bulk.api.get("/Observation/plain").json, "meta": labelled("HIV")})
    assert "plain" not in {each["id"] for each in bulk.lines(file["url"], "harbor")}


def test_an_earlier_version_carries_a_label_that_was_raised_since(bulk: Bulk) -> None:
    bulk.callers["harbor"] = caller(guarded=0, never=0)
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    bulk.api.have({**bulk.api.get("/Observation/plain").json, "meta": labelled("HIV")})
    (found,) = (each for each in bulk.lines(file["url"], "harbor") if each["id"] == "plain")
    assert found["meta"]["versionId"] == "1"
    assert "HIV" in {each["code"] for each in found["meta"]["security"]}


def test_a_wider_token_downloads_no_more_than_was_chosen(bulk: Bulk) -> None:
    bulk.callers["harbor"] = replace(callers()["narrow"], who="harbor")
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.callers["harbor"] = callers()["harbor"]
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    assert {each["id"] for each in bulk.lines(file["url"], "harbor")} == there_for("narrow")


def test_a_narrower_token_downloads_less(bulk: Bulk) -> None:
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    bulk.callers["harbor"] = replace(callers()["narrow"], who="harbor")
    assert {each["id"] for each in bulk.lines(file["url"], "harbor")} == there_for("narrow")


def test_of_two_narrow_tokens_what_both_see_leaves(bulk: Bulk) -> None:
    bulk.callers["harbor"] = replace(callers()["narrow"], who="harbor")
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    assert bulk.lines(file["url"], "harbor")
    bulk.callers["harbor"] = caller(narrowed={"Observation": frozenset((value_key(CATEGORY, VITAL),))})
    assert bulk.as_("harbor").found("/Observation") == ["vital"]
    assert bulk.lines(file["url"], "harbor") == []


def test_a_client_that_is_no_more_gets_nothing_more(bulk: Bulk) -> None:
    job = bulk.kick("/$export", "harbor")
    still = bulk.callers.pop("harbor")
    bulk.work()
    bulk.callers["harbor"] = still
    refused(bulk.as_("harbor").get(job), 403, "forbidden")


def test_a_download_is_refused_when_its_client_changes(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a file that is made whole first has left then."""
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    read = downloading.resources
    monkeypatch.setattr("hub.bulk.downloading.LINES", 1)

    def changing(*of: Any) -> Any:
        bulk.callers["harbor"] = caller(holders=())
        return read(*of)

    monkeypatch.setattr(downloading, "resources", changing)
    refused(bulk.download(file["url"], "harbor"), 403, "forbidden")


def test_a_long_download_breaks_off_when_its_client_changes(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.bulk.downloading.LINES", 1)
    monkeypatch.setattr("hub.rest.streamed.WHOLE", 0)
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    answer = (
        bulk.as_("harbor")
        .app.test_client()
        .get(f"/fhir{job}/1.ndjson", headers={"Authorization": f"Bearer {token_of('harbor')}"})
    )
    assert "Content-Length" not in answer.headers
    pieces = answer.iter_encoded()
    assert next(pieces)
    bulk.callers["harbor"] = caller(holders=())
    left = b"".join(pieces)
    assert left.startswith(b'{"resourceType":"OperationOutcome"')
    with pytest.raises(ValueError):
        json.loads(left)


def test_a_file_tells_its_length(bulk: Bulk) -> None:
    """So that a client sees a connection that broke."""
    job = bulk.kick("/$export?_type=Observation", "harbor")
    bulk.work()
    (file,) = bulk.manifest(job, "harbor")["output"]
    answer = bulk.download(file["url"], "harbor")
    assert int(answer.headers["Content-Length"]) == len(answer.data) > 0
    packed = bulk.download(file["url"], "harbor", **{"Accept-Encoding": "gzip"})
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(answer.data)
    assert gzip.decompress(packed.data) == answer.data


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_clients_job_is_not_there(bulk: Bulk, method: str) -> None:
    job = bulk.kick("/$export", "harbor")
    bulk.work()
    same(bulk.as_("narrow").ask(method, job), bulk.as_("narrow").ask(method, "/bulk/never-was"))
    refused(bulk.as_("narrow").ask(method, job), 404, "not-found")
    refused(bulk.as_("narrow").get(f"{job}/1.ndjson"), 404, "not-found")
    assert bulk.as_("harbor").get(job).status_code == 200


@pytest.mark.parametrize(
    "parts",
    [
        {"user": "dr"},
        {"sight": replace(caller().sight, patient=5)},
        {"sight": replace(caller().sight, self_only=True)},
    ],
)
def test_people_and_apps_of_one_patient_export_nothing(bulk: Bulk, parts: dict[str, object]) -> None:
    bulk.callers["harbor"] = replace(callers()["harbor"], **parts)  # type: ignore[arg-type]
    refused(bulk.as_("harbor").get("/$export", **ASYNC), 403, "forbidden")


@pytest.mark.parametrize("letters", ["r", "s"])
def test_a_type_is_exported_to_who_reads_and_searches_it(bulk: Bulk, letters: str) -> None:
    grants = frozenset((("Patient", "r"), ("Patient", "s"), ("Observation", letters)))
    bulk.callers["harbor"] = caller(grants=grants)
    assert {name.partition("/")[0] for name in bulk.names("/$export", "harbor")} == {"Patient"}
    refused(bulk.as_("harbor").get("/$export?_type=Observation", **ASYNC), 403, "forbidden")
    found = bulk.names("/$export?_type=Patient,Observation", "harbor", Prefer="respond-async; handling=lenient")
    assert {name.partition("/")[0] for name in found if name[:6] != "error/"} == {"Patient"}


def test_who_may_have_nothing_exports_nothing(bulk: Bulk) -> None:
    bulk.callers["harbor"] = caller(grants=frozenset((("Patient", "c"),)))
    refused(bulk.as_("harbor").get("/$export", **ASYNC), 403, "forbidden")


def test_a_minimum_set_leaves_as_such_and_is_not_filtered_by_more(bulk: Bulk) -> None:
    bulk.callers["harbor"] = caller(elements={"Observation": frozenset(("status", "subject"))})
    found = bulk.exported("/$export?_type=Observation", "harbor")["Observation"]
    assert all(set(each) <= {"resourceType", "id", "meta", "status", "subject"} for each in found)
    refused(bulk.as_("harbor").get("/$export?_typeFilter=Observation%3Fcode%3Dcanary", **ASYNC), 403, "forbidden")


def test_a_group_leaves_with_the_members_who_are_seen(bulk: Bulk) -> None:
    bulk.api.have(panel("seen", identity="mixed", stranger={"end": day(-1)}))
    found = bulk.exported("/Group/mixed/$export?_type=Group,Patient", "harbor")
    (group,) = found["Group"]
    assert group["id"] == "mixed"
    assert "stranger" not in str(group)


def test_deletions_are_told_of_what_was_there_for_the_client(bulk: Bulk) -> None:
    since = bulk.moment()
    for name in ("plain", *HIDDEN):
        bulk.api.delete(f"/Observation/{name}")
    found = bulk.exported(f"/$export?_type=Observation&_since={since}", "harbor")["deleted"]
    assert [each["entry"][0]["request"]["url"] for each in found] == ["Observation/plain"]


def test_a_provenance_goes_with_what_it_is_about(bulk: Bulk) -> None:
    for name in ("plain", "hiv", "strangers"):
        bulk.api.have(smallest("Provenance", f"prov-{name}") | {"target": [to("Observation", name)]})
    for path in ("/$export", "/Patient/$export", "/Group/panel/$export"):
        found = bulk.names(f"{path}?_type=Provenance", "harbor")
        assert found == {"Provenance/prov-plain"}


def two_worlds(bulk: Bulk, path: str) -> list[tuple[object, ...]]:
    """All that a client learns of an export, but for what differs between any two jobs."""
    api = bulk.as_("harbor")
    kicked = api.get(path, **ASYNC)
    job = kicked.headers["Content-Location"].partition("/fhir")[2]
    waiting = api.get(job)
    bulk.work()
    done = api.get(job)
    files = [file for kind in ("output", "deleted", "error") for file in done.json.get(kind, ())]
    answers = [kicked, waiting, done, *(bulk.download(file["url"], "harbor") for file in files)]
    return [told(answer, job, done.json["transactionTime"]) for answer in answers]


def told(answer: object, job: str, time: str) -> tuple[object, ...]:
    headers = sorted((n, v) for n, v in answer.headers if n not in ("Date", "X-Request-Id", "Expires"))  # type: ignore[attr-defined]
    text = f"{answer.status_code} {headers} {answer.text}"  # type: ignore[attr-defined]
    return (text.replace(job, "JOB").replace(time, "TIME"),)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize(
    "path",
    [
        "/$export",
        "/Patient/$export",
        "/Group/panel/$export",
        "/$export?_type=Observation&_typeFilter=Observation%3Fcode%3Dcanary&_elements=code",
        "/$export?_since=2020-01-01T00:00:00Z",
    ],
)
def test_nobody_can_tell_that_something_hidden_is_there(bulk: Bulk, name: str, path: str) -> None:
    """With it, deleted, and as if it had never been: the answers are the same."""
    with_it = two_worlds(bulk, path)
    for table in ("index_patient", "index_token", "index_reference", "index_date", "index_number", "index_string"):
        forget(bulk, f"DELETE FROM {table} WHERE rid IN (SELECT rid FROM resource WHERE id = '{name}')")
    forget(bulk, f"DELETE FROM resource WHERE id = '{name}'")
    assert two_worlds(bulk, path) == with_it


def forget(bulk: Bulk, statement: str) -> None:
    with bulk.desk.database.write() as connection:
        connection.exec_driver_sql(statement)


def test_records_of_substance_use_carry_the_notice(swept: Database) -> None:
    """42 CFR 2.32: on each resource, and once for the export."""
    guarded: Access = caller(guarded=0, never=0)
    bulk = bulk_hub(swept, {"harbor": guarded})
    bulk.api.have(patient("ann"), panel("ann"))
    assert "error" not in bulk.exported("/$export", "harbor")
    bulk.api.have(observation("o", subject=to("Patient", "ann"), meta=labelled("SUD")))
    found = bulk.exported("/$export", "harbor")
    assert "42 CFR" in found["error"][0]["issue"][0]["diagnostics"]
    assert found["error"][0]["issue"][0]["severity"] == "information"
    assert bulk.exported("/$export?_type=Patient", "harbor").keys() == {"Patient"}


def test_the_notice_is_there_as_soon_as_something_of_substance_use_would_leave(swept: Database) -> None:
    """And for nobody from whom it is hidden."""
    bulk = bulk_hub(
        swept, {"harbor": caller(guarded=0, never=0), "closed": replace(caller(guarded=SUD_BITS), who="closed")}
    )
    bulk.api.have(patient("ann"), panel("ann"), observation("o", subject=to("Patient", "ann")))
    asked = {who: bulk.kick("/$export", who) for who in ("harbor", "closed")}
    bulk.work()
    assert [bulk.manifest(job, who)["error"] for who, job in asked.items()] == [[], []]
    bulk.api.have({**bulk.api.get("/Observation/o").json, "meta": labelled("SUD")})
    (file,) = bulk.manifest(asked["harbor"], "harbor")["error"]
    assert "42 CFR" in bulk.lines(file["url"], "harbor")[0]["issue"][0]["diagnostics"]
    assert bulk.manifest(asked["closed"], "closed")["error"] == []
    refused(bulk.download(f"{asked['closed']}/0.ndjson", "closed"), 404, "not-found")
