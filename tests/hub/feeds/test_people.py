"""Whose rows are: one member across feeds, and whose word counts for the Patient that everybody sees."""

from dataclasses import replace
from pathlib import Path

from hub.feeds.loading import Loading
from hub.feeds.records import Resource, Said, Subject
from hub.identity.assembly import Sweeping
from hub.identity.desk import Registry
from hub.identity.facing import FACE, Facing
from hub.identity.merge import SWEEP
from hub.store.engine import Database
from hub.worker import Worker
from tests.hub.feeds.toy import BASE, SYSTEM, TOY, file_of, load, resources, said, stored, toy_feed, toy_loading

ANN = "P,ann,91234567A,Invented,1980-05-01"
PSY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}
OTHER = "https://toy.example/other"


def other_source(loading: Loading, **more: bool) -> Loading:
    """Another sender of the same kind; `more` is what its word is worth."""

    def theirs(subject: Subject) -> Said | None:
        found = said(subject)
        if found is None:
            return None
        numbers = [*found.patient["identifier"], {"system": f"{OTHER}/number", "value": found.key}]
        telecom = [{"system": "phone", "value": "+1 555 0100"}]
        return replace(found, patient={**found.patient, "identifier": numbers, "telecom": telecom}, **more)

    feed = replace(toy_feed(), name="other", system=OTHER)
    return replace(loading, kinds={"toy": replace(TOY, said=theirs)}, feeds={"toy": feed, "other": feed})


def test_the_same_cin_in_two_feeds_is_one_member(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    load(other_source(loading), file_of(tmp_path, "b.csv", ANN))
    (patient,) = stored(database, "Patient")
    systems = [one["system"] for one in patient["identifier"]]
    assert systems[-1] == f"{OTHER}/number"
    assert patient["meta"]["source"] == SYSTEM
    assert "telecom" not in patient


def test_numbers_that_are_not_shared_stay_with_their_source(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    load(other_source(loading, shared=False), file_of(tmp_path, "b.csv", ANN))
    (patient,) = stored(database, "Patient")
    assert len(patient["identifier"]) == 1
    assert patient["meta"]["versionId"] == "1"


def test_the_owners_word_makes_the_patient(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    renamed = ANN.replace("Invented", "Renamed")
    load(other_source(loading, owner=True), file_of(tmp_path, "b.csv", ANN))
    load(other_source(loading, owner=True), file_of(tmp_path, "c.csv", renamed))
    (patient,) = stored(database, "Patient")
    assert patient["meta"]["source"] == OTHER
    assert patient["telecom"][0]["value"] == "+1 555 0100"
    assert patient["name"][0]["family"] == "Renamed"
    assert len(patient["identifier"]) == 2


def test_what_a_feed_does_not_say_any_more_goes_from_its_own_patient(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(other_source(loading), file_of(tmp_path, "a.csv", ANN))
    before = stored(database, "Patient")[0]
    feed = replace(toy_feed(), name="other", system=OTHER)
    plain = replace(loading, feeds={"toy": feed, "other": feed})
    load(plain, file_of(tmp_path, "b.csv", ANN.replace("1980-05-01", "1980-05-02")))
    after = stored(database, "Patient")[0]
    assert "telecom" in before
    assert "telecom" not in after
    assert after["birthDate"] == "1980-05-02"


def test_labels_of_a_feed_are_on_all_it_brings(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path, toy_feed(security=(PSY,)))
    load(loading, file_of(tmp_path, "a.csv", ANN, "L,1,Example Pier", "V,1,ann,home"))
    for kind in ("Patient", "Encounter", "Provenance"):
        assert all(PSY in one["meta"]["security"] for one in stored(database, kind)), kind


def test_a_number_of_somebody_else_waits_for_a_person(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    stranger = "P,bob,91234567A,Different,1955-11-30"
    file = load(other_source(loading), file_of(tmp_path, "b.csv", stranger))
    assert file.counts["waiting"] == 1
    assert len(stored(database, "Patient")) == 1


def test_a_guarded_source_that_came_first_hides_nobody(database: Database, tmp_path: Path) -> None:
    """The open source's Patient is nobody's secret; what the guarded one brought is the same member's, labelled."""
    guarded = toy_loading(database, tmp_path, toy_feed(security=(PSY,)))
    load(guarded, file_of(tmp_path, "a.csv", ANN, "L,1,Example Pier", "V,1,ann,home"))
    load(other_source(toy_loading(database, tmp_path)), file_of(tmp_path, "b.csv", ANN))
    registry = Registry.of(guarded.own, BASE)
    worker = Worker(database, {}, {FACE: Facing(registry), SWEEP: Sweeping(registry)}, {})
    while worker._work_lane():
        pass
    faces = {one["id"]: one for one in stored(database, "Patient")}
    (open_face,) = (one for one in faces.values() if one.get("active") is not False)
    (visit,) = stored(database, "Encounter")
    assert PSY not in open_face["meta"].get("security", [])
    assert open_face["meta"]["source"] == OTHER
    assert visit["subject"]["reference"] == f"Patient/{open_face['id']}"
    assert PSY in visit["meta"]["security"]
    assert len(faces) == 2


def test_a_guarded_source_that_comes_second_gets_no_patient_of_its_own(database: Database, tmp_path: Path) -> None:
    load(other_source(toy_loading(database, tmp_path)), file_of(tmp_path, "b.csv", ANN))
    guarded = toy_loading(database, tmp_path, toy_feed(security=(PSY,)))
    load(guarded, file_of(tmp_path, "a.csv", ANN))
    (patient,) = stored(database, "Patient")
    assert PSY not in patient["meta"].get("security", [])


def test_a_guarded_source_writes_nothing_on_an_open_patient_and_nothing_open_tells_of_it(
    database: Database, tmp_path: Path
) -> None:
    """Neither its number nor a Provenance: whoever sees the Patient would learn where the member is a client."""
    open_source = toy_loading(database, tmp_path)
    load(open_source, file_of(tmp_path, "a.csv", ANN))
    before = stored(database, "Patient"), stored(database, "Provenance")
    guarded = other_source(open_source)
    feed = replace(guarded.feeds["other"], security=(PSY,))
    guarded = replace(guarded, feeds={"toy": feed, "other": feed})
    load(guarded, file_of(tmp_path, "b.csv", ANN))
    assert (stored(database, "Patient"), stored(database, "Provenance")) == before
    load(guarded, file_of(tmp_path, "c.csv", "L,1,Example Pier", "V,1,ann,home"))
    told = [one for one in stored(database, "Provenance") if one["meta"]["source"] == OTHER]
    assert len(told) == 2
    assert all(PSY in one["meta"]["security"] for one in told)
    assert f"Patient/{before[0][0]['id']}" not in str([one["target"] for one in told])


def test_labels_that_a_mapping_sets_are_on_the_provenance_too(database: Database, tmp_path: Path) -> None:
    def labelled(subject: Subject, patient: str) -> list[Resource]:
        return [{**one, "meta": {"security": [PSY]}} for one in resources(subject, patient)]

    loading = toy_loading(database, tmp_path)
    loading = replace(loading, kinds={"toy": replace(TOY, resources=labelled)})
    load(loading, file_of(tmp_path, "a.csv", ANN, "L,1,Example Pier", "V,1,ann,home"))
    (visit,) = stored(database, "Encounter")
    (told,) = stored(database, "Provenance", ("target", f"Encounter/{visit['id']}"))
    assert PSY in told["meta"]["security"]
