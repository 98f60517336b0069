"""The sending side of MLLP: a message out, its own acknowledgment in.

Rules: HL7 "Transport Specification: MLLP, Release 1"; HL7 v2.5.1 chapter 2.9: MSA-2 repeats MSH-10.
`Sender` keeps its connection, and has one message in flight. Answers to other messages (late ones, repeated ones)
are passed over and never taken for ours; after silence the connection is given up, so that what comes late is lost
with it, and the message is sent again, with the same control id.
Refuses: silence and a closed connection (NoAcknowledgment: the message may or may not be stored, send it again with
the same control id); an answer to another message where there can be one only (WrongAcknowledgment); an answer that
refuses the message (Held: a person must look; 206 and 207 say that the receiver cannot now: it is tried again).
"""

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.adt.frames import FrameError, Splitter, framed
from adapters.adt.header import NoHeader, header

MAX_ANSWER_BYTES = 1 << 20
TIMEOUT = 30.0
FINE = ("AA", "CA")
REFUSALS = ("AE", "AR", "CE", "CR")
UNKNOWN = "?"
NOT_NOW = ("206", "207")  # table 0357: record locked, internal error
TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class NoAcknowledgment(Exception):
    """No answer came: refused, closed or timed out."""


class WrongAcknowledgment(NoAcknowledgment):
    """An answer came that acknowledges another message, or none."""


class Held(Exception):
    """The receiver refused the message. `code` is MSA-1, `error` the code of table 0357 if it gave one; what is no
    code is not repeated."""

    def __init__(self, code: str, error: str, answer: bytes):
        self.code = code if code in REFUSALS else UNKNOWN
        self.error = error if error.isascii() and error.isdigit() and len(error) == 3 else ""
        self.answer = answer
        super().__init__(f"The receiver answered {self.code} {self.error}".rstrip())

    @property
    def is_for_now(self) -> bool:
        """The receiver could not, this time."""
        return self.error in NOT_NOW


@dataclass(slots=True)
class Sender:
    """One receiver. Threads take turns. `tls` as adapters.adt.tls.client makes it; `timeout` in seconds is that of
    one try."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    timeout: float = TIMEOUT
    sleep: Callable[[float], None] = time.sleep
    passed_over: int = 0  # answers to other messages
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _connection: socket.socket | None = None
    _splitter: Splitter | None = None

    def deliver(self, message: bytes, tries: int = TRIES) -> bytes:
        """The acknowledgment; the message is sent again after silence and where the receiver cannot now. Raises
        NoAcknowledgment or Held when the tries are used up, Held at once where the message is refused."""
        for attempt in range(1, tries + 1):
            try:
                return self.send(message)
            except (NoAcknowledgment, Held) as error:
                if attempt == tries or (isinstance(error, Held) and not error.is_for_now):
                    raise
            self.sleep(_wait(attempt))
        raise ValueError("tries is 1 at least")

    def send(self, message: bytes) -> bytes:
        """One try: the acknowledgment of this message. Raises NoAcknowledgment or Held."""
        wanted = header(message).control_id
        with self._turn:
            answer = self._exchanged(message, wanted, time.monotonic() + self.timeout)
        code, _ = acknowledged(answer)
        if code not in FINE:
            raise Held(code, error_code(answer), answer)
        return answer

    def close(self) -> None:
        """Give the connection up; the next message opens another."""
        with self._turn:
            self._drop()

    def _exchanged(self, message: bytes, wanted: str, deadline: float) -> bytes:
        is_old = self._connection is not None
        try:
            return self._tried(message, wanted, deadline)
        except (OSError, FrameError) as error:
            self._drop()
            if is_old and isinstance(error, ConnectionError | ssl.SSLEOFError):
                return self._exchanged(message, wanted, deadline)  # it was closed meanwhile; once: now it is new
            raise NoAcknowledgment(f"No acknowledgment came: {type(error).__name__}") from error

    def _tried(self, message: bytes, wanted: str, deadline: float) -> bytes:
        connection, splitter = self._connected()
        connection.settimeout(_left(deadline))
        connection.sendall(framed(message))
        while True:
            answer = _answer(connection, splitter, deadline)
            if _acknowledges(answer, wanted):
                return answer
            self.passed_over += 1

    def _connected(self) -> tuple[socket.socket, Splitter]:
        if self._connection is None or self._splitter is None:
            self._connection = _connected(self.host, self.port, self.timeout, self.tls)
            self._splitter = Splitter(MAX_ANSWER_BYTES)
        return self._connection, self._splitter

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._splitter = None


def send(
    host: str, port: int, message: bytes, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None
) -> bytes:
    """The acknowledgment of this message, whatever it says, by a connection of its own. `timeout` in seconds, for
    all of it. Raises NoAcknowledgment."""
    wanted = header(message).control_id
    deadline = time.monotonic() + timeout
    try:
        with _connected(host, port, timeout, tls) as connection:
            connection.sendall(framed(message))
            answer = _answer(connection, Splitter(MAX_ANSWER_BYTES), deadline)
    except (OSError, FrameError) as error:
        raise NoAcknowledgment(f"No acknowledgment came: {type(error).__name__}") from error
    if acknowledged(answer)[1] != wanted:
        raise WrongAcknowledgment("MSA-2 of the answer is not MSH-10 of the message")
    return answer


def _connected(host: str, port: int, timeout: float, tls: ssl.SSLContext | None) -> socket.socket:
    plain = socket.create_connection((host, port), timeout)
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _answer(connection: socket.socket, splitter: Splitter, deadline: float) -> bytes:
    while (answer := splitter.next()) is None:
        connection.settimeout(_left(deadline))
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError
        splitter.feed(data)
    return answer


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _wait(attempt: int) -> float:
    """Seconds before the next try: doubled each time, and spread, so that senders do not march in step."""
    wait: float = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
    return wait * (0.75 + random.random() / 2)  # noqa: S311 - not a secret


def _acknowledges(answer: bytes, wanted: str) -> bool:
    try:
        return acknowledged(answer)[1] == wanted
    except WrongAcknowledgment:
        return False


def acknowledged(answer: bytes) -> tuple[str, str]:
    """MSA-1, the code, and MSA-2, the control id. Raises WrongAcknowledgment where there is none."""
    fields = _segment(answer, "MSA")
    if fields is None:
        raise WrongAcknowledgment("The answer has no MSA segment")
    code, control_id, *_ = [*fields[1:], "", ""]
    return code, control_id


def error_code(answer: bytes) -> str:
    """The code of table 0357: ERR-3.1, or before version 2.5 ERR-1.4.1; empty where none is given."""
    head = header(answer)
    fields = [*(_segment(answer, "ERR") or []), "", "", "", ""]
    component, subcomponent = head.separators[1], head.separators[4]
    modern = fields[3].partition(component)[0]
    old = [*fields[1].split(component), "", "", "", ""][3].partition(subcomponent)[0]
    return modern or old


def _segment(answer: bytes, wanted: str) -> list[str] | None:
    """The fields of the first such segment. Raises WrongAcknowledgment where the answer is no message."""
    try:
        mark = header(answer).separators[0]
    except NoHeader:
        raise WrongAcknowledgment("The answer is not an HL7 message") from None
    for segment in answer.decode("latin-1").replace("\n", "\r").split("\r"):
        fields = segment.split(mark)
        if fields[0] == wanted:
            return fields
    return None
