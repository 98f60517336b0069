"""R28: with a base backup and a log that is received synchronously, the loss of PostgreSQL's machine loses nothing
(docs/backup.md "PostgreSQL: base backup and WAL archive").

Messages are taken in while the server is killed and its data directory with it. What was acknowledged until then is
in what is recovered from the base and the received log, though the base is older than most of it.
"""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from adapters.adt.group_commit import into
from hub.inbox.messages import Arrival
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.migrate import migrate
from hub.store.tables import inbox
from tests import postgresql
from tests.postgresql import SUPERUSER, Cluster

NAME, SECONDS = "archive", 60


class Recovered(Cluster):
    """A server of a base backup and a folder of log."""

    def __init__(self, base: Path, log: Path):
        super().__init__()
        self._base, self._log = base, log

    def _initialize(self) -> None:
        shutil.copytree(self._base, self.data)
        log = shutil.copytree(self._log, self.folder / "wal")
        for part in log.glob("*.partial"):  # the segment that was being received
            part.rename(part.with_suffix(""))
        (self.data / "recovery.signal").touch()
        with (self.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"restore_command = 'cp {log}/%f %p'\nsynchronous_standby_names = ''\n")
        if account := self._as_account():
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, account)
        self.data.chmod(0o700)


def client(program: str, cluster: Cluster, *options: object) -> list[str]:
    found = postgresql._binary(program) or shutil.which(program)
    assert found, program
    return [found, "--host=127.0.0.1", f"--port={cluster.port}", f"--username={SUPERUSER}", *map(str, options)]


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[tuple[Cluster, Path]]:
    """A server that waits for the receiver of its log at every commit, and the received log."""
    log = tmp_path / "wal"
    log.mkdir()
    with Cluster() as cluster:
        database = Database(cluster.create_database(NAME), pool_size=2)
        migrate(database)
        database.close()
        slot = client("pg_receivewal", cluster, "--slot=hub", "--create-slot")
        subprocess.run(slot, check=True, env=os.environ)
        command = client("pg_receivewal", cluster, "--slot=hub", "--synchronous", f"--directory={log}", "--no-loop")
        receiver = subprocess.Popen(command, env={**os.environ, "PGAPPNAME": "hub"})
        cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'hub'")
        cluster.execute("SELECT pg_reload_conf()")
        try:
            _wait_for_the_receiver(cluster)
            yield cluster, log
        finally:
            receiver.terminate()
            receiver.wait(20)


def _wait_for_the_receiver(cluster: Cluster) -> None:
    deadline = time.monotonic() + SECONDS
    asked = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'hub' AND sync_state = 'sync'"
    with psycopg.connect(f"host=127.0.0.1 port={cluster.port} user={SUPERUSER} dbname=postgres") as connection:
        connection.autocommit = True
        while connection.execute(asked).fetchone() != (1,):
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.postgresql
@pytest.mark.long
def test_the_loss_of_the_databases_machine_loses_nothing_that_was_acknowledged(
    receiving: tuple[Cluster, Path], tmp_path: Path
) -> None:
    cluster, log = receiving
    base = tmp_path / "base"
    subprocess.run(
        client("pg_basebackup", cluster, f"--pgdata={base}", "--wal-method=none", "--checkpoint=fast"), check=True
    )
    database = Database(cluster.url(NAME), pool_size=2)
    accept, told = into(database), list[str]()

    def hospital() -> None:
        for number in range(100_000):
            try:
                accept([Arrival("adt", "F", f"C{number}", b"MSH", number)])
            except Problem:
                return
            told.append(f"C{number}")

    sender = threading.Thread(target=hospital)
    sender.start()
    deadline = time.monotonic() + SECONDS
    while len(told) < 300:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    cluster.stop(immediately=True)
    shutil.rmtree(cluster.data)  # and the disk is gone
    sender.join(SECONDS)
    database.close()
    with Recovered(base, log) as again:
        recovered = Database(again.url(NAME), pool_size=2)
        with recovered.read() as connection:
            there = list(connection.execute(select(inbox.c.control_id)).scalars())
        recovered.close()
    assert len(told) >= 300
    assert len(there) == len(set(there))
    assert set(told) <= set(there)
    assert len(there) <= len(told) + 1
