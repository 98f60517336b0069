"""How the two databases are connected to: an engine for reading, in autocommit, and one for writing.

SQLite: WAL with `synchronous=FULL` (https://sqlite.org/pragma.html); a transaction that writes begins as one
(BEGIN IMMEDIATE). PostgreSQL: plans for all values, `synchronous_commit` on; a connection that the server ended
while it was at rest is replaced before it is used. Why: hub.store.engine.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import NullPool, StaticPool

LOCK_WAIT_SECONDS = 10
POOL_WAIT_SECONDS = 4
# A page found by an index costs hardly more than the next one: what is asked is in memory or on an SSD. The default
# (4, for disks that turn) makes PostgreSQL plan a walk over a small table, and keep to it while the table grows.
OPTIONS = (
    "-c plan_cache_mode=force_generic_plan -c random_page_cost=1.1"
    " -c synchronous_commit=on -c TimeZone=UTC -c jit=off"
    # who waits longer for a lock is told to come again; a process that stopped, or a node that is cut off, does not
    # keep its locks: its session ends
    " -c lock_timeout=4s -c idle_in_transaction_session_timeout=20s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS: a server that is cut off is given
# up after some seconds; without this a thread waits for it as long as the system tries, a quarter of an hour
CUT_OFF = {
    "connect_timeout": 4,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,  # milliseconds
}
STATEMENTS = 300  # compiled ones kept by an engine: searches by their shape, and by the shape of who asks


def sqlite(url: URL) -> tuple[Engine, Engine]:
    """For reading, as many connections as read at once; for writing, one for the process."""
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "query_cache_size": STATEMENTS,
        "connect_args": {"check_same_thread": False, "timeout": LOCK_WAIT_SECONDS},
    }
    reads = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **options)
    writes = create_engine(url, poolclass=StaticPool, **options)
    for engine in (reads, writes):
        event.listen(engine, "connect", _prepare_sqlite)
    event.listen(writes, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return reads, writes


def postgresql(url: URL, pool_size: int) -> tuple[Engine, Engine]:
    """For reading and for writing, each with a pool."""
    from psycopg import RawCursor  # not for the memory of a hub on SQLite

    # a thread that reads has a connection: the pool must be larger than the threads of the process
    options: dict[str, Any] = {
        "paramstyle": "numeric_dollar",
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": POOL_WAIT_SECONDS,
        # the one that was used last: it has its plans, and those that a crowd needed once stay small
        "pool_use_lifo": True,
        "query_cache_size": STATEMENTS,
        "connect_args": {
            **CUT_OFF,
            "cursor_factory": RawCursor,
            "options": OPTIONS,
            "prepare_threshold": 2,  # what is asked once or twice costs no plan's memory
        },
    }
    reads, writes = create_engine(url, isolation_level="AUTOCOMMIT", **options), create_engine(url, **options)
    for engine in (reads, writes):
        event.listen(engine, "checkout", _must_be_there)
        event.listen(engine, "rollback", _on_rollback)
        event.listen(engine, "rollback_savepoint", _on_rollback)
        event.listen(engine, "reset", _on_return)
    return reads, writes


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


def limit_statements(connection: Any, seconds: float) -> None:
    """Of a connection to PostgreSQL, from now on."""
    connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")


def _must_be_there(connection: Any, _record: object, _proxy: object) -> None:
    if not is_there(connection):
        raise InvalidatePoolError  # the others ended with it; SQLAlchemy makes a new one


def is_there(connection: Any) -> bool:
    """Whether the driver's connection to PostgreSQL still stands."""
    from hub.store.prepared import at_rest  # psycopg: not for the memory of a hub on SQLite

    return at_rest(connection)


def _on_rollback(connection: Any, *_savepoint: object) -> None:
    from hub.store.prepared import doubt

    if not connection.invalidated:  # the next one is another
        doubt(connection.connection.driver_connection)


def _on_return(connection: Any, _record: object, _state: object) -> None:
    from hub.store.prepared import doubt, is_idle

    if not is_idle(connection):  # what is left is rolled back
        doubt(connection)
