"""One trace from the hospital's frame, or a client's request, to the webhook: seen by a collector of OpenTelemetry.

The processes of a hub share nothing but the database, and no column of it holds a trace.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from adapters.adt.mllp_client import acknowledged, send
from tests.flows import stories
from tests.flows.collecting import Collector, Seen, collecting
from tests.flows.county_partners import eventually
from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import Receiver, kind_of, receiving, register

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LAST = CALLER.replace("0af7", "0af8")
SAID = ("FHIR  ", "OAuth ", "MLLP  ", "Worker running", "Ctrl-C stops.")
TO_THE_WEBHOOK = {"store.commit", "outbox.work event", "outbox.work notice", "webhook.post"}
# of the people and messages of the story
CANARIES = ("Testperson", "Alder", stories.CIN, "VTRACE", "TRACED-1", "NOWHERE", "ADTAPP", "Birch", "ZQCANARY")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


DATABASES = [
    pytest.param("sqlite", marks=pytest.mark.long),
    pytest.param("postgresql", marks=pytest.mark.postgresql),
]


@pytest.fixture
def hub(database_url: str, tmp_path: Path, receiver: Receiver, collector: Collector) -> Iterator[HubProcess]:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    logged = {"HUB_LOG_FORMAT": "json", "HUB_LOG_LEVEL": "info"}
    with running(tmp_path, database_url, HUB_WEBHOOK_HOSTS=receiver.host, **traced, **logged) as found:
        yield found


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
def test_a_message_and_a_request_are_one_trace_each_to_the_webhook(
    hub: HubProcess, receiver: Receiver, collector: Collector
) -> None:
    api = requests.Session()
    api.headers["Authorization"] = f"Bearer {register(hub, 'sunrise-cms').token(hub)}"
    api.headers["Content-Type"] = "application/fhir+json"
    assert api.post(hub.fhir, json=stories.member_and_care_plan(), timeout=10).ok
    wanted = stories.subscription(stories.ADMISSION, receiver.url)
    asked = api.post(f"{hub.fhir}/Subscription", json=wanted, timeout=10).json()["id"]
    eventually(
        lambda: api.get(f"{hub.fhir}/Subscription/{asked}", timeout=10).json()["status"] == "active",
        "the Subscription is active",
    )

    # a hospital's message
    message = stories.adt("A01", "TRACED-1", visit="VTRACE").encode()
    assert acknowledged(send("127.0.0.1", hub.mllp_port, message, timeout=10)) == ("AA", "TRACED-1")
    (notice,) = receiver.events()
    trace, caller = _told(receiver, 0)
    spans = collector.wait_for(trace, {"inbox.arrival", "inbox.process", *TO_THE_WEBHOOK})
    (first,) = _hangs_together(spans)
    assert (first.name, first.role) == ("inbox.arrival", "first")
    assert caller in {span.id for span in spans if span.name == "webhook.post"}

    # a client's request, within the client's own trace
    encounter = next(
        e["resource"] for e in notice["entry"] if e.get("resource", {}).get("resourceType") == "Encounter"
    )
    mine = {name: encounter[name] for name in ("resourceType", "status", "class", "subject", "period")}
    answer = api.post(
        f"{hub.fhir}/Encounter",
        json=mine | {"identifier": [{"system": "https://nowhere.example", "value": "ZQCANARY"}]},
        headers={"traceparent": CALLER},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    receiver.events(count=2)
    trace, _ = _told(receiver, 1)
    assert trace == CALLER[3:35]
    spans = collector.wait_for(trace, {"http.request", *TO_THE_WEBHOOK})
    (first,) = _hangs_together(spans, CALLER[36:52])
    assert first.attributes["http.response.status_code"] == 201

    # nobody is named, neither of what was asked nor of what was sent
    assert api.get(f"{hub.fhir}/Patient?family=Testperson-Alder", timeout=10).status_code == 200
    assert api.request("ZQCANARY", f"{hub.fhir}/Encounter/ZQCANARY", timeout=10).status_code == 405
    assert api.get(f"{hub.fhir}/Encounter/ZQCANARY", headers={"traceparent": LAST}, timeout=10).status_code == 404
    collector.wait_for(LAST[3:35], {"http.request"})
    everything = b"".join(collector.raw)
    assert [word for word in CANARIES if word.encode() in everything] == []
    known = {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "hub.source",
        "hub.receipt",
        "hub.kind",
        "hub.number",
        "hub.attempt",
        "hub.entries",
        "error.type",
    }
    assert {name for span in collector.spans for name in span.attributes} <= known
    _lines_of_the_log_belong_to_their_traces(hub)


def _lines_of_the_log_belong_to_their_traces(hub: HubProcess) -> None:
    """Each line is a JSON object, but what is said on the terminal at the start; none names anybody."""
    text = hub.log.read_text(encoding="utf-8")
    assert [word for word in CANARIES if word in text] == []
    lines = [json.loads(line) for line in text.splitlines() if not line.startswith(SAID)]
    assert {"time", "level", "logger", "role", "pid", "message"} <= set.intersection(*map(set, lines))
    assert all(line["time"].endswith("Z") for line in lines)
    (asked,) = [line for line in lines if line.get("trace") == LAST[3:35]]
    assert (asked["logger"], asked["role"]) == ("hub.access", "web")


def _told(receiver: Receiver, place: int) -> tuple[str, str]:
    """The trace and the span that came with a notice."""
    notices = [headers for headers, body in receiver.got if kind_of(json.loads(body)) == "event-notification"]
    _, trace, span, flags = notices[place]["traceparent"].split("-")
    assert flags == "01"
    return trace, span


def _hangs_together(spans: list[Seen], above: str = "") -> list[Seen]:
    """Each span is once, below another one of the trace; the ones at the top."""
    ids = [span.id for span in spans]
    assert len(ids) == len(set(ids))
    assert {span.parent for span in spans} <= {*ids, above}
    assert all(span.seconds >= 0 for span in spans)
    return [span for span in spans if span.parent == above]
