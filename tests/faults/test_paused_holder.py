"""R29: a worker is stopped while it has a message, its lease passes on, and it goes on later: what it writes then
is refused.

With PostgreSQL: with SQLite one process works off the inbox. The worker is caught at a lock that the test holds,
so it is always stopped at the same place.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from adapters.adt.mllp_client import acknowledged, send
from tests.faults.invariants import bodies, broken
from tests.faults.sockets import holder
from tests.flows import stories
from tests.flows.kill_campaign import _told
from tests.flows.test_two_inbox_processes import POSTGRESQL, Running, until
from tests.flows.test_two_inbox_processes import running as running

WAITS = "SELECT client_port FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def holding(running: Running) -> Iterator[psycopg.Connection[tuple[int]]]:
    """A connection beside the hub's."""
    address = running.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        yield connection


def stopped_at(lock: str, running: Running, beside: psycopg.Connection[tuple[int]]) -> int:
    """The worker that took the message, stopped at this lock; the lock is gone, and the lease over."""
    running.database.call("inbox")
    with psycopg.connect(beside.info.dsn, autocommit=True) as looking:
        beside.execute(f"LOCK TABLE resource IN {lock} MODE".encode())
        assert (
            acknowledged(send("127.0.0.1", running.hub.mllp_port, stories.adt("A01", "PAUSED").encode()))[0] == "AA"
        )
        until(lambda: any(_is_worker(port, running) for port in _waiting(looking)))
        (pid,) = {_worker(port, running) for port in _waiting(looking) if _is_worker(port, running)}
    os.kill(pid, signal.SIGSTOP)
    beside.rollback()
    with running.database.write() as connection:
        connection.execute(text("UPDATE inbox SET due = 0 WHERE state = 'received'"))
    return pid


def _waiting(looking: psycopg.Connection[tuple[int]]) -> list[int]:
    return [port for (port,) in looking.execute(WAITS.encode()).fetchall()]


def _worker(port: int, running: Running) -> int:
    return holder(port, running.hub.pids())


def _is_worker(port: int, running: Running) -> bool:
    try:
        return _worker(port, running) in running.workers()
    except StopIteration:  # it waits no more
        return False


def done_once(running: Running) -> None:
    with running.database.read() as connection:
        rows = connection.execute(text("SELECT state, fence FROM inbox")).all()
        assert [(row.state, row.fence >= 2) for row in rows] == [("processed", True)]
        assert Counter(_told(connection)) == {"PAUSED": 1}
        assert len(list(bodies(connection, "Encounter"))) == 1
    assert broken(running.database, running.hub.fhir, journals=running.hub.folder / "audit") == []


@POSTGRESQL
def test_who_was_stopped_before_its_transaction_writes_nothing_when_it_goes_on(
    running: Running, holding: psycopg.Connection[tuple[int]]
) -> None:
    """It waits for a read: others process the message meanwhile, and its number is an old one then."""
    pid = stopped_at("ACCESS EXCLUSIVE", running, holding)
    until(lambda: running.count("processed") == 1)
    before = versions(running)
    os.kill(pid, signal.SIGCONT)
    until(lambda: lost(running))
    assert versions(running) == before
    done_once(running)


@pytest.mark.long
@POSTGRESQL
def test_who_was_stopped_in_its_transaction_keeps_no_lock(
    running: Running, holding: psycopg.Connection[tuple[int]]
) -> None:
    """Its session ends after a while (hub.store.connecting), and what it wrote is undone."""
    pid = stopped_at("SHARE", running, holding)
    until(lambda: running.count("processed") == 1)
    os.kill(pid, signal.SIGCONT)
    until(lambda: lost(running))
    done_once(running)


def versions(running: Running) -> int:
    with running.database.read() as connection:
        return int(
            connection.execute(text("SELECT count(*) + (SELECT count(*) FROM history) FROM resource")).scalar_one()
        )


def lost(running: Running) -> bool:
    """The one that was stopped has found out, and says so."""
    return "its lease ended, another worker has it" in running.hub.log.read_text()
