"""The people around the hub: a client with keys, and a webhook receiver that checks signatures."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from auth.development_token import new_key, public_jwks
from tests.flows.hub_process import HubProcess


@dataclass
class Partner:
    """A registered client: its id and its private key's file."""

    id: str
    key: Path

    def token(self, hub: HubProcess, scope: str = "system/*.cruds") -> str:
        return hub.command("token", "--client", self.id, "--key", str(self.key), "--scope", scope).strip()


def register(hub: HubProcess, id: str, role: str = "custodian", scope: str = "system/*.cruds") -> Partner:
    """Make a key pair and add the client by the command line, as an operator would."""
    key = new_key("ES384")
    private, public = hub.folder / f"{id}.private.json", hub.folder / f"{id}.jwks.json"
    private.write_text(json.dumps(key))
    public.write_text(json.dumps(public_jwks(key)))
    hub.command("clients", "add", id, "--name", id.title(), "--role", role, "--scope", scope, "--jwks", str(public))
    return Partner(id, private)


@dataclass
class Receiver:
    """Where notices arrive. `status` is what it answers; `got` are (headers, body) in order of arrival."""

    url: str
    host: str
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        """The bodies, when at least `count` have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, seconds), f"{len(self.got)} of {count}"
        return [json.loads(body) for _, body in self.got]

    def events(self, seconds: float = 20, count: int = 1) -> list[dict[str, Any]]:
        """Bodies that are event notifications, when at least `count` have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self._events()) >= count, seconds), "no event arrived"
        return self._events()

    def _events(self) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in self.got]
        return [body for body in bodies if kind_of(body) == "event-notification"]

    def verify(self, secret: str) -> int:
        """Check every signature with the PyPI package standardwebhooks; how many there were."""
        for headers, body in self.got:
            Webhook(secret).verify(body, headers)
        return len(self.got)


def kind_of(notification: dict[str, Any]) -> str:
    """The `type` of a notification's status. R5 Backport, backport-subscription-status-r4."""
    status = notification["entry"][0]["resource"]
    return next(p["valueCode"] for p in status["parameter"] if p["name"] == "type")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A webhook receiver on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.arrived:
                receiver.got.append((headers, body))
                receiver.arrived.notify_all()
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = f"127.0.0.1:{server.server_address[1]}"
    receiver = Receiver(f"http://{host}/notices", host)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
