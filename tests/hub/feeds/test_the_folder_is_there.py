"""A node without the folder of files (its network file system is not mounted yet) reads none, and takes none in."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hub.feeds.agreeing import agree
from hub.feeds.commands import files_commands
from hub.feeds.lane import FileLane
from hub.feeds.loading import Loading
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.tables import inbox
from tests.hub.feeds.toy import file_of, load, stored, toy_loading

ANN, BOB = "P,ann,91234567A,Invented,1980-05-01", "P,bob,92345678C,Different,1955-11-30"


def elsewhere(loading: Loading, folder: Path) -> Loading:
    """Of a node that has another folder at the same place."""
    return replace(loading, arriving=replace(loading.arriving, folder=folder))


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(inbox.c.state).order_by(inbox.c.seq)).scalars())


@pytest.mark.parametrize("is_made", [True, False])
def test_a_file_waits_for_a_node_that_has_it(
    database: Database, tmp_path: Path, is_made: bool, caplog: pytest.LogCaptureFixture
) -> None:
    loading = toy_loading(database, tmp_path)
    below = tmp_path / "below"
    if is_made:
        below.mkdir()
    loading.arriving(file_of(tmp_path, "a.csv", ANN), "a.csv", loading.feeds["toy"])
    lane = FileLane(elsewhere(loading, below))
    with caplog.at_level(logging.ERROR, "hub.feeds"):
        assert not any(lane.turn() for _ in range(3))
    assert [line for line in caplog.messages if "is it mounted" in line] == caplog.messages[:1]
    assert states(database) == ["received"]
    assert FileLane(loading).turn()
    assert len(stored(database, "Patient")) == 1


def test_nothing_is_taken_in_there(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    unmounted = elsewhere(loading, tmp_path / "below")
    path = file_of(tmp_path, "b.csv", BOB)
    for arrives in (
        lambda: unmounted.arriving(path, "b.csv", loading.feeds["toy"]),
        lambda: unmounted.arriving.in_pieces([path.read_bytes()], "b.csv", loading.feeds["toy"]),
        lambda: agree(unmounted, 1, "somebody"),
    ):
        with pytest.raises(Problem, match="is it mounted") as refused:
            arrives()
        assert refused.value.kind == "busy"
    assert not (tmp_path / "below").exists()
    assert states(database) == ["processed"]


def test_what_is_missing_in_the_folder_itself_is_dead(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loading.arriving(file_of(tmp_path, "a.csv", ANN), "a.csv", loading.feeds["toy"])
    for path in (tmp_path / "files").glob("[0-9a-f]*"):
        path.unlink()
    assert FileLane(loading).turn()
    assert states(database) == ["dead"]


def test_a_folder_of_before_with_a_file_that_came_is_the_one(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    loading.arriving(file_of(tmp_path, "a.csv", ANN), "a.csv", loading.feeds["toy"])
    (tmp_path / "files" / ".calaim-hub").unlink()
    (tmp_path / "files" / ("0" * 64)).touch()
    assert FileLane(loading).turn()
    assert states(database) == ["processed"]
    assert (tmp_path / "files" / ".calaim-hub").exists()


def test_a_file_that_never_came_makes_it_not_the_one(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / ("0" * 64)).touch()
    assert not elsewhere(loading, tmp_path / "below").arriving.is_there()


def test_a_person_says_that_an_empty_folder_is_the_one(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    empty = elsewhere(loading, tmp_path / "new")
    assert not empty.arriving.is_there()
    assert CliRunner().invoke(files_commands(lambda: empty), ["here"]).exit_code == 0
    assert load(empty, file_of(tmp_path, "b.csv", BOB)).state == "done"
