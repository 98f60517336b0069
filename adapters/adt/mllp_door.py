"""One address that the hub listens on for MLLP: what it wants of senders, and who is connected.

Rules: HL7 "Transport Specification: MLLP, Release 1". Every door has its own TLS, senders and limits
(adapters.adt.listener reads them); all doors of a process share one thread and one commit (mllp_server).
Refuses: more than `max_connections`. Then the oldest connection that never finished a frame makes room; where all
have, the new one is closed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from adapters.adt.mllp_connection import Connection
from adapters.adt.senders import Senders
from adapters.adt.tls import ServerTls

MAX_CONNECTIONS = 512
STALL_SECONDS = 60
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Door:
    """An address and its rules. With `tls` it speaks TLS alone; with `senders` a facility is believed from its own
    connections only; `tolerant` takes 0x1C without 0x0D for the end of a frame."""

    host: str
    port: int
    max_bytes: int
    idle_seconds: float
    production: bool
    stall_seconds: float = STALL_SECONDS
    tolerant: bool = False
    tls: ServerTls | None = None
    senders: Senders | None = None
    max_connections: int = MAX_CONNECTIONS
    name: str = DEFAULT

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" + ("" if self.name == DEFAULT else f" ({self.name})")


Took = Callable[["OpenDoor", Connection, bytes], None]


class OpenDoor:
    """A door in use; what its connections tell it, in the loop. `took` is given each whole frame."""

    def __init__(self, door: Door, took: Took, counted: Counter[str]):
        self.door = door
        self.max_bytes = door.max_bytes
        self.idle_seconds = door.idle_seconds
        self.stall_seconds = door.stall_seconds
        self.tolerant = door.tolerant
        self.connections: set[Connection] = set()
        self._unproven: dict[Connection, None] = {}  # never finished a frame; oldest first
        self._took = took
        self._counted = counted

    def joined(self, connection: Connection) -> None:
        self._counted["connections"] += 1
        if len(self.connections) >= self.door.max_connections:
            self._counted["connections closed for room"] += 1
            self._room_maker(connection).abort()
        self.connections.add(connection)
        self._unproven[connection] = None

    def _room_maker(self, newest: Connection) -> Connection:
        oldest = next(iter(self._unproven), newest)
        self._unproven.pop(oldest, None)
        return oldest

    def left(self, connection: Connection, dropped: int) -> None:
        self._counted["bytes outside of frames"] += dropped
        self.connections.discard(connection)
        self._unproven.pop(connection, None)

    def took(self, connection: Connection, frame: bytes) -> None:
        self._took(self, connection, frame)

    def proved(self, connection: Connection) -> None:
        """It sent something that it may send."""
        self._unproven.pop(connection, None)

    def may(self, connection: Connection, facility: str | None) -> bool:
        """Whether this connection may send for a facility; None stands for a message without a header."""
        senders = self.door.senders
        return senders is None or (facility is not None and senders.may(connection.peer, facility))
