"""The listener over real sockets, into a real inbox: what is answered, and what is never answered."""

import logging
import socket
import threading
import time

import pytest
from hl7.client import MLLPClient

from adapters.adt import mllp_connection
from adapters.adt.frames import framed
from adapters.adt.group_commit import into
from hub.inbox import Arrival, Receipt
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, PATIENCE, Gate, Hospital, adt, eventually, listening, stored


@pytest.fixture
def lite(database_url: str) -> str:
    return database_url


def test_a_message_is_stored_as_it_came_and_acknowledged(database: Database) -> None:
    message = adt("7", note="\xe9\xff") + b"\nZXX|\x00\x01"
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.send(message)
        assert peer.codes(1) == [("AA", "7")]
        assert stored(database) == [("received", message)]


def test_the_hl7_library_gets_its_acknowledgment(database: Database) -> None:
    with listening(database) as hospital, MLLPClient(HOST, hospital.port) as client:
        assert b"\rMSA|AA|7\r" in client.send_message(adt("7"))


def test_no_acknowledgment_leaves_before_the_commit_has_returned(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer = hospital.peer()
        peer.send(adt("7"))
        assert eventually(lambda: gate.batches == [1])
        assert peer.is_silent()
        gate.open.set()
        assert peer.codes(1) == [("AA", "7")]


def test_what_gathers_while_a_commit_runs_is_committed_together(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peers = [hospital.peer() for _ in range(5)]
        peers[0].send(adt("0"))
        assert eventually(lambda: gate.batches == [1])
        for number, peer in enumerate(peers[1:], 1):
            peer.send(adt(str(number)), adt(f"{number}b"))
        time.sleep(0.1)
        gate.open.set()
        assert peers[0].codes(1) == [("AA", "0")]
        for number, peer in enumerate(peers[1:], 1):
            assert peer.codes(2) == [("AA", str(number)), ("AA", f"{number}b")]
        assert gate.batches == [1, 8]


# The rows of the framing


def test_v01_bytes_before_a_frame_are_dropped_and_counted(database: Database) -> None:
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.socket.sendall(b"noise" + framed(adt("7")))
        assert peer.codes(1) == [("AA", "7")]
        peer.close()
        assert eventually(lambda: hospital.listener.counted["bytes outside of frames"] == 5)


def test_v02_half_a_frame_is_neither_stored_nor_acknowledged(database: Database) -> None:
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.socket.sendall(framed(adt("7"))[:-1])
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.is_closed_without_an_answer()
        assert stored(database) == []


@pytest.mark.parametrize(
    ("row", "stream"),
    [
        ("V03", b"\x0b" + adt("7") + b"\x1c\n"),
        ("V04", b"\x0b" + adt("7") + framed(adt("8"))),
        ("V06", b"\x0b" + b"x" * 2000),
    ],
)
def test_a_broken_stream_is_closed_and_what_was_whole_before_is_acknowledged(
    database: Database, row: str, stream: bytes
) -> None:
    with listening(database, max_bytes=1000) as hospital:
        peer = hospital.peer()
        peer.send(adt("6"))
        assert peer.codes(1) == [("AA", "6")]
        peer.socket.sendall(stream)
        assert peer.is_closed_without_an_answer(), row
        assert stored(database) == [("received", adt("6"))]


def test_v05_glued_and_crumbled_frames_are_acknowledged_in_order(database: Database) -> None:
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.send(adt("1"), adt("2"), adt("3"))
        for byte in framed(adt("4")) + framed(adt("5")):
            peer.socket.send(bytes([byte]))
        assert peer.codes(5) == [("AA", str(number)) for number in range(1, 6)]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", ("AR", "")),
        (b"not HL7", ("AR", "")),
        (adt(""), ("AR", "")),
        (adt("7", kind="ORU^R01"), ("AR", "7")),
        (adt("7", version="9.9"), ("AR", "7")),
        (adt("7", processing="T"), ("AR", "7")),
    ],
)
def test_v07_to_v12_what_the_header_refuses_is_answered_and_kept(
    database: Database, frame: bytes, code: tuple[str, str]
) -> None:
    woken: list[bool] = []
    with listening(database, on_accepted=lambda: woken.append(True)) as hospital:
        peer = hospital.peer()
        peer.send(frame, frame)
        assert peer.codes(2) == [code, code]
        assert stored(database) == [("refused", frame)]
    assert woken == []


