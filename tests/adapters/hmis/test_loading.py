"""HMIS files through the real machinery, on both databases: loaded, changed by a delta, ended by a full export."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.hmis.kinds import FILE_KINDS
from conformance.validation import structure
from hub.feeds.arriving import Arriving
from hub.feeds.files import DONE
from hub.feeds.loading import Loading
from hub.feeds.records import Feed
from hub.problems import Problem
from hub.store import merges
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.adapters.hmis.exports import CLIENT, ENROLLMENT, FEED, USUAL, Rows, texts, zipped
from tests.adapters.hmis.fixtures import HERE
from tests.hub.feeds.toy import stored

BASE = "http://hub.test/fhir"
AGENCIES = {"agencies": {"Harbor Clinic": "Organization/harbor"}}
FEEDS = {
    "example-hmis": FEED,
    "example-roi": Feed("example-roi", "hmis-roi", FEED.system, options=AGENCIES),
    "example-loss": Feed("example-loss", "hmis-attestation", FEED.system),
}
SITUATION = {"CurrentLivingSituation": "116", "InformationDate": "2026-02-20"}


def valid(resource: Any, *rest: Any) -> tuple[()]:
    """What the hub itself writes is checked as a client's is."""
    if issues := list(structure.validate(resource, conditional_references=True)):
        raise Problem("invalid", issues[0].message, issues[0].where)
    return ()


@pytest.fixture
def loading(database: Database, tmp_path: Path) -> Loading:
    merges.look_again()
    own = Transactions(database, valid, lambda changes: (), BASE)
    return Loading(database, own, Arriving(database, tmp_path / "files"), {k.name: k for k in FILE_KINDS}, FEEDS)


def export(loading: Loading, folder: Path, name: str, files: Rows, **options: Any) -> Any:
    return load(loading, zipped(folder / name, texts(files, **options)))


def load(loading: Loading, path: Path, feed: str = "example-hmis") -> Any:
    _, seq = loading.arriving(path, path.name, FEEDS[feed])
    return loading.run(seq)


def noun(resource: dict[str, Any]) -> str:
    return str(resource["identifier"][0]["system"].rpartition("/")[2])


def statuses(database: Database) -> dict[str, str]:
    return {noun(one): one["status"] for kind in ("EpisodeOfCare", "Observation") for one in stored(database, kind)}


def test_a_whole_sample_is_loaded_and_loading_it_again_changes_nothing(
    database: Database, loading: Loading, tmp_path: Path
) -> None:
    sample = {path.name: path.read_bytes() for path in (HERE / "fy2026").iterdir()}
    first = load(loading, zipped(tmp_path / "first.zip", sample))
    assert (first.state, first.counts["rejected"], first.counts["waiting"]) == (DONE, 0, 0)
    found = Counter(one["resourceType"] for kind in ("Patient", "EpisodeOfCare", "Location", "Task")
                    for one in stored(database, kind))  # fmt: skip
    assert found == {"Patient": 3, "EpisodeOfCare": 4, "Location": 4, "Task": 1}
    versions = {one["id"]: one["meta"]["versionId"] for one in stored(database, "Observation")}
    sample["Export.csv"] = sample["Export.csv"].replace(b"exp-1", b"exp-9").replace(b"2026-04-01", b"2026-04-02")
    again = load(loading, zipped(tmp_path / "second.zip", sample))
    assert (again.counts["new"], again.counts["gone"], again.counts["resources"]) == (0, 0, 0)
    assert versions == {one["id"]: one["meta"]["versionId"] for one in stored(database, "Observation")}


def test_whoever_hmis_alone_knows_has_the_label_of_hmis(
    database: Database, loading: Loading, tmp_path: Path
) -> None:
    export(loading, tmp_path, "a.zip", USUAL)
    for kind in ("Patient", "EpisodeOfCare", "Observation"):
        labels = [{one["code"] for one in made["meta"]["security"]} for made in stored(database, kind)]
        assert labels
        assert all({"R", "HMIS"} <= each for each in labels)


def test_an_export_of_changes_takes_back_what_it_says_was_deleted(
    database: Database, loading: Loading, tmp_path: Path
) -> None:
    export(loading, tmp_path, "a.zip", {**USUAL, "CurrentLivingSituation": [SITUATION]})
    assert statuses(database)["current-living-situation"] == "final"
    gone = {**SITUATION, "DateDeleted": "2026-03-02 08:00:00"}
    export(loading, tmp_path, "b.zip", {"CurrentLivingSituation": [gone]}, export={"ExportDirective": "1"})
    assert statuses(database)["current-living-situation"] == "entered-in-error"
    assert statuses(database)["enrollment"] == "active"


def test_a_full_export_ends_what_it_does_not_name_but_not_what_left_its_period(
    database: Database, loading: Loading, tmp_path: Path
) -> None:
    stays = [ENROLLMENT | {"EnrollmentID": name} for name in ("e-open", "e-ended", "e-here")]
    left = {"EnrollmentID": "e-ended", "ExitDate": "2026-02-20", "Destination": "410"}
    export(loading, tmp_path, "a.zip", {**USUAL, "Enrollment": stays, "Exit": [left]})
    export(loading, tmp_path, "b.zip", {**USUAL, "Enrollment": stays[2:]})
    found = {one["identifier"][0]["value"]: one["status"] for one in stored(database, "EpisodeOfCare")}
    assert found == {"e-open": "entered-in-error", "e-ended": "finished", "e-here": "active"}


def test_rows_of_a_client_who_comes_later_wait_for_them(
    database: Database, loading: Loading, tmp_path: Path
) -> None:
    delta = {"ExportDirective": "1"}
    early = export(loading, tmp_path, "a.zip", {**USUAL, "Client": []}, export=delta)
    assert (early.counts["waiting"], stored(database, "EpisodeOfCare")) == (1, [])
    late = export(loading, tmp_path, "b.zip", {"Client": [CLIENT]}, export=delta)
    assert late.counts["waiting"] == 0
    assert [one["status"] for one in stored(database, "EpisodeOfCare")] == ["active"]


def test_releases_and_attestations_find_the_client_of_the_export(
    database: Database, loading: Loading, tmp_path: Path
) -> None:
    export(loading, tmp_path, "a.zip", USUAL)
    roi, loss = tmp_path / "roi.csv", tmp_path / "loss.csv"
    roi.write_text("roi_id,personal_id,start,end,agencies,form,revoked\n"
                   "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic,written,\n")  # fmt: skip
    loss.write_text("attestation_id,personal_id,attested_date,expected_loss_date,attested_by\n"
                    "a-1,c-1,2026-03-01,2026-03-20,Example Case Manager\n")  # fmt: skip
    own = Transactions(database, valid, lambda changes: (), BASE)
    organization = {"resourceType": "Organization", "id": "harbor", "name": "Harbor Clinic"}
    put(own, organization)
    assert load(loading, roi, "example-roi").counts["waiting"] == 0
    assert load(loading, loss, "example-loss").counts["waiting"] == 0
    (patient,) = stored(database, "Patient")
    (consent,) = stored(database, "Consent")
    assert consent["patient"] == {"reference": f"Patient/{patient['id']}"}
    (attested,) = [one for one in stored(database, "Observation") if noun(one) == "imminent-loss"]
    assert attested["subject"] == consent["patient"]
    assert {"R", "HMIS"} <= {one["code"] for one in attested["meta"]["security"]}


def put(own: Transactions, resource: dict[str, Any]) -> None:
    from hub.access import Access
    from hub.fhir.bundles import Entry

    own.commit([Entry("PUT", resource["resourceType"], resource["id"], resource=resource)], Access.system("test"))
