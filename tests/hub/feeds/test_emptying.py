"""The bytes of files go when nobody needs them any more, and nothing else does (docs/feeds.md "How long ...")."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub import clock
from hub.feeds import files
from hub.feeds.emptying import DAY, Emptying
from hub.feeds.files import DONE, REFUSED
from hub.feeds.lane import GONE, FileLane
from hub.feeds.loading import Loading
from hub.feeds.vault import MARK
from hub.inbox.messages import DEAD
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.store.tables_feeds import feed_file
from tests.hub.feeds.toy import file_of, load, toy_loading

ANN, PLACE = "P,ann,91234567A,Invented,1980-05-01", "L,1,Example Pier"
NOW = clock.micros(clock.now())
LATER = NOW + 31 * DAY


def bytes_of(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "files").iterdir() if path.name != MARK)


def emptied(loading: Loading, now: int = LATER, days: int = 30) -> int:
    return Emptying(loading.database, loading.arriving.folder, days).turn(now)


def arrived(loading: Loading, folder: Path, name: str, *lines: str) -> int:
    return loading.arriving(file_of(folder, name, *lines), name, loading.feeds["toy"])[1]


def test_bytes_of_a_file_go_after_the_days_and_its_report_stays(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", ANN, "V,3,ann,bad"))
    assert emptied(loading, NOW + 29 * DAY) == 0
    assert bytes_of(tmp_path) == [file.digest]
    assert emptied(loading) == 1
    assert bytes_of(tmp_path) == []
    with database.read() as connection:
        left = files.find(connection, file.seq)
        assert left == file
        assert [one.code for one in files.rejects(connection, file.seq)] == ["TYPE"]


def test_days_of_0_keep(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    assert emptied(loading, days=0) == 0
    assert len(bytes_of(tmp_path)) == 1


def test_a_file_that_was_refused_loses_its_bytes_too(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    assert load(loading, file_of(tmp_path, "a.csv", ANN, "stop")).state == REFUSED
    assert emptied(loading) == 1


def test_a_file_that_waits_keeps_its_bytes(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    arrived(loading, tmp_path, "a.csv", ANN)
    assert emptied(loading) == 0
    assert len(bytes_of(tmp_path)) == 1


def test_a_file_whose_rows_wait_keeps_its_bytes(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", ANN, PLACE, "V,1,ann,street"))
    assert (file.state, file.counts["waiting"]) == (DONE, 1)
    assert emptied(loading) == 0
    load(loading, file_of(tmp_path, "b.csv", "V,1,ann,home"))
    assert emptied(loading) == 2


def test_a_file_that_died_keeps_its_bytes(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", ANN))
    with database.write() as connection:
        connection.execute(update(inbox).where(inbox.c.seq == file.seq).values(state=DEAD))
    assert emptied(loading) == 0


def test_bytes_that_two_files_have_stay_until_both_are_done_with(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    seq = arrived(loading, tmp_path, "b.csv", ANN)
    assert emptied(loading) == 0
    loading.run(seq)
    assert emptied(loading) == 1


def test_bytes_of_no_file_go_by_their_age_and_what_is_not_the_hubs_stays(
    database: Database, tmp_path: Path
) -> None:
    loading = toy_loading(database, tmp_path)
    arrived(loading, tmp_path, "a.csv", ANN)
    assert loading.arriving(file_of(tmp_path, "b.csv", PLACE), "a.csv", loading.feeds["toy"])[0] == "conflict"
    (tmp_path / "files" / ".4711-0123456789abcdef").write_text("a draft of a process that was killed")
    (tmp_path / "files" / "coming").mkdir()
    (tmp_path / "files" / "note.txt").write_text("somebody's")
    assert emptied(loading, NOW) == 0
    assert emptied(loading) == 2
    assert {"coming", "note.txt"} < {*bytes_of(tmp_path)}
    assert len(bytes_of(tmp_path)) == 3


def test_bytes_that_come_again_in_this_very_moment_stay(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come between the look at their age and their removal."""
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", ANN))
    path = loading.arriving.content(file.digest)
    os.utime(path, (0, 0))
    with database.write() as connection:
        connection.execute(update(feed_file).values(ended=0))
    rename = Path.rename

    def comes_again(mine: Path, target: Any) -> Path:
        if mine == path:
            arrived(loading, tmp_path, "b.csv", ANN)
        return rename(mine, target)

    monkeypatch.setattr(Path, "rename", comes_again)
    assert emptied(loading, NOW) == 0
    assert path.exists()


def test_a_replay_of_a_file_without_bytes_says_so_and_goes_on_when_it_is_sent_again(
    database: Database, tmp_path: Path
) -> None:
    loading = toy_loading(database, tmp_path)
    file = load(loading, file_of(tmp_path, "a.csv", ANN))
    emptied(loading)
    _replay(database, file.seq)
    assert FileLane(loading).turn()
    assert _message(database, file.seq) == (DEAD, GONE)
    arrived(loading, tmp_path, "a.csv", ANN)
    _replay(database, file.seq)
    assert FileLane(loading).turn()
    assert _message(database, file.seq)[0] == "processed"


def _replay(database: Database, seq: int) -> None:
    with database.write() as connection:
        connection.execute(update(inbox).where(inbox.c.seq == seq).values(state="received", reason=None))


def _message(database: Database, seq: int) -> tuple[str, str | None]:
    with database.read() as connection:
        row = connection.execute(select(inbox.c.state, inbox.c.reason).where(inbox.c.seq == seq)).one()
    return row.state, row.reason