def test_v13_the_same_message_again_is_acknowledged_and_no_second_message(database: Database) -> None:
    woken: list[bool] = []
    with listening(database, on_accepted=lambda: woken.append(True)) as hospital:
        peer = hospital.peer()
        peer.send(adt("7"))
        assert peer.codes(1) == [("AA", "7")]
        assert eventually(lambda: woken == [True])
        peer.send(adt("7"))
        assert peer.codes(1) == [("AA", "7")]
        assert len(stored(database)) == 1
    assert woken == [True]


def test_v14_a_control_id_with_other_content_is_an_error_and_kept(database: Database) -> None:
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.send(adt("7"), adt("7", note="other"))
        assert peer.codes(2) == [("AA", "7"), ("AE", "7")]
    assert stored(database) == [("received", adt("7")), ("refused", adt("7", note="other"))]


def test_v32_a_sender_that_wants_no_acknowledgment_gets_none_and_loses_nothing(database: Database) -> None:
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.send(adt("1", accept="NE", application="NE"), adt("2", accept="AL"))
        assert peer.codes(1) == [("CA", "2")]
    assert len(stored(database)) == 2


# Faults of ours (V34)


def _is_lost(hospital: Hospital, control_id: str) -> bool:
    peer = hospital.peer()
    peer.send(adt(control_id))
    return peer.is_closed_without_an_answer()


def _acknowledged(hospital: Hospital, control_id: str) -> bool:
    peer = hospital.peer()
    peer.send(adt(control_id))
    return peer.codes(1) == [("AA", control_id)]


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
        assert _acknowledged(hospital, "7")
    assert stored(database) == [("received", adt("7"))]
    assert f"1 messages were not stored and get no ACK: {why}" in caplog.text


