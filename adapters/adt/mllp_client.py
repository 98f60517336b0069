"""Send one message over MLLP and wait for its acknowledgment.

Rules: HL7 "Transport Specification: MLLP, Release 1"; HL7 v2.5.1 chapter 2.9.2: MSA-2 repeats MSH-10.
Refuses: silence and a closed connection (NoAcknowledgment: the message may or may not be stored, send it again
with the same control id); an answer to another message (WrongAcknowledgment), which is never taken for ours.
"""

import socket
import ssl
import time

from adapters.adt.frames import FrameError, Splitter, framed
from adapters.adt.header import NoHeader, header

MAX_ANSWER_BYTES = 1 << 20


class NoAcknowledgment(Exception):
    """No answer came: refused, closed or timed out."""


class WrongAcknowledgment(NoAcknowledgment):
    """An answer came that acknowledges another message, or none."""


def send(host: str, port: int, message: bytes, timeout: float = 30, tls: ssl.SSLContext | None = None) -> bytes:
    """The acknowledgment of this message. `timeout` in seconds, for all of it; `tls` as adapters.adt.tls.client
    makes it. Raises NoAcknowledgment."""
    wanted = header(message).control_id
    deadline = time.monotonic() + timeout
    try:
        with _connected(host, port, timeout, tls) as connection:
            connection.sendall(framed(message))
            answer = _answer(connection, deadline)
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


def _answer(connection: socket.socket, deadline: float) -> bytes:
    splitter = Splitter(MAX_ANSWER_BYTES)
    while (answer := splitter.next()) is None:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError
        splitter.feed(data)
    return answer


def acknowledged(answer: bytes) -> tuple[str, str]:
    """MSA-1, the code, and MSA-2, the control id. Raises WrongAcknowledgment where there is none."""
    try:
        mark = header(answer).separators[0]
    except NoHeader:
        raise WrongAcknowledgment("The answer is not an HL7 message") from None
    for segment in answer.decode("latin-1").replace("\n", "\r").split("\r"):
        name, code, control_id, *_ = [*segment.split(mark), "", "", ""]
        if name == "MSA":
            return code, control_id
    raise WrongAcknowledgment("The answer has no MSA segment")
