"""The sender that people rely on: one in flight, sent again after silence (SEC-44 to SEC-46)."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.adt import tls
from adapters.adt.frames import Splitter, framed
from adapters.adt.mllp_client import Held, NoAcknowledgment, Sender, acknowledged, error_code
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, PATIENCE, adt, eventually, listening, stored
from tests.certificates import Authority

Script = Callable[["Receiver", socket.socket, str], None]


def ack(control_id: str, code: str = "AA", error: str = "") -> bytes:
    err = f"ERR||MSH^1^10|{error}^?^HL70357|E\r" if error else ""
    head = "MSH|^~\\&|HUB|CALAIM|EHR|HOSPITAL_ONE|20261122||ACK|A1|P|2.5.1\r"
    return framed(f"{head}MSA|{code}|{control_id}\r{err}".encode())


class Receiver:
    """Plays a script for each message: it is given the connection and the control id."""

    def __init__(self, script: Script):
        self.seen: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.most_in_flight = 0
        self._script = script
        self._server = socket.create_server((HOST, 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        splitter = Splitter(1 << 20)
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                splitter.feed(data)
                messages = list(iter(splitter.next, None))
                self.most_in_flight = max(self.most_in_flight, len(messages))
                for message in messages:
                    self.messages.append(message)
                    self.seen.append(message.split(b"|")[9].decode())
                    self._script(self, connection, self.seen[-1])

    def close(self) -> None:
        self._server.close()


Receiving = Callable[[Script], Receiver]


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    made: list[Receiver] = []

    def start(script: Script) -> Receiver:
        made.append(Receiver(script))
        return made[-1]

    yield start
    for receiver in made:
        receiver.close()


def sender(port: int, timeout: float = PATIENCE) -> Sender:
    return Sender(HOST, port, timeout=timeout, sleep=lambda seconds: None)


def test_messages_go_by_one_connection_in_their_order(database: Database) -> None:
    with listening(database) as hospital:
        sending = sender(hospital.port)
        for number in range(20):
            assert acknowledged(sending.send(adt(str(number)))) == ("AA", str(number))
        assert hospital.listener.counted["connections"] == 1
        sending.close()
        assert acknowledged(sending.send(adt("20"))) == ("AA", "20")
        assert hospital.listener.counted["connections"] == 2
        sending.close()
    assert [raw for _, raw in stored(database)] == [adt(str(number)) for number in range(21)]


def test_messages_go_by_mutual_tls(database: Database, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "county")
    server, own = authority.sign("listener"), authority.sign("harbor", "adt.harbor.example")
    door = tls.ServerTls(tls.Files(server.cert, server.key, authority.cert))
    with listening(database, tls=door) as hospital:
        without = Sender(HOST, hospital.port, tls.client(authority.cert), PATIENCE)
        with pytest.raises(NoAcknowledgment):
            without.send(adt("1"))
        shown = Sender(HOST, hospital.port, tls.client(authority.cert, tls.Files(own.cert, own.key)), PATIENCE)
        assert [acknowledged(shown.send(adt(number))) for number in "23"] == [("AA", "2"), ("AA", "3")]
        shown.close()
    assert len(stored(database)) == 2


def test_sec_44_a_late_answer_is_never_taken_for_the_next_message(receiving: Receiving) -> None:
    """The answer to 1 comes twice and out of its turn: 2 waits for its own."""

    def late(receiver: Receiver, connection: socket.socket, control_id: str) -> None:
        if control_id == "1":
            connection.sendall(ack("1") + ack("1"))
        else:
            connection.sendall(ack("1") + ack("7", "AE") + ack("") + framed(b"thank you") + ack("2"))

    receiver = receiving(late)
    sending = sender(receiver.port)
    assert acknowledged(sending.send(adt("1"))) == ("AA", "1")
    assert acknowledged(sending.send(adt("2"))) == ("AA", "2")
    assert (receiver.connections, sending.passed_over) == (1, 5)
    sending.close()


@pytest.mark.parametrize("wrong", [b"", ack("other"), ack(""), framed(b"thank you"), ack("1")[:-1]])
def test_sec_44_only_its_own_answer_makes_a_message_sent(receiving: Receiving, wrong: bytes) -> None:
    receiver = receiving(lambda receiver, connection, control_id: connection.sendall(wrong))
    with pytest.raises(NoAcknowledgment):
        sender(receiver.port, 0.1).send(adt("1"))


def test_sec_44_after_silence_a_message_is_sent_again_by_a_new_connection(receiving: Receiving) -> None:
    held: list[socket.socket] = []

    def silent_twice(receiver: Receiver, connection: socket.socket, control_id: str) -> None:
        held.append(connection)
        if len(receiver.seen) > 2:
            connection.sendall(ack(control_id))

    receiver = receiving(silent_twice)
    sending = sender(receiver.port, 0.2)
    assert acknowledged(sending.deliver(adt("1"))) == ("AA", "1")
    assert receiver.seen == ["1", "1", "1"]
    assert receiver.connections == 3
    sending.close()


def test_sec_45_one_message_is_in_flight_however_many_threads_send(receiving: Receiving) -> None:
    receiver = receiving(lambda receiver, connection, control_id: connection.sendall(ack(control_id)))
    sending = sender(receiver.port)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(acknowledged(sending.send(adt(str(n))))[1]))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(answers, key=int) == [str(number) for number in range(20)]
    assert (receiver.most_in_flight, receiver.connections) == (1, 1)
    sending.close()


def test_sec_45_a_message_sent_again_has_one_effect(database: Database) -> None:
    with listening(database) as hospital:
        sending = sender(hospital.port)
        for _ in range(3):
            assert acknowledged(sending.deliver(adt("1"))) == ("AA", "1")
            sending.close()
    assert len(stored(database)) == 1


@pytest.mark.parametrize(("code", "error"), [("AE", "102"), ("AR", "200"), ("CE", ""), ("CR", "203"), ("?", "")])
def test_sec_46_a_refusal_is_raised_at_once_and_not_sent_again(receiving: Receiving, code: str, error: str) -> None:
    receiver = receiving(lambda receiver, connection, control_id: connection.sendall(ack(control_id, code, error)))
    sending = sender(receiver.port)
    with pytest.raises(Held) as caught:
        sending.deliver(adt("1"))
    assert (caught.value.code, caught.value.error) == (code, error)
    assert receiver.seen == ["1"]
    sending.close()


@pytest.mark.parametrize("error", ["206", "207"])
def test_sec_46_what_the_receiver_cannot_now_is_tried_again_up_to_a_limit(receiving: Receiving, error: str) -> None:
    receiver = receiving(lambda receiver, connection, control_id: connection.sendall(ack(control_id, "AE", error)))
    sending = sender(receiver.port)
    with pytest.raises(Held, match=error):
        sending.deliver(adt("1"), tries=4)
    assert receiver.seen == ["1"] * 4
    sending.close()


def test_what_a_receiver_writes_in_place_of_codes_is_not_repeated(receiving: Receiving) -> None:
    canary = "CANARYFAMILY Quillon"
    receiver = receiving(
        lambda receiver, connection, control_id: connection.sendall(ack(control_id, canary, canary))
    )
    sending = sender(receiver.port)
    with pytest.raises(Held) as caught:
        sending.send(adt("1"))
    assert str(caught.value) == "The receiver answered ?"
    sending.close()


def test_the_waits_between_tries_double_up_to_a_minute(receiving: Receiving) -> None:
    waits: list[float] = []
    receiver = receiving(lambda receiver, connection, control_id: connection.close())
    sending = Sender(HOST, receiver.port, timeout=PATIENCE, sleep=waits.append)
    with pytest.raises(NoAcknowledgment):
        sending.deliver(adt("1"), tries=10)
    wanted = (1, 2, 4, 8, 16, 32, 60, 60, 60)
    assert all(0.75 * most <= wait <= 1.25 * most for wait, most in zip(waits, wanted, strict=True))


def test_a_connection_that_the_receiver_closed_meanwhile_is_opened_anew(receiving: Receiving) -> None:
    def once(receiver: Receiver, connection: socket.socket, control_id: str) -> None:
        connection.sendall(ack(control_id))
        connection.shutdown(socket.SHUT_RDWR)

    receiver = receiving(once)
    sending = sender(receiver.port)
    for number in "123":
        assert acknowledged(sending.send(adt(number))) == ("AA", number)
    assert receiver.connections == 3
    sending.close()


def test_a_connection_with_tls_that_was_closed_meanwhile_is_opened_anew(database: Database, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "county")
    papers = authority.sign("listener")
    door = tls.ServerTls(tls.Files(papers.cert, papers.key))
    with listening(database, tls=door, max_connections=1) as hospital:
        sending = Sender(HOST, hospital.port, tls.client(authority.cert), PATIENCE)
        assert acknowledged(sending.send(adt("1"))) == ("AA", "1")
        hospital.listener._loop.call_soon_threadsafe(hospital.listener._connections()[0].abort)
        assert eventually(lambda: not hospital.listener._connections())
        assert acknowledged(sending.send(adt("2"))) == ("AA", "2")
        sending.close()


@pytest.mark.parametrize(
    ("err", "code"),
    [
        ("ERR||PID^1^7|102^Data type error^HL70357|E", "102"),
        ("ERR|PID^1^7^207&Application internal error&HL70357", "207"),
        ("ERR", ""),
        ("ZZZ", ""),
    ],
)
def test_the_error_code_is_found_in_old_and_new_places(err: str, code: str) -> None:
    assert error_code(f"MSH|^~\\&|A|B|||||ACK|1|P|2.3\rMSA|AE|7\r{err}\r".encode()) == code
