"""Many clients at the same moment, over HTTP: one resource of each identity, one winner of each version, one effect
of each transaction, and never a server error. The server works with eight threads, the clients are more."""

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from socketserver import TCPServer
from threading import Barrier, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from tests.hub.asking import FHIR_JSON, Api, entry, mrn, observation, patient, token_of

CLIENTS = 64
BY = "identifier=https://hospital.invalid/mrn|"


class Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        return None


class Pooled(WSGIServer):
    """A small web server with eight threads."""

    request_queue_size = 256

    def __init__(self, app: Any):
        super().__init__(("127.0.0.1", 0), Silent)
        self.set_app(app)
        self.pool = ThreadPoolExecutor(8)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # without asking for a host name
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.pool.submit(self._work, request, client_address)

    def _work(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(api: Api) -> Iterator[Ask]:
    """Sends one request: its status, and the body where there is one."""
    server = Pooled(api.app)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def send(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        sent = {"Authorization": f"Bearer {token_of('all')}", "Content-Type": FHIR_JSON}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/fhir{path}", None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, json.loads(data) if data else None

    yield send
    server.shutdown()
    thread.join()
    server.pool.shutdown()
    server.server_close()


def together(work: Callable[[int], Any], clients: int = CLIENTS) -> list[Any]:
    barrier = Barrier(clients)

    def one(number: int) -> Any:
        barrier.wait(20)
        return work(number)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(clients)))


@pytest.mark.parametrize("identities", [50, pytest.param(1000, marks=pytest.mark.long)])
def test_64_clients_that_race_to_create_make_one_of_each_identity(api: Api, ask: Ask, identities: int) -> None:
    """Each identity is wanted by eight of them, all in the same order."""

    def create(client: int) -> list[tuple[int, str]]:
        mine = [n for n in range(identities) if (n + client) % 8 == 0]
        answers = (ask("POST", "/Patient", patient(identifier=mrn(str(n))), If_None_Exist=f"{BY}{n}") for n in mine)
        return [(status, body["id"]) for status, body in answers]

    done = [answer for answers in together(create) for answer in answers]
    assert Counter(status for status, _ in done) == {201: identities, 200: 7 * identities}
    assert len({identity for _, identity in done}) == identities
    assert api.counts()["resource"] == identities


@pytest.mark.parametrize("versions", [3, pytest.param(30, marks=pytest.mark.long)])
def test_64_writers_of_one_version_have_one_winner_and_leave_no_gap(ask: Ask, versions: int) -> None:
    ask("PUT", "/Patient/1", patient("1"))
    for version in range(1, versions + 1):
        named = f"{version}-"
        done = together(
            lambda n, v=version, f=named: ask(  # type: ignore[misc]
                "PUT", "/Patient/1", patient("1", name=[{"family": f"{f}{n}"}]), If_Match=f'W/"{v}"'
            )[0]
        )
        assert Counter(done) == {200: 1, 412: CLIENTS - 1}
    told = [ask("GET", f"/Patient/1/_history/{version}") for version in range(1, versions + 3)]
    assert [status for status, _ in told] == [200] * (versions + 1) + [404]
    winners = [body["name"][0]["family"].partition("-")[0] for status, body in told[1:] if status == 200]
    assert winners == [str(version) for version in range(1, versions + 1)]


def identical() -> dict[str, Any]:
    """A transaction that says of everything in it how to know it again."""
    entries = [
        entry("POST", "Patient", patient(identifier=mrn("p")), full_url="urn:uuid:p", ifNoneExist=f"{BY}p"),
        entry("PUT", f"Patient?{BY}q", patient(identifier=mrn("q"))),
        entry("PUT", "Observation/o", observation("o", subject={"reference": "urn:uuid:p"})),
    ]
    for number in range(6):
        seen = observation(identifier=mrn(f"s{number}"), subject={"reference": "urn:uuid:p"})
        entries.append(entry("POST", "Observation", seen, ifNoneExist=f"{BY}s{number}"))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_8_identical_transactions_at_once_have_one_effect(api: Api, ask: Ask) -> None:
    done = together(lambda _: ask("POST", "", identical()), 8)
    assert [status for status, _ in done] == [200] * 8
    made = [[e["response"]["status"][:3] for e in body["entry"]] for _, body in done]
    assert sorted(made) == [["200"] * 9] * 7 + [["201"] * 9]
    ids = {tuple(e["resource"]["id"] for e in body["entry"]) for _, body in done}
    assert len(ids) == 1
    counts = api.counts()
    assert (counts["resource"], counts["history"]) == (9, 0)


def mixed(number: int, turn: int) -> dict[str, Any]:
    """Everything that locks, on the same few resources, in an order of its own."""
    fields = patient(identifier=mrn(f"c{number % 3}"), birthDate=f"19{10 + number}")
    parts = [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Patient.birthDate"}]
    change = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    entries = [
        *(entry("PUT", f"Patient/m{n}", patient(f"m{n}", birthDate=f"19{10 + number}")) for n in range(6)),
        *(entry("PUT", f"Patient?{BY}c{n}", fields | {"identifier": mrn(f"c{n}")}) for n in range(3)),
        entry("PATCH", "Patient/kept", change),
        entry("DELETE", f"Patient?{BY}gone"),
    ]
    turned = entries[turn + number % 11 :] + entries[: turn + number % 11]
    return {"resourceType": "Bundle", "type": "transaction", "entry": turned if number % 2 else turned[::-1]}


def test_no_deadlock_reaches_a_client(ask: Ask) -> None:
    ask("PUT", "/Patient/kept", patient("kept", birthDate="1980"))

    def work(number: int) -> list[int]:
        return [ask("POST", "", mixed(number, turn))[0] for turn in range(3)]

    assert Counter(status for statuses in together(work, 16) for status in statuses) == {200: 48}