@pytest.mark.postgresql
def test_no_ack_while_postgresql_is_down_and_the_listener_needs_no_restart(
    postgresql: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from hub.store.migrate import migrate
    from tests.conftest import _folder
    from tests.postgresql import Cluster

    with Cluster(_folder()) as cluster:  # its own: the others' must not go down
        database = Database(cluster.create_database("down"), pool_size=2)
        migrate(database)
        with listening(database) as hospital:
            assert _acknowledged(hospital, "1")
            cluster.stop(immediately=True)
            assert _is_lost(hospital, "2")
            assert _is_lost(hospital, "2")
            cluster.start()
            assert eventually(lambda: not _is_lost(hospital, "3"))
        assert [raw for _, raw in stored(database)] == [adt("1"), adt("3")]
        database.close()


def test_after_a_fault_nothing_later_of_that_connection_is_acknowledged(database: Database) -> None:
    gate = Gate(into(database))

    def fails_first(arrivals: list[Arrival]) -> list[Receipt]:
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
        assert _acknowledged(hospital, "3")


def test_no_content_of_a_message_reaches_the_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def fails(arrivals: list[Arrival]) -> list[Receipt]:
        raise ValueError(arrivals[0].raw)

    with listening(fails, max_bytes=1000) as hospital:
        assert _is_lost(hospital, "1")
        peer = hospital.peer()
        peer.socket.sendall(b"\x0b" + adt("2") + framed(adt("3")))
        assert peer.is_closed_without_an_answer()
    assert "0x0B inside a frame" in caplog.text
    assert "get no ACK: ValueError" in caplog.text
    assert "CANARY" not in caplog.text
    assert len(caplog.records) >= 3


# Slow, many, rude peers


def test_no_more_is_read_from_a_connection_with_many_unacknowledged_messages(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer = hospital.peer()
        peer.send(*(adt(str(number)) for number in range(400)))
        assert eventually(lambda: gate.batches == [1])
        time.sleep(0.1)
        gate.open.set()
        assert peer.codes(400) == [("AA", str(number)) for number in range(400)]
        assert max(gate.batches) <= mllp_connection.PENDING_FRAMES


def test_no_more_is_read_from_a_connection_with_many_unacknowledged_bytes(database: Database) -> None:
    gate = Gate(into(database))
    large = "x" * 300_000
    with listening(gate) as hospital:
        peer = hospital.peer()
        sending = threading.Thread(target=peer.send, args=[adt(str(n), note=large) for n in range(20)])
        sending.start()
        assert eventually(lambda: gate.batches == [1])
        time.sleep(0.1)
        gate.open.set()
        assert len(peer.codes(20)) == 20
        sending.join()
        assert max(gate.batches) <= 5  # 4 fill PENDING_BYTES


def test_a_half_frame_that_stalls_is_closed_however_slowly_it_crumbles(database: Database) -> None:
    with listening(database, idle_seconds=0.15) as hospital:
        peer = hospital.peer()
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT012  closed while it still dribbles
            while time.monotonic() - began < PATIENCE:
                peer.socket.sendall(b"\x0b" if time.monotonic() - began < 0.01 else b"x")
                time.sleep(0.02)
        assert time.monotonic() - began < 2
    assert stored(database) == []


def test_a_connection_without_a_half_frame_may_be_idle(database: Database) -> None:
    with listening(database, idle_seconds=0.05) as hospital:
        peer = hospital.peer()
        for number in ("1", "2"):
            time.sleep(0.15)
            peer.send(adt(number))
            assert peer.codes(1) == [("AA", number)]


def test_a_peer_that_ends_its_sending_still_gets_its_acknowledgments(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer = hospital.peer()
        peer.send(*(adt(str(number)) for number in range(100)))
        peer.socket.shutdown(socket.SHUT_WR)
        assert eventually(lambda: gate.batches != [])
        gate.open.set()
        assert len(peer.codes(100)) == 100
        assert peer.is_closed_without_an_answer()


def test_the_oldest_connection_that_never_finished_a_frame_makes_room(database: Database) -> None:
    with listening(database, max_connections=3) as hospital:
        proven, half, other_half = hospital.peer(), hospital.peer(), hospital.peer()
        proven.send(adt("1"))
        assert proven.codes(1) == [("AA", "1")]
        half.socket.sendall(b"\x0bhalf")
        other_half.socket.sendall(b"\x0bhalf")
        assert _acknowledged(hospital, "2")
        assert half.is_closed_without_an_answer()
        assert other_half.is_silent()
        proven.send(adt("3"))
        assert proven.codes(1) == [("AA", "3")]


def test_where_all_connections_work_one_more_is_closed(database: Database) -> None:
    with listening(database, max_connections=2) as hospital:
        peers = [hospital.peer(), hospital.peer()]
        for number, peer in enumerate(peers):
            peer.send(adt(str(number)))
            assert peer.codes(1) == [("AA", str(number))]
        assert hospital.peer().is_closed_without_an_answer()
        assert all(peer.is_silent(0.02) for peer in peers)


def test_a_storm_of_half_frames_leaves_no_descriptor_open_and_holds_nobody_up(database: Database) -> None:
    import os

    with listening(database, max_connections=50) as hospital:
        assert _acknowledged(hospital, "before")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(300):
            with socket.create_connection((HOST, hospital.port)) as rude:
                rude.sendall(b"\x0bMSH|half")
        began = time.monotonic()
        assert _acknowledged(hospital, "after")
        assert time.monotonic() - began < 0.5
        assert eventually(lambda: len(os.listdir("/proc/self/fd")) < before + 10)


# The end


def test_a_stop_acknowledges_what_was_received_and_takes_no_more(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer, idle = hospital.peer(), hospital.peer()
        peer.send(*(adt(str(number)) for number in range(100)))
        idle.send(adt("idle"))
        assert eventually(lambda: gate.batches != [])
        time.sleep(0.05)
        stopping = threading.Thread(target=hospital.listener.stop)
        stopping.start()
        time.sleep(0.05)
        gate.open.set()
        assert len(peer.codes(100)) == 100
        assert idle.codes(1) == [("AA", "idle")]
        assert peer.is_closed_without_an_answer()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
        with pytest.raises(ConnectionRefusedError):
            hospital.peer()
    assert len(stored(database)) == 101


def test_a_stop_does_not_wait_for_ever(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer = hospital.peer()
        peer.send(adt("7"))
        assert eventually(lambda: gate.batches == [1])
        began = time.monotonic()
        hospital.listener.stop(0.1)
        assert time.monotonic() - began < 2
        assert peer.is_closed_without_an_answer()
        gate.open.set()
        hospital.listener.stop()  # again changes nothing
        assert eventually(lambda: len(stored(database)) == 1)


def test_a_port_that_is_taken_is_an_error_at_the_start(database: Database) -> None:
    from adapters.adt.mllp_server import MllpListener
    from hub import clock

    with listening(database) as hospital:
        second = MllpListener(
            HOST,
            hospital.port,
            accept=into(database),
            clock=clock.now,
            max_bytes=1000,
            idle_seconds=1,
            production=True,
            on_accepted=lambda: None,
        )
        with pytest.raises(OSError):
            second.start()
