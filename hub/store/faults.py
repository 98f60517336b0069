"""What went wrong with the database: whether to try again, and what a caller is told.

https://www.postgresql.org/docs/current/errcodes-appendix.html
Three cases are kept apart: nothing was stored, surely; another writer came first, so that it is done again; and the
connection was lost while something was being committed, so that nobody knows: that is never tried again here.
"""

import sqlite3
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from hub.problems import Problem

# serialization failure, deadlock, a row that is not as it was (hub.store.batch)
RETRIED = ("40001", "40P01", "22012")
FULL = "53100"
TAKEN = "23"  # the class of violated constraints
# classes: connection, resources, not in the right state, operator, system
PASSING = ("08", "53", "55", "57", "58")
TOO_MUCH = "54"  # the class of PostgreSQL's own limits: waiting helps nobody
TOO_LONG = "57014"  # the statement's time is over (hub.store.engine, limit_reads)
LOCKED = ("55P03", "40P01")  # a lock was not to be had in time (lock_timeout), or never would have been
READ_ONLY = "25006"  # the server is not the primary any more
UNKNOWN = (
    "The connection to the database was lost: it is not known whether this was stored. Ask before repeating it;"
    " what had an Idempotency-Key or If-None-Exist may be repeated as it was"
)
DISK = (
    "The hub's disk failed: it is not known whether this was stored, and nothing more is written before the hub is"
    " started again. Ask before repeating it"
)
# https://www.sqlite.org/rescode.html: write, fsync, fsync of the folder; a damaged file. A full disk is another
BROKEN = (778, 1034, 1290, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Overtaken(Exception):
    """What was read is not what is there any more: read it again, and under a lock."""


class Refused(Exception):
    """What PostgreSQL answered a statement of hub.store.prepared with. (psycopg is not imported for SQLite.)"""

    def __init__(self, sqlstate: str):
        super().__init__(f"SQLSTATE {sqlstate}")
        self.sqlstate = sqlstate


class Lost(Exception):
    """The connection ended while a statement ran. `unknown`: the statement may have been committed before."""

    def __init__(self, unknown: bool):
        super().__init__("the connection was lost")
        self.unknown = unknown


class Unknown(Exception):
    """The connection was lost during a commit: nobody knows whether there was one."""


class DiskFailed(Exception):
    """SQLite could not write or sync: what was being written may be there when the file is opened anew."""


FAULTS = (DBAPIError, Overtaken, Unknown, Refused, Lost, DiskFailed, sqlite3.Error)


def _cause(error: BaseException | None) -> Any:
    return error.orig if isinstance(error, DBAPIError) and error.orig else error


def _state(error: BaseException | None) -> str:
    return getattr(_cause(error), "sqlstate", None) or ""


def worth_another_try(error: BaseException) -> bool:
    """Another writer took a key first (also a row number, hub.store.rids), or PostgreSQL chose us to give way."""
    taken = isinstance(error, Overtaken | IntegrityError | sqlite3.IntegrityError)
    return taken or _state(error).startswith(TAKEN) or _state(error) in RETRIED


def is_locked(error: BaseException | None) -> bool:
    """Somebody else holds what was wanted, and nothing was done."""
    return _state(error) in LOCKED


def is_lost(error: BaseException | None) -> bool:
    """The connection ended. Of an error of a commit that says nothing of its outcome; of any other, it says that
    nothing was committed."""
    cause = _cause(error)
    if isinstance(cause, Lost):
        return not cause.unknown
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_broken(error: BaseException | None) -> bool:
    """The disk below SQLite failed. Linux tells a failed sync once: the next one would say that all is well, of
    pages that never reached the disk. So it is not tried again. https://wiki.postgresql.org/wiki/Fsync_Errors"""
    return getattr(_cause(error), "sqlite_errorcode", 0) in BROKEN


def is_read_only(error: BaseException | None) -> bool:
    return _state(error) == READ_ONLY


def is_too_long(error: BaseException | None) -> bool:
    """It was stopped, for the time it took."""
    cause = _cause(error)
    return _state(error) == TOO_LONG or (
        isinstance(cause, sqlite3.OperationalError) and str(cause) == "interrupted"
    )


def leave(connection: Connection, error: BaseException | None) -> None:
    """Let nobody use this connection again, if it is of no use any more."""
    if isinstance(_cause(error), Lost) or is_read_only(error):
        connection.invalidate()  # SQLAlchemy does so itself with what it ran


def _passes(error: BaseException) -> bool:
    if isinstance(error, OperationalError | sqlite3.OperationalError | Lost):
        return True
    return _state(error).startswith(PASSING) or _state(error) in RETRIED


def problem_of(error: BaseException) -> Problem:
    """What a caller is told when the database cannot do it now; no statement, no values."""
    cause, state = _cause(error), _state(error)
    if isinstance(cause, Unknown) or (isinstance(cause, Lost) and cause.unknown):
        return Problem("busy", UNKNOWN, headers={"Retry-After": "5"})
    if isinstance(cause, DiskFailed):
        return Problem("busy", DISK, headers={"Retry-After": "60"})
    if isinstance(cause, Overtaken):
        return Problem("busy", "Others keep changing what this is about", headers={"Retry-After": "1"})
    if is_too_long(error):
        return Problem("too-costly", "This takes longer than the hub allows: narrow the search; nothing was stored")
    if state.startswith(TOO_MUCH):
        return Problem("too-costly", "This is more than the database does at once; nothing was stored")
    if "disk is full" in str(cause) or state == FULL:
        return Problem("no-space", "The hub's disk is full; nothing was stored")
    if _passes(error) or is_read_only(error):
        return Problem(
            "busy", "The database is not available now; nothing was stored", headers={"Retry-After": "5"}
        )
    return Problem("exception", "The database refused the work; nothing was stored")


def all_in_use() -> Problem:
    return Problem("busy", "All database connections are in use; nothing was stored", headers={"Retry-After": "5"})
