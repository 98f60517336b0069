"""Connections that PostgreSQL ends: what was at rest is replaced, a read is read again, and a write is not repeated
when nobody knows whether it was stored.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from auth.development_token import new_key
from hub.access import Access
from hub.problems import Problem
from hub.store import read
from hub.store.engine import Database, driver
from hub.store.faults import Lost, Refused, problem_of
from tests.hub.asking import MRN, Api, app_of, entry, mrn, patient, refused, register
from tests.postgresql import Cluster

pytestmark = pytest.mark.postgresql
ALL = Access.system("tests")
WAIT = 20
BY = f"identifier={MRN}|1"
ENDED = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
_numbers = itertools.count(1)


class Server:
    """The server seen from beside the hub."""

    def __init__(self, cluster: Cluster, name: str):
        self.cluster, self.name = cluster, name
        self.address = cluster.url().replace("+psycopg", "")
        self._held = psycopg.connect(self.address, autocommit=True)

    def rows(self, statement: str, *values: object) -> list[Any]:
        return self._held.execute(statement, values or None).fetchall()

    def end(self, waiting: str = "") -> int:
        """End the hub's connections: those that wait for this, or all; how many."""
        condition = " AND wait_event = %s" if waiting else ""
        return len(self.rows(ENDED + condition, self.name, *filter(None, [waiting])))

    def until(self, count: int, waiting: str, name: str = "") -> None:
        """Until so many connections of the hub, or of this database, wait for this."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event = %s"
        deadline = time.monotonic() + WAIT
        while self.rows(statement, name or self.name, waiting)[0][0] < count:
            assert time.monotonic() < deadline, waiting
            time.sleep(0.01)

    @contextmanager
    def standby_missing(self) -> Iterator[None]:
        """Commits are durable here, and wait for a standby that does not answer."""
        self._configure("SET synchronous_standby_names = 'missing'")
        try:
            self._until_commits_wait()
            yield
        finally:
            self._configure("RESET synchronous_standby_names")

    def _configure(self, what: str) -> None:
        self.cluster.execute(f"ALTER SYSTEM {what}")
        self.cluster.execute("SELECT pg_reload_conf()")

    def _until_commits_wait(self) -> None:
        def commits() -> None:
            with suppress(psycopg.OperationalError), psycopg.connect(self.address, autocommit=True) as connection:
                while True:
                    connection.execute("SELECT pg_current_xact_id()")

        with meanwhile(commits):
            try:
                self.until(1, "SyncRep", "postgres")
            finally:
                self.rows(f"{ENDED} AND pid <> pg_backend_pid()", "postgres")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Whoever reads a resource waits."""
        with psycopg.connect(self.address.replace("/postgres", f"/{self.name}")) as connection:
            connection.execute("LOCK TABLE resource IN ACCESS EXCLUSIVE MODE")
            yield

    def close(self) -> None:
        self._held.close()


@pytest.fixture(scope="module")
def opened(postgresql: Cluster) -> Iterator[tuple[Server, Database]]:
    name = f"lost_{next(_numbers)}"
    database = Database(postgresql.create_database(name, "migrated"), pool_size=8)
    register(database, new_key("ES384"))
    server = Server(postgresql, name)
    yield server, database
    database.close()
    server.close()
    postgresql.drop_database(name)


@pytest.fixture
def server(opened: tuple[Server, Database]) -> Server:
    return opened[0]


@pytest.fixture
def database(opened: tuple[Server, Database]) -> Database:
    return opened[1]


@pytest.fixture
def api(database: Database) -> Api:
    with database.write() as connection:
        connection.execute(text("TRUNCATE resource, history, index_token, index_string, outbox, idempotency"))
    return Api(app_of(database), database)


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


WRITES: dict[str, Callable[[Api], Any]] = {
    "one statement": lambda api: api.post("/Patient", patient()),
    "with a key": lambda api: api.post("/Patient", patient(), Idempotency_Key="k"),
    "conditional": lambda api: api.post("/Patient", patient(identifier=mrn("1")), If_None_Exist=BY),
    "a transaction": lambda api: api.bundle("transaction", entry("POST", "Patient", patient())),
}


def test_a_commit_whose_answer_was_lost_is_not_known_and_not_repeated(api: Api, server: Server) -> None:
    writes = WRITES
    with ThreadPoolExecutor(len(writes)) as pool, server.standby_missing():
        futures = [pool.submit(write, api) for write in writes.values()]
        server.until(len(writes), "SyncRep")
        assert server.end("SyncRep") == len(writes)
        answers = [future.result(WAIT) for future in futures]
    for answer in answers:
        issue = refused(answer, 503, "transient")
        assert "not known whether this was stored" in issue["diagnostics"]
        assert "nothing was stored" not in issue["diagnostics"]
        assert answer.headers["Retry-After"] == "5"
    assert api.counts()["resource"] == len(writes), "each was stored, and once"
    assert WRITES["with a key"](api).status_code == 201
    assert WRITES["conditional"](api).status_code == 200
    assert api.counts()["resource"] == len(writes), "what may be repeated is stored once"


