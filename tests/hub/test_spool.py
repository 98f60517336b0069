"""The spool: arrivals beside a SQLite database are as safe as in the inbox, and get there once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from hub.inbox import arrivals as incoming
from hub.inbox import listing
from hub.inbox.messages import REFUSED, Arrival
from hub.problems import Problem
from hub.spool import Spool, path_of, table
from hub.store.engine import Database
from hub.store.tables import inbox


@pytest.fixture
def sqlite(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Database]:
    path = tmp_path / "hub.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def arrival(control_id: str, raw: bytes = b"MSH|one") -> Arrival:
    return Arrival("adt", "app|fac", control_id, raw, 1)


def listed(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        return sorted((entry.control_id.partition("#")[0], entry.state) for entry in listing.listed(connection))


def test_an_arrival_is_in_another_file_until_it_is_moved(sqlite: Database) -> None:
    spool = Spool(sqlite)
    assert spool.accept([arrival("1"), arrival("2")]) == ["new", "new"]
    assert listed(sqlite) == []
    assert spool.move() == 2
    assert listed(sqlite) == [("1", "received"), ("2", "received")]
    assert spool.move() == 0


def test_it_is_durable_for_whoever_opens_the_file_next(sqlite: Database) -> None:
    Spool(sqlite).accept([arrival("1")])
    assert Spool(sqlite).move() == 1


def test_a_second_delivery_is_known_before_and_after_the_move(sqlite: Database) -> None:
    spool = Spool(sqlite)
    spool.accept([arrival("1")])
    assert spool.accept([arrival("1")]) == ["duplicate"]
    spool.move()
    assert spool.accept([arrival("1")]) == ["duplicate"]
    assert spool.move() == 0
    assert listed(sqlite) == [("1", "received")]


def test_other_content_under_a_used_control_id_is_a_conflict_before_and_after_the_move(sqlite: Database) -> None:
    spool = Spool(sqlite)
    spool.accept([arrival("1")])
    assert spool.accept([arrival("1", b"MSH|two")]) == ["conflict"]
    spool.move()
    assert spool.accept([arrival("1", b"MSH|three")]) == ["conflict"]
    spool.move()
    assert listed(sqlite) == [("1", "received"), ("1", "refused"), ("1", "refused")]


def test_a_move_that_was_killed_before_the_deletion_is_made_again_and_doubles_nothing(sqlite: Database) -> None:
    spool = Spool(sqlite)
    spool.accept([arrival("1"), arrival("2")])
    copy = path_of(sqlite).read_bytes(), Path(f"{path_of(sqlite)}-wal").read_bytes()
    spool.move()
    spool.close()
    for suffix, content in zip(("", "-wal"), copy, strict=True):
        Path(f"{path_of(sqlite)}{suffix}").write_bytes(content)
    Path(f"{path_of(sqlite)}-shm").unlink(missing_ok=True)
    again = Spool(sqlite)
    assert again.move() == 2
    assert listed(sqlite) == [("1", "received"), ("2", "received")]


def test_what_arrives_while_two_move_the_same_rows_is_not_taken_for_one_of_them(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite gives the number of a row that is gone to the next one."""
    slow, quick = Spool(sqlite), Spool(sqlite)
    slow.accept([arrival("first")])
    take_over = incoming.take_over

    def overtaken(connection: Connection, rows: list[dict[str, object]]) -> None:
        monkeypatch.setattr(incoming, "take_over", take_over)
        take_over(connection, rows)
        with quick._own.write() as there:  # the other one has moved it, and deletes it
            there.execute(table.delete())
        quick.accept([arrival("second")])

    monkeypatch.setattr(incoming, "take_over", overtaken)
    assert (slow.move(), slow.move()) == (1, 1)
    assert listed(sqlite) == [("first", "received"), ("second", "received")]
    for spool in (slow, quick):
        spool.close()


def test_an_arrival_does_not_wait_for_a_writer_of_the_database(sqlite: Database) -> None:
    spool = Spool(sqlite)
    with sqlite.write():
        assert spool.accept([arrival("1")]) == ["new"]


def test_nothing_is_accepted_that_cannot_be_made_durable(sqlite: Database) -> None:
    spool = Spool(sqlite)
    with sqlite.write() as connection:
        connection.exec_driver_sql("DROP TABLE inbox")
    with pytest.raises(Problem):
        spool.accept([arrival("1")])


def test_a_refused_arrival_keeps_its_reason(sqlite: Database) -> None:
    spool = Spool(sqlite)
    spool.accept([Arrival("adt", "unknown", "", b"garbage", 1, REFUSED, "100 no MSH", "MSH")])
    spool.move()
    with sqlite.read() as connection:
        (entry,) = listing.listed(connection)
    assert (entry.state, entry.reason, entry.location) == ("refused", "100 no MSH", "MSH")


def test_the_line_of_a_message_comes_to_the_inbox_with_it(sqlite: Database) -> None:
    spool = Spool(sqlite)
    spool.accept([Arrival("adt", "app|fac", "1", b"MSH|one", 1, member=-7)])
    spool.move()
    with sqlite.read() as connection:
        assert connection.execute(select(inbox.c.member)).scalars().all() == [-7]


def test_a_file_of_an_earlier_release_is_used_and_what_is_in_it_is_moved(sqlite: Database) -> None:
    """Its table was the inbox's of that release: it knew no line."""
    with closing(sqlite3.connect(path_of(sqlite))) as old:
        old.executescript(
            "CREATE TABLE inbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, source VARCHAR(32) NOT NULL,"
            " feed VARCHAR(128) NOT NULL, control_id VARCHAR(256) NOT NULL, digest BLOB NOT NULL,"
            " received BIGINT NOT NULL, raw BLOB NOT NULL, state VARCHAR(16) NOT NULL, reason TEXT,"
            " location VARCHAR(64), subject VARCHAR(256), attempts INTEGER DEFAULT '0' NOT NULL,"
            " due BIGINT DEFAULT '0' NOT NULL, processed BIGINT,"
            " CONSTRAINT inbox_message UNIQUE (source, feed, control_id));"
            "INSERT INTO inbox (source, feed, control_id, digest, received, raw, state)"
            " VALUES ('adt', 'app|fac', 'old', x'00', 1, x'4d', 'received');"
        )
    spool = Spool(sqlite)
    assert spool.accept([arrival("new")]) == ["new"]
    assert spool.move() == 2
    assert listed(sqlite) == [("new", "received"), ("old", "received")]
