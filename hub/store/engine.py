"""The database behind the hub: reading connections that hold no transaction, and one way to write.

SQLite (https://sqlite.org/wal.html): WAL with `synchronous=FULL`, so a commit is on disk when it returns.
Below 3.51.3 a WAL can be corrupted when several connections write and checkpoint at the same instant. So a
process writes through one connection, and a lock file makes processes take turns, checkpoints included.

PostgreSQL: plans of SQLAlchemy's statements are made for the values at hand (nothing is prepared), because a
generic plan for a patient and a status reads the whole status. The few statements that `driver` is given are
written so that one plan is right for all values, and are prepared. `synchronous_commit` is switched on, whatever
the server's default says.

Refuses: a database that cannot be written now raises Problem `busy` (503) or `no-space` (507).
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, StaticPool

from hub.problems import Problem
from hub.store.prepared import Prepared

LOCK_WAIT_SECONDS = 10
POOL_WAIT_SECONDS = 5
WRITE_TRIES = 10
STATEMENTS = 120  # compiled ones kept by an engine: the hub has fewer shapes than that, and each costs memory
RETRIED = (
    "40001",
    "40P01",
    "22012",
)  # serialization failure, deadlock, a row that is not as it was (hub.store.batch)
Result = TypeVar("Result")


class Database:
    """One database. `read()` and `write()` give SQLAlchemy connections; `writing()` runs a function safely."""

    def __init__(self, url: str, pool_size: int = 24):
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._local = threading.local()
        if self.is_sqlite:
            self._open_sqlite()
        else:
            self._open_postgresql(pool_size)

    def _open_sqlite(self) -> None:
        path = Path(str(self.url.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "query_cache_size": STATEMENTS,
            "connect_args": {"check_same_thread": False, "timeout": LOCK_WAIT_SECONDS},
        }
        self._reads: Engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **options)
        self._writes: Engine = create_engine(self.url, poolclass=StaticPool, **options)
        for engine in (self._reads, self._writes):
            event.listen(engine, "connect", _prepare_sqlite)
        event.listen(self._writes, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        self._turn = threading.Lock()
        locks = (path.with_name(f"{path.name}.{name}") for name in ("lock", "gate"))
        self._lock_file, self._gate_file = (os.open(lock, os.O_RDWR | os.O_CREAT, 0o600) for lock in locks)

    def _open_postgresql(self, pool_size: int) -> None:
        # every thread that reads holds a connection: the pool must be larger than the threads of the process
        connect = {
            "options": "-c plan_cache_mode=force_generic_plan -c synchronous_commit=on -c TimeZone=UTC -c jit=off",
            "prepare_threshold": None,
        }
        self._reads = create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_WAIT_SECONDS,
            query_cache_size=STATEMENTS,
            connect_args=connect,
        )
        self._writes = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_WAIT_SECONDS,
            query_cache_size=STATEMENTS,
            connect_args=connect,
        )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection of this thread, in autocommit; not for writing."""
        held: Connection | None = getattr(self._local, "connection", None)
        if held is None or held.closed or held.invalidated:
            with _told_as_problem():
                held = self._local.connection = self._reads.connect()
        try:
            with _told_as_problem():
                yield held
        except BaseException as error:
            # a refusal such as 404 says nothing against the connection
            if not isinstance(error, Problem) or isinstance(error.__cause__, FAULTS):
                self._local.connection = None
                held.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection on which several reads see one moment of the database."""
        if self.is_sqlite:
            with self.read() as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    yield connection
                finally:
                    connection.exec_driver_sql("COMMIT")
            return
        with _told_as_problem(), self._writes.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed and durable when the block ends, undone when it raises."""
        with _told_as_problem(), self._my_turn(), self._writes.begin() as connection:
            yield connection

    def writing(self, work: Callable[[Connection], Result]) -> Result:
        """`work` in one transaction, run again where PostgreSQL broke a deadlock or another writer came first."""
        for attempt in range(1, WRITE_TRIES + 1):
            try:
                with self._my_turn(), self._writes.begin() as connection:
                    return work(connection)
            except PoolTimeout as error:
                raise all_in_use() from error
            except FAULTS as error:
                if not _worth_another_try(error) or attempt == WRITE_TRIES:
                    raise problem_of(error) from error
        raise AssertionError("unreachable")

    def at_once(self, work: Callable[[Connection], Result]) -> Result:
        """As `writing`, once, for work that writes with one statement, if at all: with PostgreSQL each statement is
        its own transaction here, which saves two round trips. Raises Overtaken where `writing` must do it."""
        if self.is_sqlite:
            raise Overtaken  # its one writer holds the lock already when it reads
        try:
            with self.read() as connection:
                return work(connection)
        except Problem as problem:
            if isinstance(problem.__cause__, FAULTS) and _worth_another_try(problem.__cause__):
                raise Overtaken from problem
            raise

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        with self._turn:
            # whoever waits next stands in the gate, so a process that just had its turn queues behind it
            fcntl.flock(self._gate_file, fcntl.LOCK_EX)
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            fcntl.flock(self._gate_file, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close every connection this process holds (under the lock: SQLite's last close is a checkpoint)."""
        held = getattr(self._local, "connection", None)
        if held is not None:
            held.close()
        with self._my_turn():
            self._reads.dispose()
            self._writes.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # the driver's own BEGINs are switched off: transactions are begun by the "begin" event above
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-2000",  # KB, of each connection: the system caches the file anyway
        "temp_store=MEMORY",
        # pages: a write touches many that the next ones touch again, so they are written back seldom
        "wal_autocheckpoint=16000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


class Overtaken(Exception):
    """What was read is not what is there any more: read it again, and under a lock."""


FAULTS = (DBAPIError, Overtaken, psycopg.Error, sqlite3.Error)


def driver(connection: Connection) -> Any:
    """The driver itself, in the connection's transaction, for the few statements that every request
    runs: SQLAlchemy's way costs as much as the statement. Its errors are the driver's own (see FAULTS)."""
    held = connection.connection.driver_connection
    assert held is not None
    return Prepared(held) if connection.dialect.name == "postgresql" else held.cursor()


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig else error


def _worth_another_try(error: BaseException) -> bool:
    """Another writer took a key first (also a row number, hub.store.rids), or PostgreSQL chose us to give way."""
    cause = _cause(error)
    first = isinstance(cause, Overtaken | psycopg.IntegrityError | sqlite3.IntegrityError)
    return first or getattr(cause, "sqlstate", None) in RETRIED


def problem_of(error: BaseException) -> Problem:
    """What a caller is told when the database cannot do it now; no statement, no values."""
    cause = _cause(error)
    if isinstance(cause, Overtaken):
        return Problem("busy", "Others keep changing what this is about", headers={"Retry-After": "1"})
    text = str(cause)
    if "disk is full" in text or getattr(cause, "sqlstate", "") == "53100":
        return Problem("no-space", "The hub's disk is full; nothing was stored")
    if isinstance(cause, psycopg.OperationalError | sqlite3.OperationalError):
        return Problem(
            "busy", "The database is not available now; nothing was stored", headers={"Retry-After": "5"}
        )
    return Problem("exception", "The database refused the work; nothing was stored")


def all_in_use() -> Problem:
    return Problem("busy", "All database connections are in use; nothing was stored", headers={"Retry-After": "5"})


@contextmanager
def _told_as_problem() -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise problem_of(error) from error
    except PoolTimeout as error:
        raise all_in_use() from error
