"""Two web nodes over one PostgreSQL behind nginx, by deploy/nginx.conf as it is shipped: who asks, what is too
large, what hides a second request (SEC-13), and a restart of both nodes, one after the other, that nobody
notices (R27)."""

import os
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from tests.flows.hub_process import HubProcess, free_port
from tests.flows.nginx_before import Nginx
from tests.flows.partners import register
from tests.flows.test_smuggling import SMUGGLED
from tests.hub.asking import patient
from tests.postgresql import Cluster

pytestmark = pytest.mark.postgresql
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.02  # the machine's cores are for the nodes that start
KEY = "a key for tests alone, of thirty-two characters or more"


@dataclass
class Pair:
    nodes: list[HubProcess]
    nginx: Nginx
    bearer: dict[str, str]

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """As a client that knows the proxy alone."""
        more["headers"] = {**self.bearer, **more.get("headers", {})}
        return requests.request(method, self.nginx.base + path, verify=self.nginx.trusted, timeout=60, **more)


@pytest.fixture(scope="module")
def pair(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    url = postgresql.create_database("behind_nginx", "migrated")
    folders = [tmp_path_factory.mktemp(name) for name in ("web1", "web2", "nginx")]
    nodes = [HubProcess(folder, url, HUB_DRAIN_SECONDS="1", HUB_SECRET_KEY=KEY) for folder in folders[:2]]
    for node in nodes:
        node.environment |= {"HUB_WEB_THREADS": "2", "HUB_FAILURES_PER_MINUTE": "5"}
    nginx = Nginx(folders[2], [node.http_port for node in nodes], websockets=free_port())
    for node in nodes:
        node.environment["HUB_BASE_URL"] = nginx.base
    try:
        starting = [threading.Thread(target=node.start, args=("--web",)) for node in nodes]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        nginx.start()
        partner = register(nodes[0], "county")
        nodes[0].environment["REQUESTS_CA_BUNDLE"] = nginx.trusted
        yield Pair(nodes, nginx, {"Authorization": f"Bearer {partner.token(nodes[0])}"})
    finally:
        nginx.stop()
        for node in nodes:
            node.stop()
        postgresql.drop_database("behind_nginx")


def test_links_name_the_public_address_and_either_node_knows_what_the_other_wrote(pair: Pair) -> None:
    made = pair.ask("POST", "/fhir/Patient", json=patient())
    assert made.status_code == 201
    assert made.headers["Location"].startswith(f"{pair.nginx.base}/fhir/Patient/")
    assert made.headers["Strict-Transport-Security"]
    assert "nginx/" not in made.headers["Server"]
    found = pair.ask("GET", "/fhir/Patient?_count=1", headers={"X-Forwarded-Host": "evil.example"}).json()
    assert {link["url"].startswith(f"{pair.nginx.base}/fhir") for link in found["link"]} == {True}
    for node in pair.nodes:
        read = requests.get(made.headers["Location"].replace(pair.nginx.base, node.base), headers=pair.bearer)
        assert read.status_code == 200


def test_an_address_of_ones_own_choice_ends_at_the_proxy(pair: Pair) -> None:
    """Wrong tokens are counted for who sent them: another address in each request's headers changes nothing."""
    wrong = {"Authorization": "Bearer " + "x" * 43}
    seen = Counter[int]()
    for n in range(30):
        lies = {
            "X-Forwarded-For": f"198.51.100.{n}",
            "X_Forwarded_For": f"203.0.113.{n}",
            "Forwarded": f"for=192.0.2.{n}",
        }
        seen[pair.ask("GET", "/fhir/Patient/x", headers={**lies, **wrong}).status_code] += 1
    assert seen[429]
    assert set(seen) == {401, 429}
    assert pair.ask("GET", "/fhir/Patient?_count=1").status_code == 200  # whoever has a good token is not refused


def test_what_is_too_large_and_what_is_not_for_outside(pair: Pair) -> None:
    large = pair.ask(
        "POST", "/fhir/Patient", data=b" " * (10_485_760 + 1), headers={"Content-Type": "application/fhir+json"}
    )
    assert large.status_code == 413
    assert large.json()["resourceType"] == "OperationOutcome"  # the hub's word: nginx lets a little more through
    assert pair.ask("POST", "/fhir/Patient", data=b" " * (12 << 20)).status_code == 413
    assert pair.ask("GET", "/metrics").status_code == 404
    assert pair.ask("GET", "/readyz").status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(f"https://127.0.0.1:{pair.nginx.port}/livez", timeout=10)  # of an authority nobody knows


@pytest.mark.parametrize("size", [100_000, 8 << 20])
def test_who_is_refused_before_the_body_is_read_hears_why(pair: Pair, size: int) -> None:
    """RFC 9112 section 9.6 (hub.rest.lingering): a reset that overtakes the answer is a node taken for dead."""
    stale = {"Authorization": "Bearer " + "x" * 43, "Content-Type": "application/fhir+json"}

    def send(_: int) -> int:
        return pair.ask("POST", "/fhir/Patient", data=b" " * size, headers=stale).status_code

    with ThreadPoolExecutor(3) as several:
        seen = Counter(several.map(send, range(20)))
    assert set(seen) <= {401, 429}, seen
    assert pair.ask("GET", "/fhir/Patient?_count=1").status_code == 200


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED)
def test_no_second_request_is_seen(pair: Pair, sent: bytes) -> None:
    """SEC-13, through both: one answer at most, and the connection is closed behind it."""
    context = ssl.create_default_context(cafile=pair.nginx.trusted)
    found = b""
    plain = socket.create_connection(("127.0.0.1", pair.nginx.port), 30)
    with (
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
        suppress(ConnectionResetError, ssl.SSLError),
    ):
        wire.sendall(sent.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
        while part := wire.recv(65536):
            found += part
    assert found.count(b"HTTP/1.1 ") <= 1
    assert b"CapabilityStatement" not in found


def test_websockets_have_their_door(pair: Pair) -> None:
    """The upgrade reaches the worker's port."""
    from websockets.sync.server import serve

    with serve(lambda wire: wire.send(wire.recv()), "127.0.0.1", pair.nginx._websockets) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = ssl.create_default_context(cafile=pair.nginx.trusted)
        with connect(f"wss://127.0.0.1:{pair.nginx.port}/websocket", ssl=context) as wire:
            wire.send("bind-with-token x")
            assert wire.recv(10) == "bind-with-token x"
        server.shutdown()


class Client(threading.Thread):
    """Writes and reads, again and again. A 503 with Retry-After is no failure: it would be tried again."""

    def __init__(self, pair: Pair, number: int):
        super().__init__(daemon=True)
        self._pair, self._number = pair, number
        self.end = threading.Event()
        self.counted: Counter[str] = Counter()
        self.made: set[str] = set()

    def run(self) -> None:
        while not self.end.is_set():
            try:
                answer = self._pair.ask("POST", "/fhir/Patient", json=patient())
                self._take(answer)
                if answer.status_code == 201:
                    self.made.add(answer.headers["Location"].split("/Patient/")[1].partition("/")[0])
                self._take(self._pair.ask("GET", "/fhir/Patient?_count=1"))
            except requests.RequestException as error:
                self.counted[type(error).__name__] += 1
            time.sleep(PAUSE_SECONDS)

    def _take(self, answer: requests.Response) -> None:
        later = answer.status_code == 503 and "Retry-After" in answer.headers
        self.counted["later" if later else str(answer.status_code)] += 1


@pytest.mark.parametrize("replaced", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_restart_of_one_node_after_the_other_goes_unnoticed(pair: Pair, replaced: int) -> None:
    clients = [Client(pair, number) for number in range(3)]
    for client in clients:
        client.start()
    for node in pair.nodes[:replaced]:
        until_asked(clients, 5)
        os.kill(node.pid, signal.SIGTERM)
        node.wait_for_end(30)
        node.start("--web")
        time.sleep(1.5)  # nginx asks a node again a second after it refused
    until_asked(clients, 5)
    for client in clients:
        client.end.set()
    for client in clients:
        client.join(PATIENCE_SECONDS)
    seen = sum((client.counted for client in clients), Counter[str]())
    assert set(seen) <= {"201", "200", "later"}, seen
    made = set().union(*(client.made for client in clients))
    assert len(made) == seen["201"]
    assert pair.ask("GET", "/fhir/Patient?_summary=count").json()["total"] >= len(made)
    assert all(pair.ask("GET", f"/fhir/Patient/{each}").status_code == 200 for each in sorted(made)[:20])


def until_asked(clients: list[Client], times: int) -> None:
    wanted = [client.counted.total() + times for client in clients]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(client.counted.total() < least for client, least in zip(clients, wanted, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_a_node_the_proxy_says_so_as_fhir(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path, [free_port(), free_port()]).start()
    try:
        answer = requests.post(f"{nginx.base}/fhir/Patient?name=Canary", json={}, verify=nginx.trusted, timeout=30)
        assert (answer.status_code, answer.headers["Retry-After"]) == (502, "2")
        assert answer.json()["issue"][0]["code"] == "transient"
        assert "Canary" not in nginx.log
        assert "/fhir" not in nginx.log
    finally:
        nginx.stop()
