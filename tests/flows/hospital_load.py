"""Hospitals that do not give up: messages over several connections, sent again until each is acknowledged.

Each connection sends its own visits in order, some messages at a time; what was not acknowledged when the
connection broke is sent again with the same control id, as senders do.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from adapters.adt.frames import FrameError, Splitter, framed
from adapters.adt.mllp_client import acknowledged

EVENTS = ("A01", "A08", "A02", "A08", "A03")  # a visit; whole visits are sent in this order
AT_ONCE = 8  # messages on the way on one connection
PAUSE = 0.02


@dataclass
class Sent:
    """What became of the messages, by control id."""

    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    repeated: int = 0  # sent more than once


def control_ids(connection: int, messages: int) -> Iterator[tuple[str, str, str]]:
    """(control id, visit, event) of each message of a connection."""
    for number in range(messages):
        visit = f"VL{connection}-{number // len(EVENTS)}"
        yield f"L{connection}-{number}", visit, EVENTS[number % len(EVENTS)]


class Hospital(threading.Thread):
    """One connection. `message` makes the bytes of (control id, visit, event); while `gate` says no, nothing is
    sent."""

    def __init__(
        self,
        number: int,
        messages: int,
        message: Callable[[str, str, str], bytes],
        port: int,
        gate: Callable[[], bool],
    ):
        super().__init__(name=f"hospital-{number}", daemon=True)
        self._coming = ((name, message(name, *what)) for name, *what in control_ids(number, messages))
        self._left: deque[tuple[str, bytes]] = deque()  # made, and not yet acknowledged
        self._port = port
        self._gate = gate
        self.sent = Sent()
        self.end = threading.Event()

    def run(self) -> None:
        tried: set[str] = set()
        while self._next() and not self.end.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), 5) as connection:
                    connection.settimeout(10)
                    self._talk(connection, tried)
            except (OSError, FrameError):
                time.sleep(PAUSE)

    def _talk(self, connection: socket.socket, tried: set[str]) -> None:
        splitter = Splitter(1 << 20)
        while (some := self._next()) and not self.end.is_set():
            if not self._gate():
                time.sleep(PAUSE)
                continue
            self.sent.repeated += sum(name in tried for name, _ in some)
            tried.update(name for name, _ in some)
            connection.sendall(b"".join(framed(message) for _, message in some))
            for name, _ in some:
                self._take(name, _answer(connection, splitter))
                tried.discard(name)

    def _next(self) -> list[tuple[str, bytes]]:
        """Those that are sent next; none where all are acknowledged."""
        self._left += islice(self._coming, AT_ONCE - len(self._left))
        return list(self._left)

    def _take(self, name: str, answer: bytes) -> None:
        code, control_id = acknowledged(answer)
        assert control_id == name, "an acknowledgment out of turn"
        if code in ("AA", "CA"):
            self.sent.acknowledged.add(name)
        else:
            self.sent.refused[name] = code
        self._left.popleft()


def _answer(connection: socket.socket, splitter: Splitter) -> bytes:
    while (answer := splitter.next()) is None:
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError
        splitter.feed(data)
    return answer
