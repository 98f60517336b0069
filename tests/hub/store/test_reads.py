"""Connections for reading belong to no thread: as many are open as have read at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest
from sqlalchemy import Connection, event, text

from hub.problems import Problem
from hub.store.engine import Database

THREADS = 8
PATIENCE = 20


@pytest.fixture
def opened(database: Database) -> Iterator[list[object]]:
    """The connections for reading that are opened in the test."""
    found: list[object] = []

    def keep(connection: object, _record: object) -> None:
        found.append(connection)

    event.listen(database._reads, "connect", keep)
    yield found
    event.remove(database._reads, "connect", keep)


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


def test_threads_that_read_one_after_the_other_share_a_connection(database: Database, opened: list[object]) -> None:
    """All of them are alive: what a thread of the web server keeps when it ends is lost."""
    all_read, turn = threading.Barrier(THREADS), threading.Lock()

    def reads() -> int:
        with turn:
            found = database.reading(one)
        all_read.wait(PATIENCE)
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        assert [each.result() for each in [pool.submit(reads) for _ in range(THREADS)]] == [1] * THREADS
    assert len(opened) <= 1


def test_who_reads_at_once_has_a_connection_of_its_own(database: Database) -> None:
    all_read = threading.Barrier(THREADS)

    def reads() -> int:
        with database.read() as connection:
            all_read.wait(PATIENCE)
            return id(connection.connection.driver_connection) if one(connection) else 0

    with ThreadPoolExecutor(THREADS) as pool:
        assert len({each.result() for each in [pool.submit(reads) for _ in range(THREADS)]}) == THREADS


def test_a_read_within_a_read_has_the_same_connection_and_gives_it_back_once(database: Database) -> None:
    with database.read() as outer:
        with database.read() as inner:
            assert inner is outer
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(lambda: database.reading(lambda connection: connection)).result()
            assert other is not outer, "it is not at rest while the outer one reads"
    assert database.reading(lambda connection: connection) is outer


def _problem(_: Connection) -> int:
    raise Problem("not-found", "There is no such thing")


def _fault(_: Connection) -> int:
    raise ValueError("of the caller")


@pytest.mark.parametrize(("work", "is_kept"), [(_problem, True), (_fault, False)])
def test_a_refusal_says_nothing_against_the_connection(
    database: Database, work: Callable[[Connection], int], is_kept: bool
) -> None:
    before = database.reading(lambda connection: connection)
    with pytest.raises((Problem, ValueError)):
        database.reading(work)
    assert (database.reading(lambda connection: connection) is before) is is_kept


def test_a_thread_that_has_read_keeps_nothing(database: Database) -> None:
    mine = database.reading(lambda connection: connection)
    taken, told = threading.Event(), Queue[Connection]()

    def reads_meanwhile() -> tuple[Connection, Connection]:
        with database.read() as connection:
            taken.set()
            return connection, told.get(timeout=PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(reads_meanwhile)
        assert taken.wait(PATIENCE)
        told.put(database.reading(lambda connection: connection))
        theirs, mine_meanwhile = other.result(PATIENCE)
    assert theirs is mine
    assert mine_meanwhile is not mine


def test_a_time_limit_closes_those_at_rest(database_url: str) -> None:
    found = Database(database_url)
    try:
        before = found.reading(lambda connection: connection)
        found.limit_reads(60)
        assert before.closed
        assert found.reading(one) == 1
    finally:
        found.close()
