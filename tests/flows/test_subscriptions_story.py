"""A partner's Subscriptions over real sockets: a websocket and a webhook, what the hub tells of both, and the
operator's commands. The websocket's client is one that nobody here wrote."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.asyncio.client import connect

from hub.notifications.topics import GRAVITY
from tests.flows import stories
from tests.flows.hub_process import HubProcess, free_port, running
from tests.flows.partners import Receiver, receiving, register

TASK = f"{GRAVITY}Task"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hub(database_url: str, tmp_path: Path, receiver: Receiver) -> Iterator[HubProcess]:
    port = str(free_port())
    with running(tmp_path, database_url, HUB_WEBHOOK_HOSTS=receiver.host, HUB_WEBSOCKET_PORT=port) as found:
        yield found


def test_a_partner_is_told_of_a_referral_by_websocket_and_by_webhook(hub: HubProcess, receiver: Receiver) -> None:
    partner = register(hub, "sunrise-cms")
    api = requests.Session()
    api.headers["Authorization"] = f"Bearer {partner.token(hub)}"
    api.headers["Content-Type"] = "application/fhir+json"
    assert api.post(hub.fhir, json=stories.member_and_care_plan()).status_code == 200
    (patient,) = [entry["resource"]["id"] for entry in api.get(f"{hub.fhir}/Patient").json()["entry"]]

    hook = _subscribed(api, hub, {"type": "rest-hook", "endpoint": receiver.url})
    socket = _subscribed(api, hub, {"type": "websocket"})
    told = asyncio.run(asyncio.wait_for(_listening(api, hub, socket, patient), 30))
    assert [one["type"] for one in told] == ["handshake", "event-notification", "event-notification"]

    assert len(receiver.events(count=2)) == 2
    found = api.get(f"{hub.fhir}/Subscription/{hook}/$events?content=full-resource").json()
    tasks = [entry["resource"] for entry in found["entry"][1:]]
    assert [task["status"] for task in tasks] == ["requested", "accepted"]
    (status,) = api.get(f"{hub.fhir}/Subscription/{socket}/$status").json()["entry"]
    assert {"name": "events-since-subscription-start", "valueString": "2"} in status["resource"]["parameter"]
    _wait_for(lambda: hub.command("notices", "log", hook).count("sent") == 3)
    assert hook in hub.command("notices", "list")


def _subscribed(api: requests.Session, hub: HubProcess, channel: dict[str, Any]) -> str:
    asked = stories.subscription(TASK, "unused")
    asked["_criteria"]["extension"][0]["valueString"] = "Task?status=requested,accepted"
    del asked["channel"]["endpoint"]
    asked["channel"] |= channel
    answer = api.post(f"{hub.fhir}/Subscription", json=asked)
    assert answer.status_code == 201, answer.text
    url = f"{hub.fhir}/Subscription/{answer.json()['id']}"
    _wait_for(lambda: api.get(url).json()["status"] == "active")
    return str(answer.json()["id"])


async def _listening(
    api: requests.Session, hub: HubProcess, subscription: str, patient: str
) -> list[dict[str, Any]]:
    """Handshake, then the notices of a Task that is written twice."""
    answer = api.get(f"{hub.fhir}/Subscription/{subscription}/$get-ws-binding-token").json()
    given = {p["name"]: next(v for n, v in p.items() if n != "name") for p in answer["parameter"]}
    async with connect(given["websocket-url"]) as socket:
        await socket.send(f"bind-with-token {given['token']}")
        told = [_read(await socket.recv())]
        task = {"resourceType": "Task", "status": "requested", "intent": "order"}
        task |= {"for": {"reference": f"Patient/{patient}"}}
        made = await asyncio.to_thread(lambda: api.post(f"{hub.fhir}/Task", json=task).json())
        told.append(_read(await socket.recv()))
        changed = made | {"status": "accepted"}
        await asyncio.to_thread(lambda: api.put(f"{hub.fhir}/Task/{made['id']}", json=changed))
        return [*told, _read(await socket.recv())]


def _read(text: str | bytes) -> dict[str, Any]:
    bundle = json.loads(text)
    parameters = bundle["entry"][0]["resource"]["parameter"]
    return {p["name"]: p.get("valueCode") for p in parameters}


def _wait_for(holds: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
