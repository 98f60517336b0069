"""The database behind the hub: reading connections that hold no transaction, and one way to write.

SQLite (https://sqlite.org/wal.html): WAL with `synchronous=FULL`, so a commit is on disk when it returns.
Below 3.51.3 a WAL can be corrupted when several connections write and checkpoint at the same instant. So a
process writes through one connection, and a lock file makes processes take turns, checkpoints included.

PostgreSQL: statements are prepared, and planned once a connection (a plan of a search takes milliseconds), for any
values: what drives a search is chosen before it is asked (hub.store.matching). SQLAlchemy's go through the driver's
raw cursor, with the server's own `$1`, so that no text is searched for marks. The few statements that `driver` is
given go to libpq as they are. `synchronous_commit` is switched on, whatever the server's default says.

A connection that the server ended while it was at rest is replaced before it is used. One that ends during a commit
leaves open whether there was one: nothing is tried again then, and the answer says so.

Refuses: a database that cannot be written now raises Problem `busy` (503) or `no-space` (507), and `busy` from then
on where the disk below SQLite failed; what reads longer than `limit_reads` allows, `too-costly` (400).
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.problems import Problem
from hub.store import connecting
from hub.store.calls import Calls, Hearing
from hub.store.faults import FAULTS as FAULTS
from hub.store.faults import (
    DiskFailed,
    Unknown,
    all_in_use,
    is_broken,
    is_lost,
    is_read_only,
    is_too_long,
    leave,
    problem_of,
    worth_another_try,
)
from hub.store.faults import Overtaken as Overtaken
from hub.store.reads import Reads
from hub.store.together import Together

log = logging.getLogger("hub.store")
NEVER = float("inf")
WRITE_TRIES = 10
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
        self.disk_failed = False  # with SQLite: a write or a sync was not done, and this process writes no more
        self._calls = None if self.is_sqlite else Calls(self.url)
        if self.is_sqlite:
            self._open_sqlite()
        else:
            self._reads, self._writes = connecting.postgresql(self.url, pool_size)
        self._held = Reads(self._reads, self.is_sqlite)
        # from the beginning: a listener that is added while another thread connects breaks that one
        event.listen(self._reads, "connect", self._limited)

    def _open_sqlite(self) -> None:
        self._reads, self._writes = connecting.sqlite(self.url)
        self._turn = threading.Lock()
        self._together = Together(self._transaction, self._alone, FAULTS, WRITE_TRIES)
        path = Path(str(self.url.database))
        locks = (path.with_name(f"{path.name}.{name}") for name in ("lock", "gate"))
        self._lock_file, self._gate_file = (os.open(lock, os.O_RDWR | os.O_CREAT, 0o600) for lock in locks)

    def limit_reads(self, seconds: float) -> None:
        """From now on nothing that a thread of this process reads takes longer: with PostgreSQL each statement of a
        connection for reading, with SQLite all that is done with one `read`. For a process that answers clients."""
        self._read_seconds = seconds
        self._held.anew()

    def _limited(self, connection: Any, _record: object) -> None:
        if self._read_seconds is None:
            return
        if self.is_sqlite:
            connection.set_progress_handler(self._is_over, STEPS)
        else:
            connecting.limit_statements(connection, self._read_seconds)

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
        """A connection in autocommit, the same within another `read` of this thread; not for writing."""
        with _told_as_problem(), self._held.one() as connection, self._in_time():
            yield connection

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
        if self.disk_failed:
            raise DiskFailed
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
            if is_broken(error):
                self._give_up(error)
            raise

    def _give_up(self, error: BaseException) -> None:
        self.disk_failed = True  # nothing is written by this process any more
        log.critical("The disk failed under %s: nothing more is written", Path(str(self.url.database)).name)
        raise DiskFailed from error

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
            connection.exec_driver_sql("PRAGMA busy_timeout = 100")  # milliseconds: everybody waits for this turn
            return not connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()

    def call(self, kind: str) -> None:
        """Tell other processes that there is work of this kind, committed (hub.store.calls). With SQLite they look
        round."""
        if self._calls:
            self._calls.call(kind)

    def hearing(self, on_call: Callable[[str | None], object]) -> Hearing | None:
        """What hears the calls of other processes, to be started; None with SQLite."""
        return None if self.is_sqlite else Hearing(self.url, on_call)

    def close(self) -> None:
        """Close every connection this process holds (under the lock: SQLite's last close is a checkpoint)."""
        if self._calls:
            self._calls.close()
        with self._my_turn():
            self._held.anew()
            self._writes.dispose()


def _is_not_the_work(error: BaseException) -> bool:
    """What may go well under a lock, or on another connection."""
    return worth_another_try(error) or is_lost(error) or is_read_only(error)


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
