"""A full file that leaves out many is not believed before a person agrees (docs/feeds.md "Whole files")."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hub.feeds import files
from hub.feeds.agreeing import agree
from hub.feeds.commands import files_commands
from hub.feeds.configured import feeds
from hub.feeds.files import DONE, REFUSED
from hub.feeds.gone import Leaving, are_too_many
from hub.feeds.lane import FileLane
from hub.feeds.loading import ANSWERS, Loading
from hub.fhir import json
from hub.problems import CannotStart, Problem
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from tests.hub.feeds.test_loading import Dying, Killed
from tests.hub.feeds.toy import TOY, file_of, load, stored, toy_feed, toy_loading

ANN, PLACE = "P,ann,91234567A,Invented,1980-05-01", "L,1,Example Pier"


def visits(*numbers: int) -> list[str]:
    return [f"V,{number},ann,home" for number in numbers]


def standing(database: Database) -> set[str]:
    found = [one for one in stored(database, "Encounter") if one["status"] == "finished"]
    return {one["identifier"][0]["value"] for one in found}


def refused(loading: Loading, folder: Path) -> Any:
    """A full file that names three of ten, and a new one."""
    load(loading, file_of(folder, "a.csv", ANN, PLACE, *visits(*range(10))))
    return load(loading, file_of(folder, "b.csv", ANN, PLACE, *visits(0, 1, 2, 77), "WHOLE"))


def message(database: Database, seq: int) -> str:
    with database.read() as connection:
        return str(connection.execute(select(inbox.c.state).where(inbox.c.seq == seq)).scalar_one())


def test_nothing_of_it_is_taken(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = refused(loading, tmp_path)
    with database.read() as connection:
        (line,) = files.rejects(connection, file.seq)
    assert (file.state, message(database, file.seq)) == (REFUSED, "refused")
    assert (line.code, line.column, line.what[:24]) == ("TOO_MANY_GONE", "V", "7 of 10 rows would be go")
    assert standing(database) == {str(number) for number in range(10)}
    assert load(loading, tmp_path / "b.csv").state == REFUSED  # the same file says nothing new


def test_a_person_agrees_and_it_is_read(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = refused(loading, tmp_path)
    told = CliRunner().invoke(files_commands(lambda: loading), ["agree", str(file.seq)])
    assert told.output.startswith(f"File {file.seq}: done; 6 read, ")
    assert told.exit_code == 0
    with database.read() as connection:
        found = files.find(connection, file.seq)
    assert found is not None
    assert (found.state, found.counts["gone"], found.agreed[:8]) == (DONE, 7, "command ")
    assert message(database, file.seq) == "processed"
    assert standing(database) == {"0", "1", "2", "77"}


def test_who_agreed_does_so_once_whoever_is_killed_then(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    file = refused(loading, tmp_path)
    agree(loading, file.seq, "somebody")
    with pytest.raises(Killed):
        loading.run(file.seq, Dying(0))
    loading.again(file.seq)
    assert FileLane(loading).turn()
    assert standing(database) == {"0", "1", "2", "77"}


def test_a_file_whose_sender_was_told_that_it_is_refused_ends_again_and_tells_so(
    database: Database, tmp_path: Path
) -> None:
    loading = toy_loading(database, tmp_path)
    answering = replace(TOY, answers=lambda path, feed: [("answer", b"told")])
    loading = replace(loading, kinds={"toy": answering})
    file = refused(loading, tmp_path)
    agree(loading, file.seq, "somebody")
    assert FileLane(loading).turn()
    assert message(database, file.seq) == "processed"
    with database.read() as connection:
        owed = connection.execute(select(outbox.c.payload).where(outbox.c.kind == ANSWERS)).scalars().all()
        lines = connection.execute(select(outbox.c.line).where(outbox.c.payload == owed[-1])).scalars().all()
    assert [json.read(one)["file"] for one in owed] == [file.seq - 1, file.seq, file.seq]
    assert len(lines) == 2
    assert len(set(lines)) == 1  # one after the other: the newest answer is the last


def test_a_later_full_file_goes_on_without_it(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    older = refused(loading, tmp_path)
    assert load(loading, file_of(tmp_path, "c.csv", ANN, PLACE, *visits(*range(9)), "WHOLE")).state == DONE
    agree(loading, older.seq, "somebody")
    assert FileLane(loading).turn()
    assert standing(database) == {str(number) for number in range(9)}  # it is of before


def test_only_what_was_refused_for_this_is_agreed_to(database: Database, tmp_path: Path) -> None:
    loading = toy_loading(database, tmp_path)
    done = load(loading, file_of(tmp_path, "x.csv", ANN))
    stopped = load(loading, file_of(tmp_path, "y.csv", ANN, "stop"))
    for seq in (done.seq, stopped.seq):
        with pytest.raises(Problem, match="not refused as"):
            agree(loading, seq, "somebody")
    file = refused(loading, tmp_path)
    loading.arriving.content(file.digest).unlink()
    told = CliRunner().invoke(files_commands(lambda: loading), ["agree", str(file.seq)])
    assert told.exit_code == 1
    for seq in (file.seq, 9999):
        with pytest.raises(Problem, match="not kept any more"):
            agree(loading, seq, "somebody")


@pytest.mark.parametrize(
    ("there", "gone", "options", "too_many"),
    [
        (100, 20, {}, False),
        (100, 21, {}, True),
        (5, 5, {}, False),  # a small feed
        (6, 6, {}, True),
        (1000, 201, {"gone_percent": 25}, False),
        (1000, 1, {"gone_percent": 0, "gone_few": 0}, True),
        (1000, 1000, {"gone_percent": 100}, False),
        (30, 30, {"gone_few": 30}, False),
    ],
)
def test_so_many_may_be_gone(there: int, gone: int, options: dict[str, int], too_many: bool) -> None:
    leaving = Leaving("V", {}, 0, [b""] * gone, there)
    assert are_too_many(replace(toy_feed(), options=options), leaving) is too_many


@pytest.mark.parametrize(
    "line", ["gone_percent = 101", "gone_percent = -1", "gone_few = true", 'bad_percent = "9"']
)
def test_numbers_that_cannot_be_stop_the_hub(tmp_path: Path, line: str) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(f'[feeds.example]\nkind = "toy"\n{line}\n')
    with pytest.raises(CannotStart, match="a number from 0 to"):
        feeds(path, {"toy": TOY}, {})
