"""A file becomes FHIR, once, whatever happens in between (docs/feeds.md); rows C10 and C12 of the bad input."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.feeds import applying, files, ingest, kept, taking
from hub.feeds.files import DONE, REFUSED
from hub.feeds.loading import ANSWERS, Busy, Loading
from hub.feeds.records import Resource, Subject
from hub.inbox.messages import PROCESSED
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from tests.hub.feeds.toy import SYSTEM, TOY, file_of, load, stored, toy_feed, toy_loading

LINES = ("P,ann,91234567A,Invented,1980-05-01", "V,1,ann,home", "L,1,Example Pier", "V,2,ann,office")


def test_rows_become_resources_of_the_one_member(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", *LINES))
    (patient,) = stored(database, "Patient")
    visits = stored(database, "Encounter")
    assert file.state == DONE
    assert file.counts["read"] == 4
    assert file.counts["new"] == 4
    assert not file.counts["waiting"]
    assert patient["meta"]["source"] == SYSTEM
    assert patient["birthDate"] == "1980-05-01"
    assert [visit["subject"] for visit in visits] == [{"reference": f"Patient/{patient['id']}"}] * 2
    (place,) = stored(database, "Location")
    assert visits[0]["location"][0]["location"] == {"reference": f"Location/{place['id']}"}


def test_every_resource_says_which_file_and_line_it_came_from(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *LINES))
    visit = stored(database, "Encounter", ("identifier", f"{SYSTEM}/v|2"))[0]
    (said,) = stored(database, "Provenance", ("target", f"Encounter/{visit['id']}"))
    places = [one["what"]["identifier"]["value"] for one in said["entity"]]
    assert places == ["a.csv#2", "a.csv#4"]


def test_the_same_file_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    path = file_of(tmp_path, "a.csv", *LINES)
    load(loading, path)
    before = [(one["id"], one["meta"]) for one in (*stored(database, "Encounter"), *stored(database, "Provenance"))]
    again = load(loading, path)
    after = [(one["id"], one["meta"]) for one in (*stored(database, "Encounter"), *stored(database, "Provenance"))]
    assert after == before
    assert again.counts["unchanged"] == 4
    assert not again.counts["new"]
    assert not again.counts["resources"]


def test_another_file_changes_only_what_it_says_anew(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *LINES))
    file = load(loading, file_of(tmp_path, "b.csv", *LINES[:3], "V,2,ann,home"))
    classes = [visit["class"]["code"] for visit in stored(database, "Encounter")]
    versions = [visit["meta"]["versionId"] for visit in stored(database, "Encounter")]
    assert file.counts["new"] == 1
    assert classes == ["HH", "HH"]
    assert versions == ["1", "2"]


def test_a_whole_file_takes_back_what_it_does_not_name(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *LINES))
    file = load(loading, file_of(tmp_path, "b.csv", *LINES[:3], "WHOLE"))
    found = {visit["identifier"][0]["value"]: visit["status"] for visit in stored(database, "Encounter")}
    assert file.counts["gone"] == 1
    assert found == {"1": "finished", "2": "entered-in-error"}
    back = load(loading, file_of(tmp_path, "c.csv", *LINES, "WHOLE"))
    found = {visit["identifier"][0]["value"]: visit["status"] for visit in stored(database, "Encounter")}
    assert back.counts["new"] == 1
    assert found == {"1": "finished", "2": "finished"}


def test_a_file_that_is_not_whole_takes_nothing_back(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *LINES))
    file = load(loading, file_of(tmp_path, "b.csv", LINES[0]))
    assert not file.counts["gone"]
    assert {v["status"] for v in stored(database, "Encounter")} == {"finished"}


def test_a_bad_row_costs_itself_and_stands_in_the_report(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", *LINES, "V,3,ann,bad"))
    with database.read() as connection:
        (reject,) = files.rejects(connection, file.seq)
    assert file.state == DONE
    assert len(stored(database, "Encounter")) == 2
    assert (reject.code, reject.line, reject.column) == ("TYPE", 5, "cell")


def test_in_atomic_mode_a_bad_row_costs_the_file(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path, toy_feed(atomic=True))
    file = load(loading, file_of(tmp_path, "a.csv", *LINES, "V,3,ann,bad"))
    assert file.state == REFUSED
    assert not stored(database, "Encounter")
    assert not stored(database, "Patient")


def test_too_many_bad_rows_cost_the_file(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    bad = ["V,3,ann,bad"] * 21
    file = load(loading, file_of(tmp_path, "a.csv", *LINES, *bad))
    with database.read() as connection:
        codes = [one.code for one in files.rejects(connection, file.seq)]
    assert file.state == REFUSED
    assert codes[-1] == "TOO_MANY_BAD"
    assert not stored(database, "Patient")


def test_a_tenth_of_bad_rows_costs_a_tenth_of_the_rows(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    rows = [f"V,{n},ann,home" if n % 10 else f"V,{n},ann,bad" for n in range(1, 301)]
    file = load(loading, file_of(tmp_path, "a.csv", LINES[0], LINES[2], *rows))
    assert file.state == DONE
    assert file.counts["rejected"] == 30
    assert len(stored(database, "Encounter")) == 270


def test_a_file_that_refuses_itself_at_its_end_leaves_nothing(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", *LINES, "stop"))
    with database.read() as connection:
        message = connection.execute(select(inbox.c.state).where(inbox.c.seq == file.seq)).scalar_one()
    assert file.state == REFUSED
    assert message == "refused"
    assert not stored(database, "Patient")


def test_the_second_row_of_a_key_is_rejected(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", *LINES, "V,1,ann,office"))
    with database.read() as connection:
        (reject,) = files.rejects(connection, file.seq)
    assert (reject.code, reject.line) == ("DUPLICATE_KEY", 5)
    assert stored(database, "Encounter", ("identifier", f"{SYSTEM}/v|1"))[0]["class"]["code"] == "HH"


def test_one_name_has_one_content(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    first, second = file_of(tmp_path, "a.csv", *LINES), file_of(tmp_path, "b.csv", LINES[0])
    feed = loading.feeds["toy"]
    receipts = [loading.arriving(path, "a.csv", feed)[0] for path in (first, first, second)]
    assert receipts == ["new", "duplicate", "conflict"]


@pytest.mark.parametrize("name", ["../a.csv", "a\0.csv", ".a", "a/b", "x" * 201, "a‮b.csv", " . "])
def test_a_name_that_cannot_be_used_is_refused(database: Database, tmp_path: Path, name: str) -> None:
    loading = toy_loading(database, tmp_path)
    with pytest.raises(ValueError, match="NAME_UNSAFE"):
        loading.arriving(file_of(tmp_path, "a.csv", *LINES), name, loading.feeds["toy"])


def test_a_file_is_read_by_one_at_a_time(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    _, seq = loading.arriving(file_of(tmp_path, "a.csv", *LINES), "a.csv", loading.feeds["toy"])
    database.writing(lambda connection: taking.take(connection, seq, 2**60))
    with pytest.raises(Busy):
        loading.run(seq)


def test_the_message_of_a_file_is_processed_when_all_of_it_is_written(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", *LINES))
    with database.read() as connection:
        row = connection.execute(select(inbox.c.state).where(inbox.c.seq == file.seq)).scalar_one()
        left = kept.count_changed(connection, loading.feeds["toy"])
    assert (row, left) == (PROCESSED, 0)


def test_who_dies_in_between_begins_anew_and_says_nothing_twice(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each step of the way in turn; the end is that of a run that nobody disturbed."""
    monkeypatch.setattr(applying, "TOGETHER", 7)
    monkeypatch.setattr(ingest, "CHUNK", 9)
    people = [f"P,p{n},9123{n:04d}A,Family{n},1980-01-0{n % 9 + 1}" for n in range(30)]
    lines = [LINES[2], *people, *(f"V,{n},p{n},home" for n in range(30))]
    loading = toy_loading(database, tmp_path)
    path = file_of(tmp_path, "a.csv", *lines)
    _, seq = loading.arriving(path, path.name, loading.feeds["toy"])
    deaths = 0
    while _dies(loading, seq, deaths):
        deaths += 1
        loading.again(seq)
    with database.read() as connection:
        file = files.find(connection, seq)
    assert deaths >= 10
    assert file is not None
    assert file.state == DONE
    assert len(stored(database, "Patient")) == 30
    assert [one["meta"]["versionId"] for one in stored(database, "Encounter")] == ["1"] * 30


