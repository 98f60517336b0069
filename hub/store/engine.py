"""The database behind the hub: reading connections that hold no transaction, and one way to write.

SQLite (https://sqlite.org/wal.html): WAL with `synchronous=FULL`, so a commit is on disk when it returns.
Below 3.51.3 a WAL can be corrupted when several connections write and checkpoint at the same instant. So a
process writes through one connection, and a lock file makes processes take turns, checkpoints included.

PostgreSQL: plans of SQLAlchemy's statements are made for the values at hand (nothing is prepared), because a
generic plan for a patient and a status reads the whole status. The few statements that `driver` is given are
written so that one plan is right for all values, and are prepared. `synchronous_commit` is switched on, whatever
the server's default says.

A connection that the server ended while it was at rest is replaced before it is used. One that ends during a commit
leaves open whether there was one: nothing is tried again then, and the answer says so.

Refuses: a database that cannot be written now raises Problem `busy` (503) or `no-space` (507); what reads longer
than `limit_reads` allows, `too-costly` (400).
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, StaticPool

from hub.problems import Problem
from hub.store.faults import FAULTS as FAULTS
from hub.store.faults import Overtaken as Overtaken
from hub.store.faults import (
    Unknown,
    all_in_use,
    is_lost,
    is_read_only,
    is_too_long,
    leave,
    problem_of,
    worth_another_try,
)
from hub.store.together import Together

NEVER = float("inf")
LOCK_WAIT_SECONDS = 10
POOL_WAIT_SECONDS = 5
WRITE_TRIES = 10
STATEMENTS = 120  # compiled ones kept by an engine: the hub has fewer shapes than that, and each costs memory
STEPS = 10_000  # of SQLite's machine, about half a millisecond, between two looks at the clock
Result = TypeVar("Result")
Decided = TypeVar("Decided")


class Database:
    """One database. `read()` and `write()` give SQLAlchemy connections; `writing()` runs a function safely."""

    def __init__(self, url: str, pool_size: int = 24):
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._local = threading.local()
        self._read_seconds: float | None = None
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
        self._together = Together(self._transaction, self._alone, FAULTS, WRITE_TRIES)
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
        for engine in (self._reads, self._writes):
            event.listen(engine, "checkout", _must_be_there)

    def limit_reads(self, seconds: float) -> None:
        """From now on nothing that a thread of this process reads takes longer: with PostgreSQL each statement of a
        connection for reading, with SQLite all that is done with one `read`. For a process that answers clients."""
        listen = self._limit_sqlite if self.is_sqlite else _limit_statements
        event.listen(self._reads, "connect", lambda connection, _: listen(connection, seconds))
        self._read_seconds = seconds
        self._reads.dispose()

    def _limit_sqlite(self, connection: Any, _seconds: float) -> None:
        connection.set_progress_handler(self._is_over, STEPS)

    def _is_over(self) -> bool:
        return time.monotonic() > getattr(self._local, "deadline", NEVER)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """The time of what this thread reads begins, unless it has begun."""
        if self._read_seconds is None or getattr(self._local, "deadline", NEVER) != NEVER:
            yield
            return
        self._local.deadline = time.monotonic() + self._read_seconds
        try:
            yield
        finally:
            self._local.deadline = NEVER

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection of this thread, in autocommit; not for writing."""
        held: Connection | None = getattr(self._local, "connection", None)
        if held is None or not self._is_usable(held):
            with _told_as_problem():
                held = self._local.connection = self._reads.connect()
        try:
            with _told_as_problem(), self._in_time():
                yield held
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, Problem) else error
            # a refusal such as 404 says nothing against the connection, nor does another writer
            if cause is not None and not isinstance(cause, Problem | Overtaken):
                self._local.connection = None
                leave(held, cause)
                held.close()
            raise

    def _is_usable(self, held: Connection) -> bool:
        if held.closed or held.invalidated:
            return False
        if self.is_sqlite or _is_there(held.connection.driver_connection):
            return True
        held.invalidate()
        held.close()
        return False

    def reading(self, work: Callable[[Connection], Result]) -> Result:
        """`work`, which only reads, with the connection of `read`; once again where that was lost meanwhile."""
        try:
            with self.read() as connection:
                return work(connection)
        except Problem as problem:
            if not is_lost(problem.__cause__):
                raise
        with self.read() as connection:
            return work(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed and durable when the block ends, undone when it raises."""
        with _told_as_problem(), self._transaction() as connection:
            yield connection

    def writing(self, work: Callable[[Connection], Result]) -> Result:
        """`work` in one transaction, run again where PostgreSQL broke a deadlock or another writer came first, and
        once where the connection was lost before the commit. Another thread may do it (hub.store.together)."""
        result: Result = self._together.do(work) if self.is_sqlite else self._alone(work)
        return result

    def _alone(self, work: Callable[[Connection], Result], tries: int = WRITE_TRIES) -> Result:
        for attempt in range(1, tries + 1):
            try:
                with self._transaction() as connection:
                    return work(connection)
            except PoolTimeout as error:
                raise all_in_use() from error
            except FAULTS as error:
                again = worth_another_try(error) or (is_lost(error) and attempt == 1)
                if not again or attempt == tries:
                    raise problem_of(error) from error
        raise AssertionError("unreachable")

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        committing = False
        try:
            with self._my_turn(), self._writes.begin() as connection:
                try:
                    yield connection
                except FAULTS as error:
                    leave(connection, error)
                    raise
                committing = True
        except FAULTS as error:
            if committing and is_lost(error):
                raise Unknown from error
            raise

    def at_once(
        self, decide: Callable[[Connection], Decided], store: Callable[[Connection, Decided], Result]
    ) -> Result:
        """`decide` reads without a lock, `store` writes with one statement, if at all, and only where nobody came
        first. With PostgreSQL each statement is its own transaction here, which saves two round trips; with SQLite
        nobody waits while this one decides. Raises Overtaken where `writing` must do it."""
        storing = False
        try:
            if self.is_sqlite:
                decided = self.reading(decide)
                result: Result = self._together.do(lambda connection: store(connection, decided), tries=1)
                return result
            with self.read() as connection:
                decided = decide(connection)
                storing = True
                return store(connection, decided)
        except Problem as problem:
            cause = problem.__cause__
            waited = storing and is_too_long(cause)  # for a lock: what is written takes no time itself
            if isinstance(cause, FAULTS) and (waited or _is_not_the_work(cause)):
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

    def forget_overwritten(self) -> bool:
        """With SQLite: what was overwritten stands in no file any more, the log before it is empty. False where
        somebody reads it yet: then later. PostgreSQL forgets when it vacuums."""
        if not self.is_sqlite:
            return True
        with self._my_turn(), self._reads.connect() as connection:
            return not connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()

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
        "wal_autocheckpoint=64000",
        "journal_size_limit=268435456",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _limit_statements(connection: Any, seconds: float) -> None:
    connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")


def _is_not_the_work(error: BaseException) -> bool:
    """What may go well under a lock, or on another connection."""
    return worth_another_try(error) or is_lost(error) or is_read_only(error)


def _must_be_there(connection: Any, _record: object, _proxy: object) -> None:
    if not _is_there(connection):
        raise InvalidatePoolError  # the others ended with it; SQLAlchemy makes a new one


def _is_there(connection: Any) -> bool:
    from hub.store.prepared import at_rest  # psycopg: not for the memory of a hub on SQLite

    return at_rest(connection)


def driver(connection: Connection) -> Any:
    """The driver itself, in the connection's transaction, for the few statements that every request
    runs: SQLAlchemy's way costs as much as the statement. Its errors are its own (see FAULTS)."""
    held: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return held.cursor()
    from hub.store.prepared import Prepared

    return Prepared(held)


def mark(connection: Connection) -> str:
    """How the driver writes a parameter."""
    return "%s" if connection.dialect.name == "postgresql" else "?"


@contextmanager
def _told_as_problem() -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise problem_of(error) from error
    except PoolTimeout as error:
        raise all_in_use() from error
