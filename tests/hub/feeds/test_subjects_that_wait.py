"""What of a file cannot be written yet waits as a message, costs nothing else, and goes on by itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.feeds.files import DONE
from hub.feeds.lane import OF_FILES, OF_SUBJECTS, FileLane, look_ups
from hub.feeds.loading import Loading
from hub.feeds.records import Feed, Said, Subject, Unmapped
from hub.inbox import work as inbox_work
from hub.inbox.waits import go_on
from hub.inbox.work import MAX_ATTEMPTS, NEVER
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.worker import Worker
from tests.hub.feeds import toy
from tests.hub.feeds.toy import file_of, load, stored, toy_loading

PERSON, PLACE = "P,ann,91234567A,Invented,1980-05-01", "L,1,Example Pier"


def work(loading: Loading) -> None:
    """All that a worker finds to do with messages now."""
    lane = FileLane(loading)
    handlers = {OF_FILES: lane.aside, OF_SUBJECTS: lane.subject}
    worker = Worker(loading.database, handlers, {}, {})
    while worker._messages_lane():
        pass


def waiting(database: Database) -> list[Any]:
    columns = inbox.c.state, inbox.c.location, inbox.c.awaits_kind
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).where(inbox.c.source == OF_SUBJECTS))]


def test_a_code_without_a_row_waits_until_it_has_one(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", PERSON, PLACE, "V,1,ann,street"))
    work(loading)
    assert file.counts["waiting"] == 1
    assert not stored(database, "Encounter")
    assert waiting(database) == [("unmapped", "code", "feed-code")]
    assert go_on(database, look_ups(loading)) == 0
    monkeypatch.setitem(toy.CLASSES, "street", "FLD")
    assert go_on(database, look_ups(loading)) == 1
    work(loading)
    assert [visit["class"]["code"] for visit in stored(database, "Encounter")] == ["FLD"]
    assert waiting(database) == [("processed", None, None)]


def test_what_is_about_somebody_unknown_waits_for_the_person(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", PLACE, "V,1,ann,home"))
    work(loading)
    assert waiting(database) == [("waiting", "", "feed-person")]
    assert not stored(database, "Encounter")
    load(loading, file_of(tmp_path, "b.csv", PERSON))
    assert go_on(database, look_ups(loading)) == 1
    work(loading)
    assert len(stored(database, "Encounter")) == 1


def test_one_subject_that_cannot_be_written_costs_the_others_nothing(database: Database, tmp_path: Path) -> None:
    """The place of one visit is nowhere: its reference leads to nothing, so its transaction is refused."""
    loading = toy_loading(database, tmp_path)
    others = [f"P,p{n},9123{n:04d}A,Family{n},1980-01-0{n % 9 + 1}" for n in range(9)]
    visits = [f"V,{n},p{n},{'street' if n == 4 else 'home'}" for n in range(9)]
    file = load(loading, file_of(tmp_path, "a.csv", PLACE, *others, *visits))
    assert file.state == DONE
    assert file.counts["waiting"] == 1
    assert len(stored(database, "Encounter")) == 8
    assert len(stored(database, "Patient")) == 9


def test_what_refers_to_nothing_waits_for_it(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", PERSON, "V,1,ann,home"))
    work(loading)
    assert waiting(database) == [("waiting", "Location", "feed-reference")]
    assert go_on(database, look_ups(loading)) == 0
    load(loading, file_of(tmp_path, "b.csv", PLACE))
    assert go_on(database, look_ups(loading)) == 1
    work(loading)
    assert len(stored(database, "Encounter")) == 1


def test_a_file_is_read_by_its_own_lane_and_not_by_that_of_messages(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    path = file_of(tmp_path, "a.csv", PERSON, PLACE, "V,1,ann,home")
    loading.arriving(path, "a.csv", loading.feeds["toy"])
    work(loading)
    assert not stored(database, "Patient")
    assert FileLane(loading).turn()
    assert len(stored(database, "Patient")) == 1
    assert not FileLane(loading).turn()


def test_files_of_a_feed_are_read_in_the_order_they_came(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    for name, family in (("b.csv", "First"), ("a.csv", "Last")):
        path = file_of(tmp_path, name, f"P,ann,91234567A,{family},1980-05-01")
        loading.arriving(path, name, loading.feeds["toy"])
    lane = FileLane(loading)
    assert lane.turn()
    assert [one["name"][0]["family"] for one in stored(database, "Patient")] == ["First"]
    assert lane.turn()
    assert [one["name"][0]["family"] for one in stored(database, "Patient")] == ["Last"]


def test_a_replayed_file_goes_back_to_its_lane(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loading.arriving(file_of(tmp_path, "a.csv", PERSON), "a.csv", loading.feeds["toy"])
    with database.write() as connection:
        connection.execute(inbox.update().values(due=0))
    work(loading)
    with database.read() as connection:
        assert connection.execute(select(inbox.c.state, inbox.c.due)).one() == ("received", NEVER)
    assert FileLane(loading).turn()
    assert len(stored(database, "Patient")) == 1


def test_a_file_waits_through_any_number_of_starts(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loading.arriving(file_of(tmp_path, "a.csv", PERSON), "a.csv", loading.feeds["toy"])
    for _ in range(MAX_ATTEMPTS + 1):
        database.writing(inbox_work.release)
        work(loading)
    with database.read() as connection:
        row = connection.execute(select(inbox.c.state, inbox.c.due, inbox.c.attempts, inbox.c.fence)).one()
    assert row == ("received", NEVER, 0, 0)  # no lane of messages had it in hand
    assert FileLane(loading).turn()
    assert len(stored(database, "Patient")) == 1


def test_a_file_that_a_lane_of_messages_puts_back_is_never_dead_of_it(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loading.arriving(file_of(tmp_path, "a.csv", PERSON), "a.csv", loading.feeds["toy"])
    for _ in range(MAX_ATTEMPTS + 1):
        with database.write() as connection:
            connection.execute(inbox.update().values(due=0))
        work(loading)
    assert FileLane(loading).turn()
    assert len(stored(database, "Patient")) == 1


def test_a_file_that_breaks_the_hub_is_dead_after_some_tries(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loading.arriving(file_of(tmp_path, "a.csv", PERSON), "a.csv", loading.feeds["toy"])

    def breaks(path: Path, feed: Feed) -> Any:
        raise RuntimeError

    loading = replace(loading, kinds={"toy": replace(toy.TOY, read=breaks)})
    lane = FileLane(loading, tries=2)
    for _ in range(3):
        assert lane.turn()
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE feed_file SET lease = 0")
    assert not lane.turn()
    with database.read() as connection:
        assert connection.execute(select(inbox.c.state)).scalar_one() == "dead"


def test_a_person_whose_code_has_no_row_waits_and_costs_the_others_nothing(
    database: Database, tmp_path: Path
) -> None:
    """The code stands in what says who somebody is."""

    def said(subject: Subject) -> Said | None:
        if subject.key == "person|bob":
            raise Unmapped("toy-sexes", "X", "sex")
        return toy.said(subject)

    loading = toy_loading(database, tmp_path)
    loading = replace(loading, kinds={"toy": replace(toy.TOY, said=said)})
    file = load(loading, file_of(tmp_path, "a.csv", PERSON, "P,bob,92345678C,Different,1955-11-30"))
    assert file.counts["waiting"] == 1
    assert len(stored(database, "Patient")) == 1
    work(loading)
    assert waiting(database) == [("unmapped", "sex", "feed-code")]


def test_who_waited_before_waits_again_and_is_not_lost(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of the first time is processed: it wakes nobody any more."""
    loading = toy_loading(database, tmp_path)
    lines = (PERSON, PLACE, "V,1,ann,street")
    load(loading, file_of(tmp_path, "a.csv", *lines))
    monkeypatch.setitem(toy.CLASSES, "street", "FLD")
    work(loading)
    load(loading, file_of(tmp_path, "b.csv", PERSON, PLACE, "WHOLE"))  # the visit is taken back
    monkeypatch.delitem(toy.CLASSES, "street")
    file = load(loading, file_of(tmp_path, "c.csv", *lines))  # and told again, as at first
    work(loading)
    assert file.counts["waiting"] == 1
    assert sorted(state for state, *_ in waiting(database)) == ["processed", "unmapped"]
    monkeypatch.setitem(toy.CLASSES, "street", "FLD")
    assert go_on(database, look_ups(loading)) == 1
    work(loading)
    assert [visit["status"] for visit in stored(database, "Encounter")] == ["finished"]


def test_no_list_of_messages_names_a_person_or_what_is_no_code(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", PERSON, PLACE, "V,1,ann,Robin Testperson of 1 Example Street"))
    work(loading)
    with database.read() as connection:
        columns = inbox.c.control_id, inbox.c.reason, inbox.c.location
        (told,) = connection.execute(select(*columns).where(inbox.c.source == OF_SUBJECTS))
    assert "ann" not in told.control_id
    assert "Testperson" not in f"{told.reason} {told.location}"


def test_a_person_may_be_called_by_a_name_with_a_bar(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", PLACE, "V,1,cin|ann,home"))
    work(loading)
    load(loading, file_of(tmp_path, "b.csv", PERSON.replace("P,ann", "P,cin|ann")))
    assert go_on(database, look_ups(loading)) == 1