def _dies(loading: Loading, seq: int, steps: int) -> bool:
    try:
        loading.run(seq, Dying(steps))
    except Killed:
        return True
    return False


class Killed(BaseException):
    pass


class Dying:
    def __init__(self, steps: int):
        self.left = steps

    def __call__(self, phase: str, counts: object) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1


def test_who_lost_a_row_to_another_subject_is_written_anew(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    bob = "P,bob,92345678C,Different,1955-11-30"
    load(loading, file_of(tmp_path, "a.csv", *LINES, bob))
    seen: list[tuple[str, int]] = []

    def resources(subject: Subject, patient: str) -> Sequence[Resource]:
        seen.append((subject.key, len(subject.rows)))
        return TOY.resources(subject, patient)

    watched = replace(loading, kinds={"toy": replace(TOY, resources=resources)})
    load(watched, file_of(tmp_path, "b.csv", "V,2,bob,office"))
    assert seen == [("visits|ann", 1), ("visits|bob", 1)]
    visit = stored(database, "Encounter", ("identifier", f"{SYSTEM}/v|2"))[0]
    (owner,) = stored(database, "Patient", ("identifier", "92345678C"))
    assert visit["subject"]["reference"] == f"Patient/{owner['id']}"


def test_answers_are_owed_once_for_a_file(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    answering = replace(TOY, answers=lambda path, feed: [("answer", b"taken")])
    loading = replace(loading, kinds={"toy": answering})
    path = file_of(tmp_path, "a.csv", *LINES)
    load(loading, path)
    load(loading, path)
    with database.read() as connection:
        owed = connection.execute(select(outbox.c.key).where(outbox.c.kind == ANSWERS)).scalars().all()
    assert len(owed) == 1
