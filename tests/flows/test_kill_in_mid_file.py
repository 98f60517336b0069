"""kill -9 in the middle of a file, again and again, then to the end: the same as one clean run."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.fhir import json
from hub.store.engine import Database
from hub.store.tables import resource
from tests.flows.hub_process import HubProcess
from tests.flows.test_files_arrive import HEADER

ROWS, KILLS = 150, 4
FAMILIES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Juniper", "Larch")


def content() -> str:
    return "\n".join((HEADER, *map(_line, range(1, ROWS + 1)), ""))


def _line(n: int) -> str:
    who = (
        f"9{n:07d}A,{n:09d},Testperson-{FAMILIES[n % 10]}{n:03d},Robin{n % 7},19{30 + n % 60}-0{n % 9 + 1}-1{n % 8}"
    )
    ended = "open,2026-03-02," if n % 3 else "closed,2026-03-02,2026-04-01"
    return f"{who},SMHS,{ended},,,N,,2026-04-01"


def contents(url: str) -> Counter[str]:
    """What every resource says, whatever its id."""
    database = Database(url)
    with database.read() as connection:
        rows = connection.execute(
            select(resource.c.body, resource.c.version).where(resource.c.type != "Provenance")
        )
        found = Counter(_said(json.stored(body), version) for body, version in rows)
    database.close()
    return found


def _said(one: dict[str, Any], version: int) -> str:
    told = {name: value for name, value in one.items() if name not in ("id", "meta", "patient", "subject")}
    return f"{version} {json.write(told).decode()}"


def loads(hub: HubProcess, path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "import wsgi; wsgi.main()", "load", "county", str(path)]
    return subprocess.Popen(command, env=hub.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_the_end_is_the_same_as_of_one_clean_run(database_url: str, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, database_url)
    hub.command("migrate")
    path = tmp_path / "status.csv"
    path.write_text(content())
    for number in range(KILLS):
        process = loads(hub, path)
        time.sleep(1.2 + number * 0.35)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert "done" in hub.command("load", "county", str(path))  # when the lease of the last one who died has ended
    clean = HubProcess(tmp_path / "clean", f"sqlite:///{tmp_path / 'clean.db'}")
    clean.command("migrate")
    clean.command("load", "county", str(path))
    after = contents(database_url or f"sqlite:///{tmp_path / 'hub.db'}")
    assert sum(after.values()) > 2 * ROWS - 1
    assert after == contents(f"sqlite:///{tmp_path / 'clean.db'}")
