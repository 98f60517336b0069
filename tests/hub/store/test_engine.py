"""The database: durable, one writer at a time on SQLite, and a refusal that says nothing of what was asked."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from hub.problems import Problem
from hub.store.engine import Database
from hub.store.rids import new_rid
from hub.store.tables import resource

ROW = {"type": "Patient", "version": 1, "last_updated": 1, "deleted": False, "body": b"{}", "address": 0}


def ids(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.execute(select(resource.c.id)).scalars())


def add(database: Database, number: int) -> None:
    database.writing(lambda c: c.execute(insert(resource).values(ROW | {"rid": number, "id": f"{number}"})))


def test_commits_are_on_disk_when_they_return(database: Database) -> None:
    with database.write() as connection:
        if database.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(insert(resource).values(ROW | {"rid": 1, "id": "1"}))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.writing(work)
    assert ids(database) == []


def test_a_key_that_another_writer_took_is_tried_again_and_not_for_ever(database: Database) -> None:
    add(database, 1)
    tries: list[int] = []

    def second(connection: Connection) -> None:
        tries.append(1)
        connection.execute(insert(resource).values(ROW | {"rid": len(tries), "id": f"n{len(tries)}"}))

    database.writing(second)
    assert ids(database) == ["1", "n2"]
    with pytest.raises(Problem, match="exception"):
        add(database, 1)


def test_many_threads_write_and_none_is_lost(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(database, number), range(40)))
    assert len(ids(database)) == 40


def test_two_processes_of_one_sqlite_file_take_turns(tmp_path: Path, migrated_sqlite: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    first, second = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add((first, second)[number % 2], number), range(40)))
    assert len(ids(second)) == 40
    first.close()
    second.close()


def test_a_refusal_keeps_the_reading_connection_and_a_fault_of_the_database_does_not(database: Database) -> None:
    with database.read() as first:
        pass
    with pytest.raises(Problem, match="not-found"), database.read():
        raise Problem("not-found", "x")
    with database.read() as second:
        assert second is first
    with pytest.raises(Problem) as caught, database.read() as connection:
        connection.execute(text("SELECT 'Zanzibarovich' FROM nowhere"))
    assert "Zanzibarovich" not in str(caught.value)
    with database.read() as third:
        assert third is not first
        assert third.execute(text("SELECT 1")).scalar_one() == 1


def test_row_numbers_grow_with_time_and_fit_64_bits() -> None:
    now = 1_800_000_000_000_000
    assert new_rid(now) < new_rid(now + 2000)
    assert 0 < new_rid(now) < new_rid(3_700_000_000_000_000) < 2**63, "until the year 2087"
