"""A hospital's side of MLLP, over a real socket, and a listener to talk to."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import select

from adapters.adt.frames import Splitter, framed
from adapters.adt.group_commit import Accept, into
from adapters.adt.mllp_client import acknowledged
from adapters.adt.mllp_door import Door
from adapters.adt.mllp_server import MllpListener
from hub import clock
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.engine import Database
from hub.store.tables import inbox

HOST = "127.0.0.1"
PATIENCE = 5.0


def adt(
    control_id: str = "1",
    kind: str = "ADT^A01",
    processing: str = "P",
    version: str = "2.5.1",
    facility: str = "HOSPITAL_ONE",
    accept: str = "",
    application: str = "",
    note: str = "",
) -> bytes:
    """A message about an invented person."""
    msh = f"MSH|^~\\&|EHR|{facility}|HUB|CALAIM|20261122081530-0800||{kind}|{control_id}|{processing}|{version}"
    body = f"EVN|A01|20261122081500-0800\rPID|1||77^^^{facility}^MR||CANARYFAMILY^Quillon{note}\rPV1|1|I\r"
    return f"{msh}|||{accept}|{application}\r{body}".encode("latin-1")


class Peer:
    """One connection to a listener."""

    def __init__(self, port: int):
        self.socket = socket.create_connection((HOST, port), PATIENCE)
        self._splitter = Splitter(1 << 20)

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(framed(message) for message in messages))

    def answers(self, count: int) -> list[bytes]:
        """The next acknowledgments. Raises AssertionError where the connection closes before."""
        found: list[bytes] = []
        while len(found) < count:
            if (answer := self._splitter.next()) is not None:
                found.append(answer)
                continue
            data = self.socket.recv(65536)
            assert data, f"closed after {len(found)} of {count} answers"
            self._splitter.feed(data)
        return found

    def codes(self, count: int) -> list[tuple[str, str]]:
        """MSA-1 and MSA-2 of the next acknowledgments."""
        return [acknowledged(answer) for answer in self.answers(count)]

    def is_silent(self, seconds: float = 0.1) -> bool:
        """Nothing comes, and the connection stays."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b"never"
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)

    def is_closed_without_an_answer(self) -> bool:
        try:
            return self.socket.recv(65536) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


class Gate:
    """A real `accept` that waits while the gate is shut, and counts the batches."""

    def __init__(self, accept: Accept):
        self._accept = accept
        self.open = threading.Event()
        self.batches: list[int] = []

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        self.batches.append(len(arrivals))
        assert self.open.wait(20)
        return self._accept(arrivals)


class Hospital:
    """A running listener, and the peers that were made of it."""

    def __init__(self, listener: MllpListener, port: int):
        self.listener = listener
        self.port = port
        self.peers: list[Peer] = []

    def peer(self) -> Peer:
        self.peers.append(Peer(self.port))
        return self.peers[-1]

    def acknowledges(self, control_id: str) -> bool:
        """Whether a message of a new connection gets its AA."""
        peer = self.peer()
        peer.send(adt(control_id))
        return peer.codes(1) == [("AA", control_id)]

    def loses(self, control_id: str) -> bool:
        """Whether a message of a new connection gets silence and a closed connection."""
        peer = self.peer()
        peer.send(adt(control_id))
        return peer.is_closed_without_an_answer()


def door(**options: Any) -> Door:
    given: dict[str, Any] = {"port": 0, "max_bytes": 1 << 20, "idle_seconds": 60, "production": True, **options}
    return Door(HOST, **given)


@contextlib.contextmanager
def listening(accept: Database | Accept, **options: Any) -> Iterator[Hospital]:
    """`options` are those of the listener and of its door."""
    parts = {name: options.pop(name) for name in ("on_accepted", "alarm", "returns", "answered") if name in options}
    listener = MllpListener(
        [door(**options)],
        accept=into(accept) if isinstance(accept, Database) else accept,
        clock=clock.now,
        **{"on_accepted": lambda: None, **parts},
    )
    hospital = Hospital(listener, listener.start()[0])
    try:
        yield hospital
    finally:
        for peer in hospital.peers:
            peer.close()
        listener.stop(2)


def stored(database: Database) -> list[tuple[str, bytes]]:
    """State and bytes of every message in the inbox, oldest first."""
    with database.read() as connection:
        found = connection.execute(select(inbox.c.state, inbox.c.raw).order_by(inbox.c.seq)).all()
    return [(state, bytes(raw)) for state, raw in found]


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true before patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
