"""Two processes work off one inbox (HUB_INBOX_PROCESSES=2): both take messages, of one member one at a time and in
order, and one that is killed loses nothing.

With PostgreSQL: with SQLite the worker does it itself.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from hub.store.engine import Database
from tests.flows import stories
from tests.flows.hospital_load import EVENTS, Hospital
from tests.flows.hub_process import HubProcess
from tests.flows.kill_campaign import _told, _visits, message

POSTGRESQL = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
PATIENCE_SECONDS = 60
CONNECTIONS, VISITS = 4, 6


@dataclass
class Running:
    hub: HubProcess
    database: Database

    def workers(self) -> list[int]:
        """The processes that only process messages: without the web server there are no others of this kind."""
        return [pid for pid in self.hub.pids() if "spawn_main" in _command(pid)]

    def sent(self, first: int) -> list[Hospital]:
        """Hospitals that have begun to send, each its own visits."""
        made = [
            Hospital(first + n, VISITS * len(EVENTS), message, self.hub.mllp_port, lambda: True)
            for n in range(CONNECTIONS)
        ]
        for hospital in made:
            hospital.start()
        return made

    def count(self, state: str) -> int:
        with self.database.read() as connection:
            return _states(connection)[state]


def _states(connection: Connection) -> Counter[str]:
    return Counter(connection.execute(text("SELECT state FROM inbox")).scalars())


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    hub, database = HubProcess(tmp_path, database_url, HUB_INBOX_PROCESSES="2"), Database(database_url)
    hub.start("--mllp", "--worker")
    made = Running(hub, database)
    try:
        until(lambda: len(made.workers()) == 2)
        yield made
    finally:
        for pid in made.workers():
            os.kill(pid, signal.SIGCONT)
        hub.stop()
        database.close()


def sent_and_acknowledged(hospitals: list[Hospital]) -> set[str]:
    for hospital in hospitals:
        hospital.join(PATIENCE_SECONDS)
        assert not hospital.is_alive()
    return {name for hospital in hospitals for name in hospital.sent.acknowledged}


@POSTGRESQL
def test_both_take_messages_each_while_the_other_stands_still(running: Running) -> None:
    done = 0
    for number, pid in enumerate(running.workers()):
        until(lambda: running.count("received") == 0)
        os.kill(pid, signal.SIGSTOP)
        done += len(sent_and_acknowledged(running.sent(10 * number)))
        until(lambda: running.count("processed") == done)  # noqa: B023 - it is called at once
        os.kill(pid, signal.SIGCONT)
    assert done == 2 * CONNECTIONS * VISITS * len(EVENTS)


@POSTGRESQL
def test_one_is_killed_and_nothing_is_lost_or_doubled_or_out_of_order(running: Running) -> None:
    hospitals = running.sent(0)
    until(lambda: running.count("processed") > 0)
    killed, other = running.workers()
    os.kill(killed, signal.SIGKILL)
    names = sent_and_acknowledged(hospitals)
    until(lambda: len(running.workers()) == 2 and killed not in running.workers())
    assert other in running.workers()
    until(lambda: _stands_still(running))
    with running.database.write() as connection:  # the leases of the killed one end
        connection.execute(text("UPDATE inbox SET due = 0 WHERE state = 'received'"))
    until(lambda: running.count("processed") == len(names))
    with running.database.read() as connection:
        assert _states(connection) == {"processed": len(names)}
        assert Counter(_told(connection)) == Counter(names)
        assert set(Counter(_visits(connection)).values()) == {1}
        rows = connection.execute(text("SELECT member, processed FROM inbox ORDER BY member, seq")).all()
    assert len(names) == CONNECTIONS * VISITS * len(EVENTS)
    assert [tuple(row) for row in rows] == sorted(tuple(row) for row in rows)


def _stands_still(running: Running) -> bool:
    """Nothing is left but what the killed one held, and what waits behind that."""
    before = running.count("processed")
    time.sleep(1)
    return running.count("processed") == before
