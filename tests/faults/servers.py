"""What tests of faults do with PostgreSQL beside what tests.postgresql does: its processes, and a standby that
takes its place when it is told to."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from tests.postgresql import SUPERUSER, Cluster, _binary


def processes(cluster: Cluster) -> list[int]:
    """The first one, and what it made that is there now."""
    first = int((cluster.data / "postmaster.pid").read_text().split()[0])
    found = [first]
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # it has ended
            if f"\nPPid:\t{first}\n" in status.read_text():
                found.append(int(status.parent.name))
    return found


def kill(cluster: Cluster) -> None:
    """kill -9 of all of it. (Sessions outlive the first process alone, and go on.)"""
    for pid in processes(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Standby(Cluster):
    """`with Standby(primary) as standby`: from then on the primary commits what the standby has on its disk."""

    def __init__(self, primary: Cluster):
        super().__init__()
        self._primary = primary

    def __enter__(self) -> "Standby":
        super().__enter__()
        self._primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self._primary.execute("SELECT pg_reload_conf()")
        return self

    def _initialize(self) -> None:
        if account := self._as_account():
            shutil.chown(self.folder, account)
        place = ("-h", "127.0.0.1", "-p", self._primary.port, "-U", SUPERUSER)
        self._run(_binary("pg_basebackup"), *place, "-D", self.data, "-R", "-X", "stream", "-c", "fast")

    def promote(self) -> None:
        """It is the primary when this returns."""
        self._control("promote")
