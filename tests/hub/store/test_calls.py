"""Processes call each other when there is work (hub.store.calls): PostgreSQL alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

import hub.worker
from adapters.adt.group_commit import into
from hub.inbox.messages import Arrival, Message
from hub.store.calls import INBOX, OUTBOX
from hub.store.engine import Database
from hub.store.joined import joining
from hub.worker import Worker
from tests.postgresql import Cluster

pytestmark = pytest.mark.postgresql
PATIENCE = 30  # seconds; a look round comes after an hour here


@pytest.fixture
def two(postgresql: Cluster) -> Iterator[tuple[Database, Database]]:
    url = postgresql.create_database("calls", "migrated")
    both = Database(url, pool_size=4), Database(url, pool_size=4)
    yield both
    for database in both:
        database.close()
    postgresql.drop_database("calls")


@contextmanager
def heard(database: Database) -> Iterator[SimpleQueue[str | None]]:
    """What another process called, once it is listened to."""
    calls: SimpleQueue[str | None] = SimpleQueue()
    hearing = database.hearing(calls.put)
    assert hearing
    hearing.start()
    assert calls.get(timeout=PATIENCE) is None  # now it listens; what was called before may be missed
    yield calls
    hearing.stop()


def test_a_call_is_heard_by_another_process_with_the_kind_of_its_work(two: tuple[Database, Database]) -> None:
    caller, listener = two
    with heard(listener) as calls:
        caller.call(INBOX)
        assert calls.get(timeout=PATIENCE) == INBOX
        caller.call(OUTBOX)
        assert calls.get(timeout=PATIENCE) == OUTBOX


def test_who_lost_the_connection_listens_again_and_looks_at_once(
    two: tuple[Database, Database], postgresql: Cluster
) -> None:
    caller, listener = two
    with heard(listener) as calls:
        # it listens, or has asked what time it is since
        listening = "query LIKE 'LISTEN%' OR query LIKE 'SELECT (extract(epoch FROM clock_timestamp%'"
        theirs = f"SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ({listening})"
        postgresql.execute(f"SELECT pg_terminate_backend(pid) FROM ({theirs}) AS found")
        assert calls.get(timeout=PATIENCE) is None
        caller.call(INBOX)
        assert calls.get(timeout=PATIENCE) == INBOX


def test_who_lost_the_connection_calls_again(two: tuple[Database, Database], postgresql: Cluster) -> None:
    caller, listener = two
    with heard(listener) as calls:
        caller.call(INBOX)
        assert calls.get(timeout=PATIENCE) == INBOX
        postgresql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_notify%'"
        )
        until = 0
        while calls.empty():  # the first one breaks the connection
            until += 1
            assert until < PATIENCE * 10
            caller.call(INBOX)
            threading.Event().wait(0.1)


def test_what_is_undone_calls_nobody_and_what_is_committed_in_another_transaction_calls_after_it(
    two: tuple[Database, Database],
) -> None:
    caller, listener = two
    with heard(listener) as calls:

        def work(joined: Database, _: object) -> None:
            joined.call(OUTBOX)
            threading.Event().wait(0.2)
            assert calls.empty()

        joining(caller, work)
        assert calls.get(timeout=PATIENCE) == OUTBOX


def test_a_worker_of_another_process_does_not_wait_for_its_look_round(
    two: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.worker, "SOON_SECONDS", 3600)
    here, there = two
    done: SimpleQueue[str] = SimpleQueue()

    def handler(message: Message) -> None:
        done.put(message.control_id)

    worker = Worker(there, {"adt": handler}, {}, {})
    worker.start()
    try:
        for number in range(3):
            into(here)([Arrival("adt", "EHR|ONE", f"call-{number}", b"one", 0)])
            assert done.get(timeout=PATIENCE) == f"call-{number}"
    finally:
        worker.stop()
