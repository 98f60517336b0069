"""The database into a file, and back: SQLite by its online backup, PostgreSQL by its own client programs.

Rules: https://sqlite.org/backup.html (one step: one state of the database, and writers do not wait in WAL mode),
https://www.postgresql.org/docs/15/app-pgdump.html and app-pgrestore.html. The password goes along in the
environment, never on the command line.
Refuses (CannotStart): client programs that are not there or fail (the first line of what they say is told, for the
others may quote rows), a copy that is not sound, a place that is not empty.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.pool import NullPool

from hub.problems import CannotStart
from hub.spool import path_of
from hub.store.engine import Database

SQLITE, POSTGRESQL = "hub.db", "hub.dump"
BESIDE = ("", "-wal", "-shm", "-journal", ".arrivals")
PASSWORD = re.compile(r"password=\S+")


def dump(database: Database, folder: Path) -> str:
    """The database as it is now, as a file of the folder; its name."""
    if not database.is_sqlite:
        _run("pg_dump", database.url, "--format=custom", "--file", str(folder / POSTGRESQL))
        return POSTGRESQL
    with database.read() as connection, _file(folder / SQLITE) as copy:
        held: Any = connection.connection.driver_connection
        held.backup(copy.connection.driver_connection)  # all pages in one step
        copy.exec_driver_sql("PRAGMA journal_mode=DELETE")
    return SQLITE


@contextmanager
def _file(path: Path) -> Iterator[Connection]:
    """A SQLite database that nobody else has open."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection


def load(url: URL, dumped: Path, jobs: int = 1) -> None:
    """The file back into a database that is empty (`must_be_empty`). With several `jobs` PostgreSQL is faster, and
    keeps a half where one of them fails."""
    if url.get_backend_name() != "sqlite":
        whole = ["--single-transaction"] if jobs == 1 else [f"--jobs={jobs}"]
        options = ["--exit-on-error", "--no-owner", "--no-privileges", *whole]
        _run("pg_restore", url, *options, str(dumped))
        return
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.restoring")
    shutil.copyfile(dumped, draft)
    draft.chmod(0o600)
    with _file(draft) as copy:
        # not quick_check: SQLite 3.40 finds NULLs with it that are not there, in tables without rowid
        found = copy.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if found != "ok":
        draft.unlink()
        raise CannotStart("The database of the backup is not sound: SQLite's integrity_check fails.")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def must_be_empty(database: Database) -> None:
    """Raises CannotStart where there is anything in it."""
    if database.is_sqlite:
        there = [path for end in BESIDE if (path := Path(f"{database.url.database}{end}")).exists()]
        if there:
            raise CannotStart(f"A backup is restored into an empty place only, and there is {there[0]}.")
        return
    asked = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    with database.read() as connection:
        if connection.execute(text(asked)).scalar_one():
            raise CannotStart("A backup is restored into an empty database only, and this one has tables.")


def schema(database: Database) -> str:
    with database.read() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def arrivals(database: Database) -> Path:
    """With SQLite: the file of what has not joined the inbox yet (hub.spool)."""
    return path_of(database)


def _run(program: str, url: URL, *options: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, with arguments of our own
            [_found(program), "--no-password", f"--dbname={_address(url)}", *options],
            env={**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise CannotStart(f"{program} cannot be run: {error.strerror}") from None
    if done.returncode:
        first = next(iter(done.stderr.splitlines()), "it says nothing")[:300]
        raise CannotStart(f"{program} failed: {PASSWORD.sub('password=(set)', first)}")


def _address(url: URL) -> str:
    """The database as libpq wants it, without the password."""
    from psycopg.conninfo import make_conninfo  # not for the memory of a hub on SQLite

    named: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    return make_conninfo(**{name: value for name, value in {**named, **url.query}.items() if value})


def _found(program: str) -> str:
    """In PATH, or the newest that Debian has installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    if installed:
        return str(installed[-1])
    named = shutil.which(program)
    if named is None:
        raise CannotStart(f"{program} is not installed here: it comes with PostgreSQL's client programs.")
    return named
