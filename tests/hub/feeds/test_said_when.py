"""Of two sayings the later one counts, in whatever order their files come (docs/feeds.md "Said when")."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.feeds import files
from hub.feeds.loading import Loading
from hub.feeds.moments import Moments
from hub.feeds.records import Feed
from hub.store.engine import Database
from hub.store.tables_feeds import feed_file, feed_record
from tests.hub.feeds.toy import file_of, ingested, load, stored, toy_feed, toy_loading

ANN, BOB = "P,ann,91234567A,Invented,1980-05-01", "P,bob,92345678C,Different,1955-11-30"
PLACE = "L,1,Example Pier"
FULL = {
    "first": ("AS,2026-01-01", ANN, BOB, PLACE, "V,1,ann,home", "V,2,bob,home", "V,3,ann,home", "WHOLE"),
    "second": (
        "AS,2026-02-01T06:30:00",
        ANN,
        BOB,
        PLACE,
        "V,1,ann,office",
        "V,2,bob,home",
        "V,4,bob,home",
        "WHOLE",
    ),
    "third": ("AS,2026-03-01", ANN, PLACE, "V,1,ann,home", "V,3,ann,home", "WHOLE"),
}
PARTS = {name: tuple(line for line in lines if line != "WHOLE") for name, lines in FULL.items()}


def kept(database: Database, feed: str = "toy") -> set[tuple[Any, ...]]:
    """What the feed says now; what is gone is gone, whatever it said last."""
    columns = feed_record.c.kind, feed_record.c.key, feed_record.c.subject, feed_record.c.body
    with database.read() as connection:
        rows = connection.execute(select(*columns).where(feed_record.c.feed == feed, ~feed_record.c.deleted))
        return {(kind, key, subject, bytes(body)) for kind, key, subject, body in rows}


def visits(database: Database) -> dict[str, str]:
    """The class of each visit that stands."""
    found = [one for one in stored(database, "Encounter") if one["status"] == "finished"]
    return {one["identifier"][0]["value"]: one["class"]["code"] for one in found}


def codes(database: Database, seq: int) -> list[tuple[str, int, str]]:
    with database.read() as connection:
        return [(one.code, one.line, one.severity) for one in files.rejects(connection, seq)]


def loaded(loading: Loading, folder: Path, given: dict[str, Sequence[str]], order: Sequence[str]) -> dict[str, Any]:
    return {name: load(loading, file_of(folder, f"{name}.csv", *given[name])) for name in order}


@pytest.mark.parametrize("order", list(permutations(FULL)), ids="-".join)
def test_full_files_in_any_order_end_in_the_same_state(
    database: Database, tmp_path: Path, order: Sequence[str]
) -> None:
    loaded(toy_loading(database, tmp_path), tmp_path, FULL, order)
    assert visits(database) == {"1": "HH", "3": "HH"}
    assert {(kind, key) for kind, key, _, _ in kept(database)} == {("P", "ann"), ("L", "1"), ("V", "1"), ("V", "3")}


@pytest.mark.parametrize("order", list(permutations(PARTS)), ids="-".join)
def test_files_of_changes_in_any_order_end_in_the_same_state(
    database: Database, tmp_path: Path, order: Sequence[str]
) -> None:
    loaded(toy_loading(database, tmp_path), tmp_path, PARTS, order)
    assert visits(database) == {"1": "HH", "2": "HH", "3": "HH", "4": "HH"}


@pytest.mark.parametrize("order", list(permutations(FULL)), ids="-".join)
def test_a_full_file_among_files_of_changes_ends_in_the_same_state_in_any_order(
    database: Database, tmp_path: Path, order: Sequence[str]
) -> None:
    given = {**PARTS, "second": FULL["second"]}
    loaded(toy_loading(database, tmp_path), tmp_path, given, order)
    assert visits(database) == {"1": "HH", "2": "HH", "3": "HH", "4": "HH"}


KEYS = st.integers(1, 4)
LINES = st.lists(
    st.one_of(
        st.builds("V,{},{},{}".format, KEYS, st.sampled_from(("ann", "bob")), st.sampled_from(("home", "office"))),
        st.builds("L,{},Example {}".format, KEYS, KEYS),
    ),
    max_size=6,
)
numbers = count()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(LINES, st.booleans()), min_size=3, max_size=3))
def test_whatever_three_files_say_their_order_does_not_matter(
    database: Database, tmp_path: Path, said: Sequence[tuple[list[str], bool]]
) -> None:
    """Some are full, some are not; each is of another day."""
    paths = []
    for number, (lines, is_full) in enumerate(said, start=1):
        first = {line.rsplit(",", 1)[0][:3]: line for line in reversed(lines)}  # a key once
        told = [f"AS,2026-0{number}-01", *first.values(), *(["WHOLE"] if is_full else [])]
        paths.append(file_of(tmp_path, f"{number}.csv", *told))
    ends = []
    for order in permutations(paths):
        feed = replace(toy_feed(), name=f"toy-{next(numbers)}")
        for path in order:
            _read(database, feed, path)
        ends.append(kept(database, feed.name))
    assert all(end == ends[0] for end in ends)


def _read(database: Database, feed: Feed, path: Path) -> None:
    seq = next(numbers)
    with database.write() as connection:
        files.came(connection, seq, feed, path.name, "", 2_000_000_000_000_000)
    ingested(database, feed, seq, path)


def test_a_row_that_was_said_before_what_is_kept_is_not_taken_and_stands_in_the_report(
    database: Database, tmp_path: Path
) -> None:
    loading = toy_loading(database, tmp_path)
    found = loaded(loading, tmp_path, PARTS, ("third", "second"))["second"]
    assert codes(database, found.seq) == [("STALE", 5, "warning")]  # the visit that the third file told otherwise
    assert (found.counts["stale"], found.counts["rejected"], found.counts["new"]) == (1, 0, 3)
    assert visits(database)["1"] == "HH"


def test_what_is_said_again_is_said_as_of_then(database: Database, tmp_path: Path) -> None:
    """The third file says of the first visit what the first file said: what the second said is old."""
    loading = toy_loading(database, tmp_path)
    loaded(loading, tmp_path, PARTS, ("first", "third", "second"))
    assert visits(database)["1"] == "HH"


def test_an_older_full_file_takes_nobody_away_who_was_told_of_later(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "new.csv", "AS,2026-03-01", ANN, PLACE, "V,1,ann,home"))
    file = load(loading, file_of(tmp_path, "old.csv", "AS,2026-02-01", BOB, "WHOLE"))
    assert file.counts["gone"] == 0
    assert visits(database) == {"1": "HH"}


def test_who_was_gone_before_they_came_does_not_come(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "new.csv", "AS,2026-03-01", ANN, PLACE, "WHOLE"))
    file = load(loading, file_of(tmp_path, "old.csv", "AS,2026-02-01", BOB, "V,2,bob,home"))
    assert [code for code, _, _ in codes(database, file.seq)] == ["STALE", "STALE"]
    assert not visits(database)
    back = load(loading, file_of(tmp_path, "newest.csv", "AS,2026-04-01", BOB, "V,2,bob,home"))
    assert back.counts["new"] == 2
    assert visits(database) == {"2": "HH"}


def test_an_old_file_that_is_loaded_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loaded(loading, tmp_path, FULL, ("first", "second", "third"))
    before = kept(database), visits(database)
    again = loaded(loading, tmp_path, FULL, ("first", "second"))
    assert (kept(database), visits(database)) == before
    assert [file.counts["new"] + file.counts["gone"] for file in again.values()] == [0, 0]


def test_without_a_moment_of_its_own_a_file_is_as_of_its_arrival(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN, PLACE, "V,1,ann,home"))
    load(loading, file_of(tmp_path, "b.csv", "V,1,ann,office"))
    again = load(loading, file_of(tmp_path, "a.csv", ANN, PLACE, "V,1,ann,home"))
    assert again.counts["stale"] == 1
    assert visits(database) == {"1": "AMB"}


def test_the_date_in_a_name_counts_where_the_feed_says_how_it_is_written(
    database: Database, tmp_path: Path
) -> None:
    loading = toy_loading(database, tmp_path, toy_feed(dated="visits-%Y%m%d"))
    load(loading, file_of(tmp_path, "visits-20260301.csv", ANN, PLACE, "V,1,ann,home"))
    file = load(loading, file_of(tmp_path, "visits-20260201.csv", "V,1,ann,office"))
    assert file.counts["stale"] == 1
    assert visits(database) == {"1": "HH"}
    with database.read() as connection:
        said = connection.execute(select(feed_file.c.said).order_by(feed_file.c.seq)).scalars().all()
    assert said == [1772352000_000000, 1769932800_000000]  # midnight in Los Angeles


def test_a_feed_may_go_by_arrival(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path, toy_feed(by_arrival=True))
    loaded(loading, tmp_path, PARTS, ("third", "second"))
    assert visits(database)["1"] == "AMB"


def test_a_moment_to_come_does_not_outdo_what_comes_later(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", "AS,2062-01-01", ANN, PLACE, "V,1,ann,home"))
    assert codes(database, file.seq) == [("TO_COME", 0, "warning")]
    load(loading, file_of(tmp_path, "b.csv", "V,1,ann,office"))
    assert visits(database) == {"1": "AMB"}


@pytest.mark.parametrize(
    ("name", "form", "said"),
    [
        ("MIF_202603.xlsx", "MIF_%Y%m", "2026-03-01T08:00:00Z"),
        ("a-26-07-04.csv", "%y-%m-%d", "2026-07-04T07:00:00Z"),
        ("x20260301T0630.csv", "%Y%m%dT%H%M", "2026-03-01T14:30:00Z"),
        ("x20261301.csv", "x%Y%m%d", None),
        ("other.csv", "x%Y%m%d", None),
        ("x20260301.csv", "", None),
    ],
)
def test_a_name_says_its_date(name: str, form: str, said: str | None) -> None:
    arrived = 2_000_000_000_000_000
    found = Moments(toy_feed(dated=form), name, arrived)
    assert found.otherwise() == (found.told(said) if said else arrived)
