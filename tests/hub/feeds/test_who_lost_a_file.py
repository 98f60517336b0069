"""A reader that slept past its lease, while somebody else was at its feed, writes nothing of its own any more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from hub import clock
from hub.feeds import files, kept, taking
from hub.feeds.files import DONE, Counts, File
from hub.feeds.holding import Hold
from hub.feeds.ingest import Ingest
from hub.feeds.lane import FileLane
from hub.feeds.loading import Loading
from hub.feeds.records import Reject, Row
from hub.feeds.taking import CAME, LEASE, READING, Lost, Taking
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.store.tables_feeds import feed_record
from tests.hub.feeds.toy import file_of, load, read_toy, stored, toy_feed, toy_loading

ANN, BOB = "P,ann,91234567A,Invented,1980-05-01", "P,bob,92345678C,Different,1955-11-30"
PLACE = "L,1,Example Pier"
FIRST = ("AS,2026-01-01", ANN, PLACE, "V,1,ann,home", "V,9,ann,home")
OLDER = ("AS,2026-02-01", ANN, BOB, PLACE, "V,1,ann,home", "V,2,bob,home", "WHOLE")
NEWER = ("AS,2026-03-01", ANN, PLACE, "V,1,ann,office", "V,9,ann,home", "WHOLE")
NOW = 1_790_000_000_000_000


def an_hour_later() -> datetime:
    """By then every lease is over."""
    return clock.now() + timedelta(hours=1)


@dataclass(slots=True)
class Sleeps:
    """At the first step of this phase; meanwhile somebody else does this."""

    phase: str
    meanwhile: Callable[[], object]
    slept: bool = False

    def __call__(self, phase: str, counts: object) -> None:
        if phase == self.phase and not self.slept:
            self.slept = True
            self.meanwhile()


def came(loading: Loading, folder: Path, name: str, lines: Sequence[str]) -> int:
    return loading.arriving(file_of(folder, name, *lines), name, loading.feeds["toy"])[1]


def visits(database: Database) -> dict[str, str]:
    found = [one for one in stored(database, "Encounter") if one["status"] == "finished"]
    return {one["identifier"][0]["value"]: one["class"]["code"] for one in found}


def file(database: Database, seq: int) -> File:
    with database.read() as connection:
        found = files.find(connection, seq)
    assert found is not None
    return found


@pytest.mark.parametrize("phase", ["reading", "writing"])
def test_who_was_taken_away_by_a_newer_file_does_not_come_back(
    database: Database, tmp_path: Path, phase: str
) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "first.csv", *FIRST))
    older, newer = came(loading, tmp_path, "a.csv", OLDER), came(loading, tmp_path, "b.csv", NEWER)
    later = replace(loading, now=an_hour_later)
    with pytest.raises(Lost):
        loading.run(older, Sleeps(phase, lambda: later.run(newer)))
    assert visits(database) == {"1": "AMB", "9": "HH"}
    assert [file(database, seq).state for seq in (older, newer)] == [CAME, DONE]
    assert FileLane(later).turn()  # it is begun again, as any file whose reader is gone
    assert visits(database) == {"1": "AMB", "9": "HH"}
    assert file(database, older).state == DONE


def test_the_lane_goes_on_where_it_lost_a_file(database: Database, tmp_path: Path) -> None:
    """And leaves it to whoever has it: it does not rest."""
    loading = toy_loading(database, tmp_path)
    seq = came(loading, tmp_path, "a.csv", OLDER)
    mine: list[Taking | None] = []
    now = clock.micros(an_hour_later())

    def taken(connection: Connection) -> Taking | None:
        return taking.take(connection, seq, now)

    watched = replace(loading.kinds["toy"], look_back=lambda *_: mine.append(database.writing(taken)) or iter(()))
    assert FileLane(replace(loading, kinds={"toy": watched})).turn()
    (other,) = mine
    assert other is not None
    found = file(database, seq)
    assert (found.state, found.started, found.lease) == (READING, other.number, now + LEASE)
    with database.read() as connection:
        assert connection.execute(select(inbox.c.state).where(inbox.c.seq == seq)).scalar_one() == "received"


def twice_taken(database: Database, folder: Path) -> tuple[Hold, Taking]:
    """By one whose lease was over, and by one who has it now."""
    seq = came(toy_loading(database, folder), folder, "a.csv", OLDER)
    first = database.writing(lambda connection: taking.take(connection, seq, NOW))
    second = database.writing(lambda connection: taking.take(connection, seq, NOW + LEASE + 1))
    assert first is not None
    assert second is not None
    return Hold(database, first), second


def test_a_taking_has_a_greater_number_than_those_before_also_where_clocks_differ(
    database: Database, tmp_path: Path
) -> None:
    hold, second = twice_taken(database, tmp_path)
    assert second.number > hold.taking.number
    database.writing(lambda connection: taking.free(connection, second.seq))
    third = database.writing(lambda connection: taking.take(connection, second.seq, NOW - LEASE))
    assert third is not None
    assert third.number > second.number


@pytest.mark.parametrize(
    "write",
    [
        lambda connection, mine: taking.ask(connection, mine),
        lambda connection, mine: taking.prolong(connection, mine, NOW),
        lambda connection, mine: taking.rest(connection, mine, NOW),
        lambda connection, mine: files.so_far(connection, mine, Counts()),
        lambda connection, mine: files.speaks_of(connection, mine, NOW),
        lambda connection, mine: files.end(connection, mine, DONE, Counts(), NOW),
    ],
    ids=["ask", "prolong", "rest", "so_far", "speaks_of", "end"],
)
def test_who_lost_a_file_changes_nothing_of_it(
    database: Database, tmp_path: Path, write: Callable[[Connection, Taking], None]
) -> None:
    hold, second = twice_taken(database, tmp_path)
    before = file(database, second.seq)
    with pytest.raises(Lost):
        database.writing(lambda connection: write(connection, hold.taking))
    assert file(database, second.seq) == before
    database.writing(lambda connection: write(connection, second))


def test_who_lost_a_file_keeps_no_row_and_no_line_of_its_report(database: Database, tmp_path: Path) -> None:
    hold, second = twice_taken(database, tmp_path)
    path = file_of(tmp_path, "b.csv", *OLDER, "V,3,ann,bad")
    with pytest.raises(Lost):
        Ingest(hold, toy_feed()).run(read_toy, path, tmp_path)
    with pytest.raises(Lost):
        hold.writing(lambda connection: files.reject(connection, second.seq, 0, [Reject("TYPE")]))
    with database.read() as connection:
        assert not list(files.rejects(connection, second.seq))
        assert not connection.execute(select(feed_record.c.name)).all()


@pytest.mark.parametrize("line", ["V,1,ann,home", "V,1,ann,street"], ids=["writes", "parks"])
def test_who_lost_a_file_writes_no_subject_of_it(database: Database, tmp_path: Path, line: str) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "first.csv", ANN, PLACE))
    hold, second = twice_taken(database, tmp_path)
    row = Row("V", "1", "visits|ann", {"person": "ann", "code": line.rsplit(",", 1)[1]}, 1)
    said = kept.said(toy_feed(), row, NOW)
    database.writing(lambda connection: kept.put(connection, toy_feed(), [said], second.seq))
    with pytest.raises(Lost):
        loading.applying(toy_feed(), Counts(), lambda counts: None, hold.ask).run()
    assert not stored(database, "Encounter")
    with database.read() as connection:
        assert kept.count_changed(connection, toy_feed()) == 1
        assert not connection.execute(select(inbox.c.seq).where(inbox.c.source == "feed")).all()
    hold = Hold(database, second)
    loading.applying(toy_feed(), Counts(), lambda counts: None, hold.ask).run()
    with database.read() as connection:
        assert kept.count_changed(connection, toy_feed()) == 0


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_takes_a_feed_while_its_reader_writes_whatever_the_lease_says(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """With SQLite one writes at a time anyway. The heart of the reader goes on meanwhile."""
    loading = toy_loading(database, tmp_path)
    older, newer = came(loading, tmp_path, "a.csv", OLDER), came(loading, tmp_path, "b.csv", NEWER)
    mine = database.writing(lambda connection: taking.take(connection, older, NOW))
    assert mine is not None
    after = NOW + LEASE + 1
    other = Database(database_url)
    with database.write() as connection:
        taking.ask(connection, mine)
        for seq in (older, newer):
            assert other.writing(lambda c, seq=seq: taking.take(c, seq, after)) is None
        other.writing(lambda c: taking.prolong(c, mine, NOW))
    assert other.writing(lambda c: taking.take(c, newer, after)) is not None
    other.close()
    with pytest.raises(Lost):
        database.writing(lambda connection: taking.ask(connection, mine))


def test_a_row_that_was_told_of_since_is_not_taken_back_nor_written_over(database: Database) -> None:
    """Whoever writes: the last line of defence."""
    feed, row = toy_feed(), Row("V", "1", "visits|ann", {"person": "ann", "code": "home"}, 1)
    newer = kept.said(feed, row, NOW)
    older = kept.said(feed, replace(row, values={"person": "ann", "code": "office"}), NOW - 1)
    database.writing(lambda connection: kept.put(connection, feed, [newer], 1))
    assert database.writing(lambda connection: kept.take_back(connection, [newer.name], 2, NOW - 1)) == 0
    database.writing(lambda connection: kept.put(connection, feed, [older], 2))
    with database.read() as connection:
        stands = connection.execute(select(feed_record.c.deleted, feed_record.c.body, feed_record.c.said)).one()
    assert (stands.deleted, bytes(stands.body), stands.said) == (False, newer.body, NOW)
    assert database.writing(lambda connection: kept.take_back(connection, [newer.name], 2, NOW)) == 1
