"""Slow, many and rude peers, and the end: nobody holds up the others, nothing grows without bound."""

import os
import socket
import threading
import time

import pytest

from adapters.adt import mllp_connection
from adapters.adt.group_commit import into
from adapters.adt.mllp_server import MllpListener
from hub import clock
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, PATIENCE, Gate, adt, door, eventually, listening, stored


def test_no_more_is_read_from_a_connection_with_many_unacknowledged_messages(database: Database) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer = hospital.peer()
        peer.send(*(adt(str(number)) for number in range(400)))
        assert eventually(lambda: gate.batches != [])
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
        assert eventually(lambda: gate.batches != [])
        time.sleep(0.1)
        gate.open.set()
        assert len(peer.codes(20)) == 20
        sending.join()
        assert max(gate.batches) <= 5  # 4 fill PENDING_BYTES


def _dribble(connection: socket.socket, until: float) -> None:
    while time.monotonic() < until:
        connection.sendall(b"x")
        time.sleep(0.02)


def test_a_half_frame_that_stalls_is_closed_however_slowly_it_crumbles(database: Database) -> None:
    with listening(database, idle_seconds=0.15) as hospital:
        peer = hospital.peer()
        began = time.monotonic()
        peer.socket.sendall(b"\x0b")
        with pytest.raises(OSError):
            _dribble(peer.socket, began + PATIENCE)
        assert time.monotonic() - began < 2
    assert stored(database) == []


def test_each_half_frame_has_its_own_time(database: Database) -> None:
    with listening(database, idle_seconds=0.2) as hospital:
        peer = hospital.peer()
        peer.socket.sendall(b"\x0b")
        for number in range(12):  # never without a half frame, for longer than the idle time
            peer.socket.sendall(adt(str(number)) + b"\x1c\r\x0b")
            assert peer.codes(1) == [("AA", str(number))]
            time.sleep(0.03)


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
        assert hospital.acknowledges("2")
        assert half.is_closed_without_an_answer()
        assert other_half.is_silent()
        proven.send(adt("3"))
        assert proven.codes(1) == [("AA", "3")]


def test_connections_that_come_at_the_same_instant_are_limited_too(database: Database) -> None:
    with listening(database, max_connections=2) as hospital:
        hospital.listener._loop.call_soon_threadsafe(time.sleep, 0.1)
        peers = [hospital.peer() for _ in range(8)]
        assert eventually(lambda: sum(not peer.is_silent(0.01) for peer in peers) == 6)


def test_where_all_connections_work_one_more_is_closed(database: Database) -> None:
    with listening(database, max_connections=2) as hospital:
        peers = [hospital.peer(), hospital.peer()]
        for number, peer in enumerate(peers):
            peer.send(adt(str(number)))
            assert peer.codes(1) == [("AA", str(number))]
        assert hospital.peer().is_closed_without_an_answer()
        assert all(peer.is_silent(0.02) for peer in peers)


def test_a_storm_of_half_frames_leaves_no_descriptor_open_and_holds_nobody_up(database: Database) -> None:
    with listening(database, max_connections=50) as hospital:
        assert hospital.acknowledges("before")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(300):
            with socket.create_connection((HOST, hospital.port)) as rude:
                rude.sendall(b"\x0bMSH|half")
        began = time.monotonic()
        assert hospital.acknowledges("after")
        assert time.monotonic() - began < 0.5
        assert eventually(lambda: len(os.listdir("/proc/self/fd")) < before + 10)


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
    with listening(database) as hospital:
        free, taken = door(), door(port=hospital.port)
        second = MllpListener([free, taken], accept=into(database), clock=clock.now, on_accepted=lambda: None)
        with pytest.raises(OSError):
            second.start()
