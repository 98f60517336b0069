"""A subject of which something newer was said after it was read is read again: what is old is not written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hub import clock
from hub.feeds import kept
from hub.feeds.files import Counts
from hub.feeds.loading import Loading
from hub.feeds.records import Resource, Row, Subject
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.feeds.toy import TOY, file_of, load, stored, toy_loading

FIRST = (
    "P,ann,91234567A,Invented,1980-05-01",
    "P,bob,92345678C,Different,1955-11-30",
    "L,1,Example Pier",
    "V,1,ann,home",
)


@dataclass(slots=True)
class Slow:
    """Makes the resources of the visits, and somebody else does this before they are written, so often."""

    meanwhile: Callable[[], object]
    times: int = 1
    made: int = 0

    def __call__(self, subject: Subject, patient: str) -> Sequence[Resource]:
        made = TOY.resources(subject, patient)
        if subject.key.startswith("visits") and self.made < self.times:
            self.made += 1
            self.meanwhile()
        return made


def slowly(loading: Loading, slow: Slow) -> Loading:
    return replace(loading, kinds={"toy": replace(TOY, resources=slow)})


def of_a_message(loading: Loading, key: str) -> None:
    """As the worker does with a subject that waited."""
    loading.applying(loading.feeds["toy"], Counts(), lambda counts: None).one(key, lambda connection: None)


def visits(database: Database) -> dict[str, tuple[str, str]]:
    found = [one for one in stored(database, "Encounter") if one["status"] == "finished"]
    return {one["identifier"][0]["value"]: (one["class"]["code"], one["subject"]["reference"]) for one in found}


@pytest.mark.parametrize(
    "newer",
    [("V,1,ann,office",), ("V,2,ann,home",), ("V,1,bob,home",), ("V,1,ann,office", "V,2,ann,office")],
    ids=["other words", "one more row", "a row of somebody else", "both"],
)
def test_what_was_said_meanwhile_stands(database: Database, tmp_path: Path, newer: Sequence[str]) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *FIRST))
    slow = Slow(lambda: load(loading, file_of(tmp_path, "b.csv", *newer)))
    of_a_message(slowly(loading, slow), "visits|ann")
    after = visits(database)
    load(loading, file_of(tmp_path, "c.csv", *FIRST[:3]))
    for key in ("visits|ann", "visits|bob"):
        of_a_message(loading, key)
    assert slow.made == 1
    assert visits(database) == after
    assert {key: code for key, (code, _) in after.items()} == {
        "1": "HH",
        **{line.split(",")[1]: {"home": "HH", "office": "AMB"}[line.split(",")[3]] for line in newer},
    }


def test_of_which_more_is_said_each_time_is_tried_later(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *FIRST))
    numbers = iter(range(2, 100))

    def meanwhile() -> None:
        number = next(numbers)
        load(loading, file_of(tmp_path, f"{number}.csv", f"V,{number},ann,home"))

    with pytest.raises(Problem, match="kept changing"):
        of_a_message(slowly(loading, Slow(meanwhile, 99)), "visits|ann")
    assert "2" in visits(database)


def test_a_load_writes_what_was_said_while_it_made_a_subject_ready(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *FIRST))
    feed = loading.feeds["toy"]
    row = Row("V", "2", "visits|ann", {"person": "ann", "code": "office"}, 1)
    more = kept.said(feed, row, clock.micros(clock.now()))
    slow = Slow(lambda: database.writing(lambda connection: kept.put(connection, feed, [more], 1)))
    load(slowly(loading, slow), file_of(tmp_path, "b.csv", "V,1,ann,office"))
    assert {key: code for key, (code, _) in visits(database).items()} == {"1": "AMB", "2": "AMB"}
    with database.read() as connection:
        assert kept.count_changed(connection, feed) == 0
