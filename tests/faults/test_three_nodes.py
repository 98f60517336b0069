"""R22, R23: three nodes on one PostgreSQL, 64 clients: one winner of each version and no gap, one resource of each
identity."""

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest

from auth.development_token import new_key
from hub.store.engine import Database
from tests.faults.invariants import broken
from tests.flows.hub_process import HubProcess
from tests.hub.asking import FHIR_JSON, mrn, patient, register, token_of
from tests.postgresql import Cluster

NODES, CLIENTS = 3, 64
BY = "identifier=https://hospital.invalid/mrn|"
pytestmark = pytest.mark.postgresql


@dataclass
class County:
    nodes: list[HubProcess]
    database: Database

    def ask(self, client: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Each client has a node of its own."""
        port = self.nodes[client % NODES].http_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        sent = {"Authorization": f"Bearer {token_of('all')}", "Content-Type": FHIR_JSON}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/fhir{path}", None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, json.loads(data) if data else None


@pytest.fixture(scope="module")
def county(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    url = postgresql.create_database("three_nodes", "migrated")
    database = Database(url)
    register(database, new_key("ES384"))
    folders = [tmp_path_factory.mktemp(f"node-{number}") for number in range(NODES)]
    settings = {"HUB_SECRET_KEY": "k" * 32, "HUB_BASE_URL": "http://127.0.0.1:1", "HUB_RATE_PER_SECOND": "0"}
    nodes = [HubProcess(folder, url, **settings) for folder in folders]
    try:
        with ThreadPoolExecutor(NODES) as pool:
            list(pool.map(lambda node: node.start("--web"), nodes))
        yield County(nodes, database)
    finally:
        for node in nodes:
            if node._process is not None:
                node.stop()
        database.close()


def together(work: Callable[[int], Any]) -> list[Any]:
    barrier = Barrier(CLIENTS)

    def one(number: int) -> Any:
        barrier.wait(60)
        return work(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=pytest.mark.long)])
def test_64_writers_on_three_nodes_have_one_winner_of_each_version(county: County, rounds: int) -> None:
    name = f"r{rounds}"
    county.ask(0, "PUT", f"/Patient/{name}", patient(name))
    for version in range(1, rounds + 1):

        def write(client: int, version: int = version) -> int:
            resource = patient(name, name=[{"family": f"{version}-{client}"}])
            return county.ask(client, "PUT", f"/Patient/{name}", resource, If_Match=f'W/"{version}"')[0]

        assert Counter(together(write)) == {200: 1, 412: CLIENTS - 1}
    told = [county.ask(0, "GET", f"/Patient/{name}/_history/{version}") for version in range(2, rounds + 2)]
    assert [body["name"][0]["family"].partition("-")[0] for _, body in told] == [
        str(version) for version in range(1, rounds + 1)
    ]
    assert broken(county.database) == []


@pytest.mark.parametrize("identities", [20, pytest.param(1000, marks=pytest.mark.long)])
def test_64_clients_of_three_nodes_that_race_to_create_make_one_of_each_identity(
    county: County, identities: int
) -> None:
    """Each identity is wanted by eight of them, whichever node they ask."""

    def create(client: int) -> list[tuple[int, str]]:
        mine = [f"{identities}-{n}" for n in range(identities) if (n + client) % 8 == 0]
        answers = (
            county.ask(client, "POST", "/Patient", patient(identifier=mrn(n)), If_None_Exist=f"{BY}{n}")
            for n in mine
        )
        return [(status, body["id"]) for status, body in answers]

    done = [answer for answers in together(create) for answer in answers]
    assert Counter(status for status, _ in done) == {201: identities, 200: 7 * identities}
    assert len({identity for _, identity in done}) == identities
    assert broken(county.database) == []
