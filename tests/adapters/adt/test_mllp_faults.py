"""A fault of the hub is answered with silence and a closed connection, and loses nothing (V34, SEC-43)."""

import logging
import time
from collections.abc import Sequence

import pytest

from adapters.adt.frames import framed
from adapters.adt.group_commit import into
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.engine import Database
from hub.store.migrate import migrate
from tests.adapters.adt.mllp_peer import Gate, adt, eventually, listening, stored
from tests.postgresql import Cluster


def _sqlite(database: Database, pragma: str) -> None:
    with database._writes.connect() as connection:  # the one connection that writes
        connection.connection.execute(f"PRAGMA {pragma}")
        connection.rollback()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("why", "fault", "end"),
    [("no-space", "max_page_count=1", "max_page_count=1000000"), ("busy", "query_only=ON", "query_only=OFF")],
)
def test_no_ack_while_sqlite_is_full_or_read_only_and_none_is_missed_afterwards(
    database: Database, caplog: pytest.LogCaptureFixture, why: str, fault: str, end: str
) -> None:
    with listening(database) as hospital:
        _sqlite(database, fault)
        # a full file still has room on its last pages: the message is larger than they are
        peer = hospital.peer()
        peer.send(adt("7", note="x" * 100_000))
        assert peer.is_closed_without_an_answer()
        _sqlite(database, end)
        assert hospital.acknowledges("7")
    assert stored(database) == [("received", adt("7"))]
    assert f"1 messages were not stored and get no ACK: {why}" in caplog.text


@pytest.mark.postgresql
def test_no_ack_while_postgresql_is_down_and_the_listener_needs_no_restart(postgresql: Cluster) -> None:
    with Cluster(postgresql.folder.parent) as cluster:  # its own: the others' must not go down
        database = Database(cluster.create_database("down"), pool_size=2)
        migrate(database)
        with listening(database) as hospital:
            assert hospital.acknowledges("1")
            cluster.stop(immediately=True)
            assert hospital.loses("2")
            assert hospital.loses("2")
            cluster.start()
            assert eventually(lambda: not hospital.loses("3"))
        assert [raw for _, raw in stored(database)] == [adt("1"), adt("3")]
        database.close()


def test_after_a_fault_nothing_later_of_that_connection_is_acknowledged(database: Database) -> None:
    gate = Gate(into(database))

    def fails_first(arrivals: Sequence[Arrival]) -> list[Receipt]:
        receipts = gate(arrivals)
        if len(gate.batches) == 1:
            raise MemoryError
        return receipts

    with listening(fails_first) as hospital:
        peer = hospital.peer()
        peer.send(adt("1"))
        assert eventually(lambda: gate.batches == [1])
        peer.send(adt("2"))
        time.sleep(0.05)
        gate.open.set()
        assert peer.is_closed_without_an_answer()
        assert hospital.acknowledges("3")


def test_no_content_of_a_message_reaches_the_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def fails(arrivals: Sequence[Arrival]) -> list[Receipt]:
        raise ValueError(arrivals[0].raw)

    with listening(fails, max_bytes=1000) as hospital:
        assert hospital.loses("1")
        peer = hospital.peer()
        peer.socket.sendall(b"\x0b" + adt("2") + framed(adt("3")))
        assert peer.is_closed_without_an_answer()
    assert "0x0B inside a frame" in caplog.text
    assert "get no ACK: ValueError" in caplog.text
    assert "CANARY" not in caplog.text
    assert len(caplog.records) >= 3