def test_a_write_that_was_lost_before_it_was_sent_is_stored_once(api: Api, server: Server) -> None:
    for method, path, sent in (("POST", "/Patient", patient()), ("PUT", "/Patient/p1", patient("p1"))):
        api.ask(method, path, sent)
        server.end()
        assert api.ask(method, path, sent).status_code in (200, 201)
    assert api.counts()["resource"] == 3


def test_no_connection_at_rest_costs_an_answer_after_a_restart(api: Api, server: Server) -> None:
    threads = 6
    api.have(patient("p1"))
    barrier = Barrier(threads)

    def ask(number: int) -> list[int]:
        statuses = []
        for _ in range(2):
            statuses.append(api.get("/Patient/p1").status_code)
            statuses.append(api.bundle("transaction", entry("POST", "Patient", patient())).status_code)
            if barrier.wait(WAIT) == 0:
                assert server.end() >= threads
            barrier.wait(WAIT)
        return statuses

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(ask, range(threads), timeout=60))
    assert found == [[200] * 4] * threads


@pytest.mark.parametrize("again", [True, False])
def test_a_read_that_was_lost_is_read_again_where_it_can_be(
    api: Api, server: Server, database: Database, again: bool
) -> None:
    api.have(patient("p1"))

    def ask() -> Any:
        if again:
            return database.reading(lambda connection: read.current(connection, ALL, "Patient", "p1"))
        with database.read() as connection:
            return read.current(connection, ALL, "Patient", "p1")

    with ThreadPoolExecutor(1) as pool:
        with server.locked():
            future = pool.submit(ask)
            server.until(1, "relation")
            server.end("relation")
            if again:
                server.until(1, "relation")
        if again:
            assert future.result(WAIT).id == "p1"
            return
        with pytest.raises(Problem, match="busy: The database is not available now"):
            future.result(WAIT)


def suicide(connection: Connection) -> None:
    driver(connection).execute("SELECT pg_terminate_backend(pg_backend_pid())")


def other_suicide(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize("end", [suicide, other_suicide])
@pytest.mark.parametrize("times", [1, 2])
def test_a_transaction_that_was_lost_before_its_commit_is_done_again_once(
    database: Database, end: Callable[[Connection], None], times: int
) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> str:
        tries.append(1)
        if len(tries) <= times:
            end(connection)
        return "done"

    if times == 1:
        assert database.writing(work) == "done"
    else:
        with pytest.raises(Problem, match=r"busy: .*nothing was stored"):
            database.writing(work)
    assert len(tries) == 2


def test_a_statement_after_the_end_says_lost_again(database: Database) -> None:
    with database.read() as connection:
        for _ in range(2):
            with pytest.raises(Lost) as caught:
                suicide(connection)
            assert not caught.value.unknown
    with database.read() as another:
        assert another.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_server_that_does_not_take_writes_is_busy_and_its_connections_are_left(api: Api, server: Server) -> None:
    server.end()
    server.cluster.execute(f"ALTER DATABASE {server.name} SET default_transaction_read_only = on")
    for write in WRITES.values():
        refused(write(api), 503, "transient")
    server.cluster.execute(f"ALTER DATABASE {server.name} RESET default_transaction_read_only")
    assert [write(api).status_code for write in WRITES.values()] == [201, 201, 201, 200]


@pytest.mark.parametrize("state", ["25006", "57P01", "57P02", "57P03", "53300", "08006"])
def test_what_passes_is_busy(state: str) -> None:
    assert problem_of(Refused(state)).kind == "busy"


@pytest.mark.parametrize("state", ["54000", "54001", "54023"])
def test_what_is_past_the_databases_own_limits_is_not_to_be_tried_again(state: str) -> None:
    assert problem_of(Refused(state)).kind == "too-costly"


def test_the_connection_that_was_used_last_is_used_next(database: Database) -> None:
    """Those that a crowd needed once rest: no plans and no memory for each."""
    both = Barrier(2)

    def backend(_: int, together: bool = True) -> int:
        with database.write() as connection:
            found = int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
            if together:
                both.wait(WAIT)
            return found

    with ThreadPoolExecutor(2) as crowd:
        assert len(set(crowd.map(backend, range(2)))) == 2
    assert len({backend(number, together=False) for number in range(4)}) == 1
