"""A real receiver on 127.0.0.1, and a small hub whose clock is turned by hand."""

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub import clock, outbox
from hub.access import Access
from hub.fhir import json
from hub.notifications.connections import Route
from hub.notifications.deliver import Deliveries
from hub.notifications.events import Event, effects
from hub.notifications.fan_out import FanOut
from hub.notifications.round import Versions
from hub.notifications.subscriptions import BACKPORT, Served, issues
from hub.notifications.topics import ADMISSION
from hub.sight import ALL
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Transactions, single

BASE = "https://hub.example/fhir"
SECRET = "whsec_" + base64.b64encode(b"an invented secret of 32 bytes!!").decode()
KEY = b"a key of the tests, 32 bytes long"
CLIENT = Access("client-lantern", frozenset([("*", letter) for letter in "cruds"]), "plan", sight=ALL)


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def bundle(self) -> dict[str, Any]:
        return json.read(self.body)

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the status Parameters by name."""
        found = self.bundle["entry"][0]["resource"]["parameter"]
        return {p["name"]: next(v for n, v in p.items() if n != "name") for p in found}


class Receiver(ThreadingHTTPServer):
    """Answers `status` (or the first of `answers`) and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.status = 200
        self.answers: list[int] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"

    @property
    def numbers(self) -> list[str]:
        """The event numbers of the notices that came, in order."""
        return [
            r.parameters["events-since-subscription-start"]
            for r in self.received
            if r.parameters["type"] != "handshake"
        ]

    def handle_error(self, *_: object) -> None:
        """A hub that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(
            Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        )
        if self.server.answer is not None:
            self.close_connection = True
            self.server.answer(self)
            return
        self.send_response(self.server.answers.pop(0) if self.server.answers else self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@dataclass
class SmallHub:
    """The parts that notices need. `drive()` works what is due; `wait()` lets time pass."""

    database: Database
    receiver: Receiver
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    secrets: dict[str, str] = field(default_factory=lambda: {"client-lantern": SECRET})
    asked: list[tuple[str, Event]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        hosts = (self.receiver.host,)
        served = Served(hosts, ("partner.example",), sockets=True)

        def checked(resource: dict[str, Any], kind: str, *_: object) -> list[Any]:
            return issues(resource, served) if kind == "Subscription" else []

        self.transactions = Transactions(self.database, checked, effects, BASE, self.now, header_key=KEY)
        own = Transactions(self.database, lambda *_: [], effects, BASE, self.now, header_key=KEY)
        self.deliveries = Deliveries(
            self.database, own, self.secrets.get, self.look, BASE, 2, Route(hosts), self.now, lambda: 0.5, KEY
        )
        self.handlers: dict[str, outbox.Handler] = {
            "event": FanOut(self.database, self.look, BASE, self.now),
            **self.deliveries.handlers(),
        }

    def now(self) -> datetime:
        return self.time

    def wait(self, **span: float) -> None:
        self.time += timedelta(**span)

    def look(self, owner: str, event: Event) -> dict[str, Any] | None:
        self.asked.append((owner, event))
        if owner in self.denied:
            return None
        if not event.version:
            return {}
        with self.database.read() as connection:
            return Versions(connection).resource(event)

    def put(self, resource: dict[str, Any], access: Access = CLIENT) -> int:
        """Write a resource; its version."""
        entry = single("PUT", resource["resourceType"], id=resource["id"], resource=resource)
        (result,) = self.transactions.commit([entry], access)
        assert result.stored is not None
        return result.stored.version

    def delete(self, kind: str, identity: str) -> None:
        self.transactions.commit([single("DELETE", kind, id=identity)], CLIENT)

    def get(self, kind: str, identity: str) -> dict[str, Any]:
        with self.database.read() as connection:
            found = read.current(connection, CLIENT, kind, identity)
        assert found is not None
        assert found.body is not None
        return json.stored(found.body)

    def claim(self, *kinds: str, lease: float = 60, limit: int = 10) -> list[outbox.Work]:
        wanted = kinds or tuple(self.handlers)
        now = clock.micros(self.time)
        return self.database.writing(lambda c: outbox.claim(c, wanted, now, lease, limit))

    def settle(self, work: outbox.Work, settled: outbox.Outcome) -> bool:
        return self.database.writing(lambda c: outbox.settle(c, work, settled))

    def drive(self, *kinds: str) -> None:
        """Work all that is due, as the worker does."""
        while claimed := self.claim(*kinds):
            for work in claimed:
                self.settle(work, self.handlers[work.kind](work))

    def rows(self, state: str, kind: str = "notice") -> list[outbox.Entry]:
        """Rows in a state, oldest first."""
        with self.database.read() as connection:
            return [row for row in reversed(outbox.listed(connection, state)) if row.kind == kind]

    def subscribe(self, identity: str = "sub-1", **changes: Any) -> None:
        """A Subscription, asked for and (if the receiver agrees) active."""
        self.put(wanted(self.receiver.url, identity, **changes))
        self.wait(milliseconds=1)  # a second version is later than the first, by the clock or by a microsecond
        self.drive()

    def admit(self, identity: str = "enc-1", patient: str = "pat-1") -> None:
        self.put(encounter(identity, patient))


@pytest.fixture
def hub(database: Database, receiver: Receiver) -> SmallHub:
    return SmallHub(database, receiver)


def wanted(
    endpoint: str,
    identity: str = "sub-1",
    *,
    topic: str = ADMISSION,
    content: str = "id-only",
    filters: tuple[str, ...] = (),
    header: tuple[str, ...] = (),
    status: str = "requested",
    timeout: int = 0,
    end: str = "",
    channel: str = "rest-hook",
    payload: str = "application/fhir+json",
    heartbeat: int = 0,
    most: int = 0,
) -> dict[str, Any]:
    """A Subscription as a client sends it."""
    resource: dict[str, Any] = {
        "resourceType": "Subscription",
        "id": identity,
        "status": status,
        "reason": "Follow up after hospital stays",
        "criteria": topic,
        "channel": {
            "type": channel,
            "endpoint": endpoint,
            "payload": payload,
            "_payload": {"extension": [{"url": BACKPORT + "backport-payload-content", "valueCode": content}]},
        },
    }
    if filters:
        extensions = [{"url": BACKPORT + "backport-filter-criteria", "valueString": text} for text in filters]
        resource["_criteria"] = {"extension": extensions}
    if header:
        resource["channel"]["header"] = list(header)
    if not endpoint:
        del resource["channel"]["endpoint"]
    if numbers := [
        {"url": f"{BACKPORT}backport-{name}", kind: number}
        for name, kind, number in (
            ("timeout", "valueUnsignedInt", timeout),
            ("heartbeat-period", "valueUnsignedInt", heartbeat),
            ("max-count", "valuePositiveInt", most),
        )
        if number
    ]:
        resource["channel"]["extension"] = numbers
    if end:
        resource["end"] = end
    return resource


def encounter(identity: str = "enc-1", patient: str = "pat-1", status: str = "in-progress") -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": identity,
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": f"Patient/{patient}"},
    }
