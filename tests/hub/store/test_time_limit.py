"""What reads too long is stopped, told as too costly, and leaves its connection fit for the next one."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, text

from hub.problems import Problem
from hub.store.engine import Database
from hub.store.faults import Overtaken

SECONDS = 0.2
PATIENCE = 5.0
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


@pytest.fixture
def limited(database_url: str) -> Iterator[Database]:
    found = Database(database_url)
    found.limit_reads(SECONDS)
    yield found
    found.close()


def counting_to(most: int) -> str:
    return f"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {most}) SELECT max(x) FROM n"


def endless(connection: Connection) -> None:
    connection.execute(text(ENDLESS[connection.dialect.name])).all()


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


def test_what_reads_too_long_is_too_costly_and_the_next_one_is_served(limited: Database) -> None:
    for _ in range(2):
        begin = time.monotonic()
        with pytest.raises(Problem) as told:
            limited.reading(endless)
        assert time.monotonic() - begin < PATIENCE
        assert (told.value.kind, told.value.status) == ("too-costly", 400)
        assert "narrow" in str(told.value)
        assert limited.reading(one) == 1


def test_a_limit_that_is_set_while_others_connect_breaks_no_connection(database: Database) -> None:
    """Seen at a start: the worker's threads connect while the web application sets its limit."""
    ended, connected = threading.Event(), threading.Event()

    def reads() -> int:
        count = 0
        while not ended.is_set():
            with database._reads.connect() as connection:
                count += one(connection)
            connected.set()
        return count

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(reads) for _ in range(3)]
        connected.wait(PATIENCE)
        for _ in range(200):
            database.limit_reads(60)
        ended.set()
        assert all(reader.result() > 0 for reader in readers)
    assert len(list(database._reads.pool.dispatch.connect)) < 10


def test_time_between_requests_does_not_count(limited: Database) -> None:
    assert limited.reading(one) == 1
    time.sleep(SECONDS * 1.5)
    assert limited.reading(one) == 1


def test_a_read_inside_another_does_not_begin_anew(limited: Database) -> None:
    if not limited.is_sqlite:
        pytest.skip("with PostgreSQL the limit is of each statement")

    def nested(_: Connection) -> None:
        while True:
            limited.reading(one_slowly)

    def one_slowly(connection: Connection) -> None:
        connection.execute(text(counting_to(50_000))).all()

    begin = time.monotonic()
    with pytest.raises(Problem):
        limited.reading(nested)
    assert time.monotonic() - begin < PATIENCE


def test_what_is_written_has_no_such_limit(limited: Database) -> None:
    """A transaction waits for others, perhaps long."""
    slow = {
        "sqlite": counting_to(2_000_000),
        "postgresql": f"SELECT pg_sleep({SECONDS * 2})",
    }
    limited.writing(lambda connection: connection.execute(text(slow[connection.dialect.name])).all())


def test_what_is_decided_at_once_is_limited_and_what_is_stored_goes_under_a_lock(limited: Database) -> None:
    with pytest.raises(Problem) as told:
        limited.at_once(endless, lambda connection, _: None)
    assert told.value.kind == "too-costly"
    if not limited.is_sqlite:
        with pytest.raises(Overtaken):
            limited.at_once(one, lambda connection, _: endless(connection))


def test_without_a_limit_there_is_none(database_url: str) -> None:
    database = Database(database_url)
    try:
        with database.read() as connection:
            if database.is_sqlite:
                assert database._read_seconds is None
            else:
                assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
    finally:
        database.close()
