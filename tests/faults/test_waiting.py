"""R30: connections that are all in use, locks that are held, readers that stay. Who waits is told so within seconds
(503), nobody hangs, and afterwards all goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from auth.development_token import new_key
from hub.store.engine import Database
from tests.faults.marks import POSTGRESQL, SQLITE
from tests.hub.asking import Api, app_of, patient, refused, register

SECONDS = 10  # 5 are wished, on a machine that is not busy


def api_of(database: Database) -> Api:
    register(database, new_key("ES384"))
    return Api(app_of(database), database)


@contextmanager
def held(database: Database, *statements: str) -> Iterator[None]:
    """Somebody else's transaction that goes on, having done these."""
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))
        yield


def timed(ask: Callable[[], TestResponse]) -> TestResponse:
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < SECONDS
    return answer


@pytest.mark.long
@POSTGRESQL
def test_where_all_connections_are_in_use_it_is_said_soon(database_url: str) -> None:
    small = Database(database_url, pool_size=1)  # and one more where it is needed
    api = api_of(small)
    pair = [patient(name, active=True) for name in "ab"]
    over = threading.Event()

    def hold() -> None:
        with held(small, "SELECT 1"):
            over.wait(60)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    refused(timed(lambda: api.bundle("transaction", *map(_put, pair))), 503, "transient")
    over.set()
    for thread in threads:
        thread.join(30)
    assert api.bundle("transaction", *map(_put, pair)).status_code == 200
    small.close()


def _put(resource: dict[str, object]) -> dict[str, object]:
    return {"resource": resource, "request": {"method": "PUT", "url": f"Patient/{resource['id']}"}}


@POSTGRESQL
def test_who_waits_for_a_lock_is_told_soon_and_nothing_is_stored(database: Database, database_url: str) -> None:
    api, other = api_of(database), Database(database_url)
    api.have(patient("a", active=True))
    with held(other, "SELECT 1 FROM resource WHERE id = 'a' FOR UPDATE"):
        answer = timed(lambda: api.put("/Patient/a", patient("a", active=False)))
        refused(answer, 503, "transient")
        assert int(answer.headers["Retry-After"]) > 0
        assert api.get("/Patient/a").json["active"] is True, "reads go on"
    assert api.put("/Patient/a", patient("a", active=False)).json["meta"]["versionId"] == "2"
    other.close()


@SQLITE
def test_a_reader_that_stays_lets_the_log_grow_and_nothing_fails(database: Database, database_url: str) -> None:
    """A reader of the hub is stopped after HUB_SEARCH_SECONDS (tests/hub/store/test_time_limit.py): a log grows no
    further than what is written in that time, and is emptied after it."""
    api, reader = api_of(database), Database(database_url)
    log = Path(f"{database.url.database}-wal")
    api.have(patient("a"))
    assert database.forget_overwritten()
    with reader._reads.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        before = connection.exec_driver_sql("SELECT count(*) FROM resource").scalar_one()
        for number in range(30):
            api.have(patient(f"n{number}", name=[{"text": "x" * 10_000}]))
        assert not database.forget_overwritten(), "somebody reads it"
        assert log.stat().st_size > 300_000
        assert connection.exec_driver_sql("SELECT count(*) FROM resource").scalar_one() == before
        connection.exec_driver_sql("ROLLBACK")
    assert database.forget_overwritten()
    assert log.stat().st_size == 0
    assert len(api.found("/Patient?_count=50")) == 31
    reader.close()


@pytest.mark.long
@POSTGRESQL
def test_64_clients_at_one_locked_row_are_all_told_and_all_go_on(database_url: str) -> None:
    database, other = Database(database_url, pool_size=4), Database(database_url)
    api = api_of(database)
    api.have(patient("a"))
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.append(api.put("/Patient/a", patient("a", birthDate=f"19{number + 10}")).status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(64)]
    with held(other, "SELECT 1 FROM resource WHERE id = 'a' FOR UPDATE"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert answers == [503] * 64
    assert api.put("/Patient/a", patient("a", active=True)).status_code == 200
    other.close()
    database.close()
