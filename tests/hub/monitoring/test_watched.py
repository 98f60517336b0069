"""What balancers and Prometheus ask: true answers, also where the database is gone, and nobody's name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text

from adapters.adt.mllp_client import send
from hub.clock import micros, now
from hub.monitoring import counters
from hub.monitoring.exposition import Exposition
from hub.monitoring.gauges import GAUGES, Node
from hub.monitoring.health import Readiness
from hub.referrals.clock_table import CLOCKS
from hub.rest.watched import count, doors
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from tests.flows import stories
from tests.flows.hub_process import HubProcess, free_port, running

TOKEN = "metrics-token-of-a-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    counters.requests.cache_clear()
    yield
    counters.requests.cache_clear()


def client(database: Database, folder: Path, token: str = TOKEN) -> FlaskClient:
    app = Flask("watched")
    count(app)
    node = Node(database, folder, CLOCKS)
    app.register_blueprint(doors(Readiness(database, folder, "9.9"), Exposition(node, "9.9"), token))
    return app.test_client()


def message(state: str, seconds_ago: int, control_id: str) -> dict[str, object]:
    at = micros(now()) - seconds_ago * 1_000_000
    row = {"source": "adt", "feed": "NOWHERE", "control_id": control_id, "digest": b"d", "raw": b"MSH|secret"}
    return row | {"received": at, "state": state}


def values(body: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in body.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_a_hub_that_is_well_is_ready(database: Database, tmp_path: Path) -> None:
    asked = client(database, tmp_path)
    assert asked.get("/livez").json == {"status": "pass"}
    answer = asked.get("/readyz")
    assert (answer.status_code, answer.content_type) == (200, "application/health+json")
    body = json.loads(answer.data)
    assert set(body["checks"]) == {
        *("database:responds", "database:writes", "database:schema", "process:stays", "disk:free")
    }
    assert body["checks"]["database:schema"] == [{"status": "pass"}]


def test_a_hub_without_its_schema_is_not_ready_and_lives(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    asked = client(database, tmp_path)
    answer = asked.get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.data)["checks"]["database:schema"] == [{"status": "fail"}]
    assert asked.get("/livez").status_code == 200


def test_a_hub_without_its_database_is_not_ready_and_tells_what_it_counted(tmp_path: Path) -> None:
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    asked = client(gone, tmp_path)
    answer = asked.get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.data)["checks"]["database:responds"] == [{"status": "fail"}]
    told = asked.get("/metrics", headers=BEARER)
    found = values(told.text)
    assert (told.status_code, found["hub_up"]) == (200, 0.0)
    assert found['hub_http_request_seconds_count{endpoint="watched.readyz",status="503"}'] == 1.0
    assert not any(name.startswith("hub_inbox") for name in found)


def test_metrics_say_what_waits_and_name_nobody(database: Database, tmp_path: Path) -> None:
    work = {"kind": "notice", "payload": b'{"secret": 1}', "due": micros(now()) - 5_000_000, "created": 1}
    with database.write() as connection:
        for number, state in enumerate(("received", "dead", "dead", "processed")):
            connection.execute(insert(inbox).values(**message(state, 30, f"C{number}")))
        connection.execute(insert(outbox).values(key="one", state="dead", **work))
        connection.execute(insert(outbox).values(key="two", state="waiting", **work))
    told = client(database, tmp_path).get("/metrics", headers=BEARER)
    found = values(told.text)
    assert found["hub_up"] == 1.0
    assert found['hub_inbox_messages{state="dead"}'] == 2.0
    assert 'hub_inbox_messages{state="processed"}' not in found
    assert 29 < found["hub_inbox_oldest_seconds"] < 600
    assert found['hub_outbox_rows{kind="notice",state="dead"}'] == 1.0
    assert 4 < found["hub_outbox_oldest_seconds"] < 600
    assert found["hub_database_bytes"] > 10_000
    assert found["hub_disk_free_bytes"] > 0
    assert found['hub_build_info{version="9.9"}'] == 1.0
    assert "secret" not in told.text
    assert "NOWHERE" not in told.text
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name.partition("{")[0]) for name in found} <= {
        *(gauge.name for gauge in GAUGES), *(name for name, *_ in counters.COUNTED), "hub_up", "hub_build_info"
    }  # fmt: skip


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_metrics_want_their_token(sent: dict[str, str], tmp_path: Path, migrated_sqlite: Path) -> None:
    answer = client(Database(f"sqlite:///{migrated_sqlite}"), tmp_path).get("/metrics", headers=sent)
    assert (answer.status_code, answer.data) == (401, b"")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_without_a_token_there_are_no_metrics(tmp_path: Path, migrated_sqlite: Path) -> None:
    assert client(Database(f"sqlite:///{migrated_sqlite}"), tmp_path, "").get("/metrics").status_code == 404


def test_a_running_hub_counts_for_all_its_processes(database_url: str, tmp_path: Path) -> None:
    with running(tmp_path, database_url, HUB_METRICS_TOKEN=TOKEN, HUB_WEB_PROCESSES="2") as hub:
        assert requests.get(f"{hub.base}/readyz", timeout=10).json()["status"] in ("pass", "warn")
        assert requests.get(f"{hub.base}/livez", timeout=10).status_code == 200
        for _ in range(6):
            assert requests.get(f"{hub.fhir}/Patient/secret-id", timeout=10).status_code == 401
        for message in (stories.adt("A01", "M1"), stories.adt("A01", "M2"), stories.adt("Z99", "M3")):
            send("127.0.0.1", hub.mllp_port, message.encode(), timeout=10)
        told = requests.get(f"{hub.base}/metrics", headers=BEARER, timeout=10).text
        found = values(told)
        assert found['hub_http_request_seconds_count{endpoint="GET /<type>/<id>",status="401"}'] == 6.0
        assert found["hub_up"] == 1.0
        assert found['hub_mllp_answers_total{code="AA",listener="default"}'] == 2.0
        assert found['hub_mllp_answers_total{code="AR",listener="default"}'] == 1.0
        assert "secret-id" not in told
        assert "NOWHERE" not in told
        assert requests.get(f"{hub.base}/metrics", timeout=10).status_code == 401
        assert "has the schema of this release" in hub.command("doctor")
        assert "The hub can start" in hub.command("config", "check")


def test_a_node_that_only_listens_for_hospitals_is_watched_by_a_port_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    hub = HubProcess(tmp_path, HUB_METRICS_TOKEN=TOKEN, HUB_WATCH_PORT=str(port))
    hub.command("migrate")
    hub.start("--mllp")
    try:
        send("127.0.0.1", hub.mllp_port, stories.adt("A01", "M1").encode(), timeout=10)
        at = f"http://127.0.0.1:{port}"
        told = requests.get(f"{at}/metrics", headers=BEARER, timeout=10).text
        assert values(told)['hub_mllp_answers_total{code="AA",listener="default"}'] == 1.0
        assert [requests.get(at + path, timeout=10).status_code for path in ("/livez", "/readyz")] == [200, 200]
        assert requests.get(f"{at}/metrics", timeout=10).status_code == 401
        assert requests.get(f"{at}/fhir/metadata", timeout=10).status_code == 404
        taken = HubProcess(tmp_path, HUB_WATCH_PORT=str(port), HUB_MLLP_PORT=str(free_port()))
        assert "cannot be listened on" in taken.command("serve", "--mllp", check=False)
    finally:
        hub.stop()
