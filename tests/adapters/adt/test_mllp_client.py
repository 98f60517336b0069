"""What the sending side takes for an acknowledgment, and what it never does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from adapters.adt.frames import framed
from adapters.adt.mllp_client import NoAcknowledgment, WrongAcknowledgment, acknowledged, send
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, adt, listening, stored

Answering = Callable[[bytes], int]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Make a peer that reads something, answers these bytes and closes; its port."""
    with socket.create_server((HOST, 0)) as server:

        def start(answer: bytes) -> int:
            threading.Thread(target=_answer, args=(server, answer), daemon=True).start()
            return int(server.getsockname()[1])

        yield start


def _answer(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)
        time.sleep(0.02)


def test_a_message_is_sent_and_its_acknowledgment_returned(database: Database) -> None:
    with listening(database) as hospital:
        assert acknowledged(send(HOST, hospital.port, adt("7"))) == ("AA", "7")
        assert acknowledged(send(HOST, hospital.port, adt("8", version="9.9"))) == ("AR", "8")
    assert [state for state, _ in stored(database)] == ["received", "refused"]


ACK = b"MSH|^~\\&|HUB|CALAIM|EHR|HOSPITAL_ONE|20261122||ACK|A1|P|2.5.1\rMSA|AA|%s\r"


def test_an_acknowledgment_in_other_delimiters_is_understood(answering: Answering) -> None:
    other = (ACK % b"7").replace(b"|", b"#")
    assert acknowledged(send(HOST, answering(framed(other)), adt("7"))) == ("AA", "7")


@pytest.mark.parametrize("answer", [ACK % b"6", ACK % b"", ACK[:50] + b"\r", b"", b"thank you"])
def test_an_answer_to_another_message_is_never_taken_for_ours(answering: Answering, answer: bytes) -> None:
    with pytest.raises(WrongAcknowledgment):
        send(HOST, answering(framed(answer)), adt("7"))


@pytest.mark.parametrize("answer", [b"", framed(ACK % b"7")[:-1], b"\x0b" + ACK + b"\x0b", b"\x0bMSA\x1c\n"])
def test_silence_and_broken_answers_are_no_acknowledgment(answering: Answering, answer: bytes) -> None:
    with pytest.raises(NoAcknowledgment):
        send(HOST, answering(answer), adt("7"))


def test_the_wait_for_an_acknowledgment_ends() -> None:
    with socket.create_server((HOST, 0)) as server, pytest.raises(NoAcknowledgment, match="TimeoutError"):
        send(HOST, server.getsockname()[1], adt("7"), timeout=0.05)


def test_nobody_listening_is_no_acknowledgment() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAcknowledgment, match="ConnectionRefusedError"):
        send(HOST, port, adt("7"))
