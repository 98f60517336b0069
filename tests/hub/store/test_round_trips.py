"""How often the hub waits for PostgreSQL: at most once for a read, at most four times for a create.

Counted where it costs, on the wire: a small relay stands between the hub and the server and counts how often the
hub speaks after the server has answered, BEGIN and COMMIT too. The audit writes its own records, those of many
answers at a time (hub.audit); it is not in this application.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from auth.development_token import new_key
from hub.store.engine import Database
from tests.hub.asking import MRN, Api, app_of, entry, mrn, patient, register
from tests.postgresql import Cluster

pytestmark = pytest.mark.postgresql
PIECE = 64 * 1024
TWELVE = [entry("POST", "Patient", patient(identifier=mrn(f"turn-of-{number}"))) for number in range(12)]


class Line:
    """One connection: its turns, and whether somebody waits for them."""

    def __init__(self) -> None:
        self.turns = 0
        self.is_calling = False  # other nodes, after a commit, by a thread of its own (hub.store.calls)
        self.heard = threading.Event()  # the server has spoken since the hub did
        self.heard.set()

    def said(self, piece: bytes) -> None:
        self.is_calling |= b"pg_notify" in piece
        self.turns += self.heard.is_set()
        self.heard.clear()


class Relay:
    """A TCP relay to `port` of this machine that counts turns: the hub speaks, then waits for the server."""

    def __init__(self, port: int):
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._lines: list[Line] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def turns(self) -> int:
        return sum(line.turns for line in self._lines if not line.is_calling)

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                self._lines.append(line := Line())
                threading.Thread(target=self._up, args=(near, far, line), daemon=True).start()
                threading.Thread(target=self._down, args=(far, near, line), daemon=True).start()

    def _up(self, near: socket.socket, far: socket.socket, line: Line) -> None:
        with suppress(OSError):
            while piece := near.recv(PIECE):
                line.said(piece)
                far.sendall(piece)
        _end(far)

    def _down(self, far: socket.socket, near: socket.socket, line: Line) -> None:
        with suppress(OSError):
            while piece := far.recv(PIECE):
                line.heard.set()
                near.sendall(piece)
        _end(near)

    def close(self) -> None:
        self._listening.close()


def _end(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True)
class Watched:
    api: Api
    relay: Relay

    def turns(self, ask: Callable[[], Any]) -> int:
        """Turns of one request, once its statements are prepared on the pooled connection: the least of four, for a
        server that answers while the rest of a long statement is on its way looks like one more."""
        for _ in range(8):
            ask()
        found = []
        for _ in range(4):
            before = self.relay.turns
            ask()
            found.append(self.relay.turns - before)
        return min(found)


@pytest.fixture(scope="module")
def watched(postgresql: Cluster) -> Iterator[Watched]:
    straight = postgresql.create_database("round_trips", "migrated")
    relay = Relay(postgresql.port)
    database = Database(make_url(straight).set(port=relay.port).render_as_string(hide_password=False), pool_size=2)
    register(database, new_key("ES384"))
    yield Watched(Api(app_of(database), database), relay)
    database.close()
    relay.close()
    postgresql.drop_database("round_trips")


def test_a_read_is_one_round_trip(watched: Watched) -> None:
    there = watched.api.post("/Patient", patient(identifier=mrn("turn-0"))).json["id"]
    assert watched.turns(lambda: watched.api.get(f"/Patient/{there}")) <= 1
    assert watched.turns(lambda: watched.api.get(f"/Patient/{there}/_history/1")) <= 1


def test_a_search_is_one_round_trip(watched: Watched) -> None:
    watched.api.post("/Patient", patient(identifier=mrn("turn-1")))
    assert watched.turns(lambda: watched.api.get(f"/Patient?identifier={MRN}|turn-1")) <= 1


def test_a_create_is_at_most_four(watched: Watched) -> None:
    assert watched.turns(lambda: watched.api.post("/Patient", patient(identifier=mrn("turn-2")))) <= 4
    assert watched.turns(lambda: watched.api.bundle("transaction", *TWELVE)) <= 4


def test_an_update_is_at_most_four(watched: Watched) -> None:
    there = watched.api.post("/Patient", patient(identifier=mrn("turn-3"))).json
    days = iter(range(1, 29))

    def update() -> Any:
        answer = watched.api.put(f"/Patient/{there['id']}", there | {"birthDate": f"1950-01-{next(days):02}"})
        assert answer.status_code == 200
        return answer

    assert watched.turns(update) <= 4
