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


class Relay:
    """A TCP relay to `port` of this machine that counts turns: the hub speaks, then waits for the server."""

    def __init__(self, port: int):
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.turns = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                heard = threading.Event()  # the server has spoken since the hub did
                heard.set()
                threading.Thread(target=self._up, args=(near, far, heard), daemon=True).start()
                threading.Thread(target=self._down, args=(far, near, heard), daemon=True).start()

    def _up(self, near: socket.socket, far: socket.socket, heard: threading.Event) -> None:
        with suppress(OSError):
            while piece := near.recv(PIECE):
                if heard.is_set():
                    heard.clear()
                    with self._lock:
                        self.turns += 1
                far.sendall(piece)
        _end(far)

    def _down(self, far: socket.socket, near: socket.socket, heard: threading.Event) -> None:
        with suppress(OSError):
            while piece := far.recv(PIECE):
                heard.set()
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
        """Turns of one request, once its statements are prepared on the pooled connection."""
        for _ in range(8):
            ask()
        before = self.relay.turns
        ask()
        return self.relay.turns - before


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
