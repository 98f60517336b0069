"""The listener over real sockets, into a real inbox: what is answered, and what is never answered."""

import itertools
import socket
import time

import pytest
from hl7.client import MLLPClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.adt.frames import framed
from adapters.adt.group_commit import into
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, Gate, adt, eventually, listening, stored


def test_a_message_is_stored_as_it_came_and_acknowledged(database: Database) -> None:
    message = adt("7", note="\xc3\xa9") + b"\nZXX|as it came|\r\n"
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


def test_v03_a_tolerant_door_takes_an_end_without_a_carriage_return(database: Database) -> None:
    with listening(database, tolerant=True) as hospital:
        peer = hospital.peer()
        peer.socket.sendall(b"\x0b" + adt("1") + b"\x1c")
        assert peer.codes(1) == [("AA", "1")]
        peer.socket.sendall(b"\n\x0b" + adt("2") + b"\x1c" + framed(adt("3")))
        assert peer.codes(2) == [("AA", "2"), ("AA", "3")]


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


def test_a_broken_stream_waits_for_its_whole_messages_and_is_reported_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(into(database))
    with listening(gate) as hospital:
        peer = hospital.peer()
        peer.socket.sendall(framed(adt("7")) + b"\x0bbroken\x1cstream")
        assert eventually(lambda: "cannot be read on" in caplog.text)
        gate.open.set()
        assert peer.codes(1) == [("AA", "7")]
        assert peer.is_closed_without_an_answer()
    assert caplog.text.count("cannot be read on") == 1


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


CUTS = st.lists(st.integers(0, 1500), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(0, 5), min_size=1, max_size=6), places=CUTS)
def test_v05_however_a_stream_is_cut_each_frame_has_its_acknowledgment_in_order(
    database: Database, numbers: list[int], places: list[int]
) -> None:
    stream = b"".join(framed(adt(str(number))) for number in numbers)
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in itertools.pairwise(edges):
            peer.socket.sendall(stream[start:end])
        assert peer.codes(len(numbers)) == [("AA", str(number)) for number in numbers]
