"""A PostgreSQL server of one's own, from the binaries of this machine, for as long as a `with` block.

PostgreSQL does not run as root, so as root the server runs as the account `postgres` (or `nobody`). It listens on
127.0.0.1 and on a socket in its own folder. `fsync` stays on: what is measured and killed here must be durable.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import psycopg

SUPERUSER = "hub"
START_SECONDS = 60


def available() -> str | None:
    """Why there is no PostgreSQL to be had here; None where there is."""
    if _binary("initdb") is None or _binary("postgres") is None:
        return "no PostgreSQL server binaries (initdb, postgres) in PATH or /usr/lib/postgresql/*/bin"
    if os.geteuid() == 0 and _account() is None:
        return "running as root, and there is no account `postgres` or `nobody` to run PostgreSQL as"
    return None


def _binary(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[4])
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def _account() -> str | None:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


class Cluster:
    """`with Cluster() as cluster: cluster.create_database("a"); Database(cluster.url("a"))`.

    `stop(immediately=True)` is a crash: no checkpoint, recovery at the next `start()`, on the same port.
    """

    def __init__(self, folder: Path | None = None, options: tuple[str, ...] = ()):
        self._parent = folder
        self._options = options
        self.port = 0

    def __enter__(self) -> "Cluster":
        if reason := available():
            raise RuntimeError(reason)
        self.folder = Path(tempfile.mkdtemp(prefix="hub-postgresql-", dir=self._parent))
        self.data = self.folder / "data"
        try:
            self._initialize()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(immediately=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialize(self) -> None:
        if account := self._as_account():
            shutil.chown(self.folder, account)
        initdb = (
            "-D",
            self.data,
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        )
        self._run(_binary("initdb"), *initdb)

    def start(self) -> None:
        self.port = self.port or _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "on",
            "max_connections": 200,
        }
        options = [f"-c {name}={value}" for name, value in settings.items()]
        self._control("start", "-l", self.folder / "log", "-o", " ".join([*options, *self._options]))

    def stop(self, immediately: bool = False) -> None:
        if (self.data / "postmaster.pid").exists():
            self._control("stop", "-m", "immediate" if immediately else "fast")

    def url(self, name: str = "postgres") -> str:
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Make a database, as a copy of `template`; its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        address = f"host=127.0.0.1 port={self.port} user={SUPERUSER} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    def _control(self, *arguments: object) -> None:
        self._run(_binary("pg_ctl"), "-D", self.data, "-w", "-t", START_SECONDS, *arguments)

    def _run(self, *command: object) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            user=self._as_account(),
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # not a pipe: the server inherits it and would hold it open
            stderr=(self.folder / "errors").open("w"),
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {(self.folder / 'errors').read_text()[-2000:]}")

    @staticmethod
    def _as_account() -> str | None:
        return _account() if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
