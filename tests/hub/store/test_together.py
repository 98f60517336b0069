"""Writers that share a commit: each as if it had been alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError

from hub.access import Access
from hub.clock import instant, micros, now
from hub.fhir import json
from hub.problems import Problem
from hub.store import read
from hub.store.engine import Database, Overtaken
from hub.store.migrate import migrate
from hub.transactions import Transactions, single
from tests.hub.asking import patient

ALL = Access.system("tests")
Made = list[int]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/hub.db")
    with made.write() as connection:
        connection.execute(text("CREATE TABLE note (n INTEGER PRIMARY KEY)"))
    yield made
    made.close()


def note(number: int) -> Any:
    return lambda connection: connection.execute(text("INSERT INTO note VALUES (:n)"), {"n": number}).rowcount


def notes(database: Database) -> Made:
    with database.read() as connection:
        return list(connection.execute(text("SELECT n FROM note ORDER BY n")).scalars())


@contextmanager
def waiting(database: Database, *works: Any) -> Iterator[list[Future[Any]]]:
    """Works that all wait for one who is writing; in the block he is done."""
    with ThreadPoolExecutor(len(works)) as pool:
        with database.write():
            found = []
            for place, work in enumerate(works, 1):
                found.append(pool.submit(database.writing, work))
                while len(database._together._waiting) < place:
                    pass
        yield found


def commits(database: Database) -> Made:
    seen: Made = []
    event.listen(database._writes, "commit", lambda connection: seen.append(1))
    return seen


def test_who_waits_goes_along_with_the_next_commit(database: Database) -> None:
    seen = commits(database)
    with waiting(database, *map(note, range(8))) as found:
        assert [each.result(10) for each in found] == [1] * 8
    assert notes(database) == list(range(8))
    assert len(seen) == 2, "the one they waited for, and theirs"


def test_one_that_fails_undoes_nothing_of_the_others(database: Database) -> None:
    def refused(connection: Connection) -> None:
        note(7)(connection)
        raise Problem("conflict", "no")

    with waiting(database, note(1), refused, note(2)) as found:
        assert isinstance(found[1].exception(10), Problem)
        assert [found[0].result(10), found[2].result(10)] == [1, 1]
    assert notes(database) == [1, 2]


def test_one_that_another_writer_overtook_is_done_anew(database: Database) -> None:
    tries: Made = []

    def overtaken_once(connection: Connection) -> str:
        note(7)(connection)
        tries.append(1)
        if len(tries) == 1:
            raise Overtaken
        return "done"

    with waiting(database, note(1), overtaken_once, note(2)) as found:
        assert found[1].result(10) == "done"
    assert notes(database) == [1, 2, 7]


def test_where_the_database_undoes_all_of_it_each_is_done_anew(database: Database) -> None:
    """As SQLite does when the disk is full: https://sqlite.org/lang_transaction.html section 3."""

    def broken(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise OperationalError("", None, Exception("database or disk is full"))

    with waiting(database, note(1), broken, note(2)) as found:
        told = found[1].exception(10)
        assert isinstance(told, Problem)
        assert told.issues[0].kind == "no-space"
        assert [found[0].result(10), found[2].result(10)] == [1, 1]
    assert notes(database) == [1, 2]


def test_nobody_is_answered_before_all_of_it_is_durable(database: Database) -> None:
    go_on, others = threading.Event(), []

    def slow(connection: Connection) -> None:
        others.append(notes(database))
        assert go_on.wait(10)

    with waiting(database, note(1), slow) as found:
        while not others:
            pass
        assert not found[0].done()
        go_on.set()
        assert found[0].result(10) == 1
    assert others == [[]], "and nobody sees it before"


def test_a_work_is_done_in_the_context_of_who_asked_for_it(database: Database) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")

    def asked(name: str) -> Any:
        def ask(_: Connection) -> str:
            who.set(name)
            return who.get()

        return ask

    with waiting(database, asked("ann"), lambda _: who.get(), asked("bob")) as found:
        assert [each.result(10) for each in found] == ["ann", "nobody", "bob"]
    assert who.get() == "nobody"


def test_what_the_database_refuses_is_told_and_others_go_on(database: Database) -> None:
    with waiting(
        database, lambda connection: connection.execute(text("INSERT INTO none VALUES (1)")), note(1)
    ) as found:
        told = found[0].exception(10)
        assert isinstance(told, Problem)
        assert told.issues[0].kind == "busy"
        assert found[1].result(10) == 1


def test_a_version_is_stamped_when_its_turn_has_come(database: Database) -> None:
    """Stamps grow in the order of commits: who asks what changed since the newest that it saw misses nothing."""
    migrate(database)
    writes = Transactions(database, lambda *_: (), lambda _: (), "https://hub.invalid/fhir")
    first = writes.commit([single("PUT", "Patient", id="1", resource=patient("1"))], ALL)[0].stored
    assert first is not None
    entries = [
        single("POST", "Patient", resource=patient("x", birthDate="1970")),
        single("PUT", "Patient", id="1", resource=patient("1", birthDate="1970")),
    ]
    with ThreadPoolExecutor(2) as pool:
        with database.write():
            found = [pool.submit(writes.commit, [entry], ALL) for entry in entries]
            while len(database._together._waiting) < 2:
                pass
            decided = micros(now())
        made = [each.result(10)[0].stored for each in found]
    for one in made:
        assert one is not None
        assert one.last_updated > decided
        with database.read() as connection:
            kept = read.current(connection, ALL, one.type, one.id)
        assert kept == one, "the client is told what is stored"
        assert json.stored(one.body or b"")["meta"]["lastUpdated"] == instant(one.last_updated)


def test_nobody_waits_while_a_writer_decides(database: Database) -> None:
    migrate(database)
    waits, goes_on = threading.Event(), threading.Event()

    def slowly(_: Any) -> tuple[()]:
        waits.set()
        assert goes_on.wait(10)
        return ()

    slow = Transactions(database, lambda *_: (), slowly, "https://hub.invalid/fhir")
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(slow.commit, [single("POST", "Patient", resource=patient("x"))], ALL)
        assert waits.wait(10)
        assert database.writing(note(1)) == 1
        goes_on.set()
        assert made.result(10)[0].status == 201


def test_one_that_was_overtaken_while_it_decided_is_decided_again(database: Database) -> None:
    migrate(database)
    plain = Transactions(database, lambda *_: (), lambda _: (), "https://hub.invalid/fhir")
    decided: Made = []

    def overtaken(_: Any) -> tuple[()]:
        decided.append(1)
        if len(decided) == 1:
            plain.commit([single("PUT", "Patient", id="1", resource=patient("1", birthDate="1971"))], ALL)
        return ()

    slow = Transactions(database, lambda *_: (), overtaken, "https://hub.invalid/fhir")
    result = slow.commit([single("PUT", "Patient", id="1", resource=patient("1", birthDate="1972"))], ALL)[0]
    assert (result.status, result.stored and result.stored.version) == (200, 2)
    assert len(decided) == 2
