"""Where the notices of tests.bench.notice_kills arrive: receivers that are quick, slow, or fail now and then."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.flows.partners import kind_of

SLOW_SECONDS = 0.05
FAILS = 25  # of so many one


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Subscription: its name, how its receiver answers, and how many events it takes in one notice."""

    name: str
    seconds: float = 0.0
    fails: int = 0
    most: int = 1


SUBSCRIPTIONS = (
    Wanted("quick"),
    Wanted("second"),
    Wanted("slow", seconds=SLOW_SECONDS),
    Wanted("failing", fails=FAILS),
    Wanted("several", fails=FAILS, most=5),
)


@dataclass
class Receiver:
    """By Subscription what came, in order of arrival: (number of the event, id of the Encounter)."""

    host: str
    chance: random.Random = field(default_factory=lambda: random.Random(11))
    came: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str, body: bytes) -> int:
        """The status to answer."""
        asked = next(one for one in SUBSCRIPTIONS if one.name == name)
        bundle = json.loads(body)
        if kind_of(bundle) != "event-notification":
            return 200
        with self.turn:
            self.came.setdefault(name, []).extend(_told(bundle))
            fails = asked.fails and self.chance.randrange(asked.fails) == 0
        time.sleep(asked.seconds)
        return 503 if fails else 200


def _told(bundle: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for parameter in bundle["entry"][0]["resource"]["parameter"]:
        if parameter["name"] == "notification-event":
            parts = {part["name"]: part for part in parameter["part"]}
            focus = parts["focus"]["valueReference"]["reference"].rpartition("/")[2]
            yield int(parts["event-number"]["valueString"]), focus


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(self.path.strip("/"), body))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A hub that was killed while it sent is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
