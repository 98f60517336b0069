"""kill -9 of every process at any moment, twenty times under load: what was acknowledged is there once.
PostgreSQL is crashed together with the hub at every fifth kill.

Load: hospital messages over MLLP, creates and versioned updates over REST, notices to a receiver that stays up.
A request whose answer never came may have happened or not; it must not have happened twice or by half.
"""

import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, text

from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from hub.inbox import listing
from hub.spool import Spool
from hub.store.engine import Database
from hub.store.tables import history, outbox, resource
from tests.faults.invariants import broken
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.flows.partners import Receiver, kind_of, receiving, register

SYSTEM = "https://nowhere.example/kill"


@dataclass
class Told:
    """What the hub acknowledged, by the load's own names."""

    messages: set[str] = field(default_factory=set)
    unknown_messages: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    unknown_created: set[str] = field(default_factory=set)
    versions: list[int] = field(default_factory=list)
    kills: int = 0


class Load:
    """Four senders that go on while the hub is killed under them."""

    def __init__(self, hub: HubProcess, token: str, told: Told):
        self.hub, self.token, self.told = hub, token, told
        self._pause, self._stop = threading.Event(), threading.Event()
        work = (self._hospital, self._hospital, self._creator, self._updater)
        self._threads = [threading.Thread(target=self._run, args=(one, n)) for n, one in enumerate(work)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, work: Callable[[int, int], None], sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            work(sender, number)

    def _hospital(self, sender: int, number: int) -> None:
        name = f"K{sender}-{number}"
        cin = f"9{number % 50:07d}C"
        message = stories.adt("A01", name, visit=f"VK{sender}-{number}", cin=cin).encode()
        try:
            answer = send("127.0.0.1", self.hub.mllp_port, message, timeout=10)
        except NoAcknowledgment:
            self.told.unknown_messages.add(name)
            time.sleep(0.02)
        else:
            assert acknowledged(answer)[0] == "AA", answer
            self.told.messages.add(name)
            time.sleep(0.06)

    def _post(self, method: str, path: str, body: dict[str, Any], **headers: str) -> requests.Response | None:
        try:
            return requests.request(
                method,
                f"{self.hub.fhir}/{path}",
                data=json.dumps(body),
                headers={
                    "Authorization": f"Bearer {self.token}",
                    "Content-Type": "application/fhir+json",
                    **headers,
                },
                timeout=10,
            )
        except requests.RequestException:
            time.sleep(0.02)
            return None

    def _creator(self, sender: int, number: int) -> None:
        """A transaction of two linked resources: both or none."""
        name = f"C{number}"
        answer = self._post("POST", "", _pair(name))
        if answer is not None and answer.status_code == 200:
            self.told.created.add(name)
        elif answer is None or answer.status_code >= 500:
            self.told.unknown_created.add(name)
        else:
            raise AssertionError(answer.text)

    def _updater(self, sender: int, number: int) -> None:
        answer = self._post("PUT", "Basic/counter", _counter(number))
        if answer is not None and answer.status_code in (200, 201):
            self.told.versions.append(int(answer.json()["meta"]["versionId"]))


def _pair(name: str) -> dict[str, Any]:
    patient = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": name}]}
    flag = {
        "resourceType": "Flag",
        "identifier": [{"system": SYSTEM, "value": name}],
        "status": "active",
        "code": {"text": "kill test"},
        "subject": {"reference": "urn:uuid:11111111-2222-4333-8444-555555555555"},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:11111111-2222-4333-8444-555555555555",
                "resource": patient,
                "request": {"method": "POST", "url": "Patient"},
            },
            {"resource": flag, "request": {"method": "POST", "url": "Flag"}},
        ],
    }


def _counter(number: int) -> dict[str, Any]:
    return {"resourceType": "Basic", "id": "counter", "code": {"text": f"count {number} {random.random()}"}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.long)])
def test_kills_lose_nothing_double_nothing_and_leave_no_half(
    database_url: str, tmp_path: Path, receiver: Receiver, request: pytest.FixtureRequest, kills: int
) -> None:
    cluster = None if database_url.startswith("sqlite") else request.getfixturevalue("postgresql")
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    hub = HubProcess(tmp_path, database_url, HUB_WEBHOOK_HOSTS=receiver.host)
    hub.command("migrate")
    hub.start()
    partner = register(hub, "sunrise-cms")
    token = partner.token(hub)
    told = Told()
    try:
        _prepare(hub, token, receiver)
        load = Load(hub, token, told)
        load.start()
        try:
            for _ in range(kills):
                time.sleep(random.uniform(0.05, 0.9))
                hub.kill()
                told.kills += 1
                if cluster and told.kills % 5 == 0:  # PostgreSQL crashes, too
                    cluster.stop(immediately=True)
                    cluster.start()
                hub.start()
        finally:
            load.stop()
        _drain(Database(database_url))
        _wait_for_notices(Database(database_url), receiver)
    finally:
        hub.stop()
    database = Database(database_url)
    counts = (len(told.messages), len(told.created), len(told.versions))
    print("{} kills; acknowledged: {} messages, {} transactions, {} updates".format(told.kills, *counts))
    assert told.kills == kills
    assert min(counts) > kills
    _check_messages(database, told)
    _check_pairs(database, told)
    _check_versions(database, told)
    assert broken(database, hub.fhir, journals=tmp_path / "audit", bundles={SYSTEM: 2}) == []
    _check_notices(database, receiver)
    database.close()


def _prepare(hub: HubProcess, token: str, receiver: Receiver) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.post(hub.fhir, json=stories.member_and_care_plan(), headers=headers | _JSON, timeout=10).ok
    wanted = stories.subscription(stories.ADMISSION, receiver.url, "class=IMP")
    answer = requests.post(f"{hub.fhir}/Subscription", json=wanted, headers=headers | _JSON, timeout=10)
    assert answer.status_code == 201, answer.text
    receiver.wait_for(1)  # the handshake
    deadline = time.monotonic() + 10
    url = f"{hub.fhir}/Subscription/{answer.json()['id']}"
    while requests.get(url, headers=headers, timeout=10).json()["status"] != "active":
        assert time.monotonic() < deadline
        time.sleep(0.05)


_JSON = {"Content-Type": "application/fhir+json"}


def _drain(database: Database, seconds: float = 180) -> None:
    """Wait until the worker has done what came in; it may take its time, but not stand still."""
    least, deadline = 10**9, time.monotonic() + seconds
    spool = Spool(database) if database.is_sqlite else None
    while True:
        while spool and spool.move():
            pass
        with database.read() as connection:
            waiting = listing.counts(connection).get("received", 0)
            undone = connection.execute(select(outbox.c.seq).where(outbox.c.state == "waiting")).all()
        if not waiting and not undone:
            database.close()
            return
        if waiting + len(undone) < least:
            least, deadline = waiting + len(undone), time.monotonic() + seconds
        assert time.monotonic() < deadline, f"{waiting} messages and {len(undone)} rows of work are left"
        time.sleep(0.2)


def _wait_for_notices(database: Database, receiver: Receiver) -> None:
    with database.read() as connection:
        count = connection.execute(text("SELECT count(*) FROM outbox WHERE kind = 'notice'")).scalar_one()
    database.close()
    receiver.wait_for(int(count), 60)


def _check_messages(database: Database, told: Told) -> None:
    """Every acknowledged message is in the inbox once and processed, and made one Encounter."""
    with database.read() as connection:
        stored = connection.execute(text("SELECT control_id, state FROM inbox")).all()
        bodies = connection.execute(select(resource.c.body).where(resource.c.type == "Encounter")).scalars().all()
    states = dict(stored)  # type: ignore[arg-type]
    assert len(states) == len(stored)
    assert told.messages <= states.keys()
    assert states.keys() <= told.messages | told.unknown_messages
    assert set(states.values()) == {"processed"}
    visits = Counter(json.loads(body)["identifier"][0]["value"] for body in bodies)
    assert visits == Counter(f"V{name}" for name in states)


def _check_pairs(database: Database, told: Told) -> None:
    """Each transaction is there wholly, once, or not at all."""
    kinds: dict[str, Counter[str]] = {}
    for kind in ("Patient", "Flag"):
        with database.read() as connection:
            bodies = connection.execute(select(resource.c.body).where(resource.c.type == kind)).scalars().all()
        identifiers = (i for body in bodies for i in json.loads(body).get("identifier", ()))
        kinds[kind] = Counter(i["value"] for i in identifiers if i["system"] == SYSTEM)
    assert kinds["Patient"] == kinds["Flag"]
    assert set(kinds["Patient"].values()) == {1}
    assert told.created <= kinds["Patient"].keys()
    assert kinds["Patient"].keys() <= told.created | told.unknown_created


def _check_versions(database: Database, told: Told) -> None:
    """Versions have no gap, and every acknowledged one is there."""
    with database.read() as connection:
        now = connection.execute(select(resource).where(resource.c.type == "Basic")).one()
        before = connection.execute(select(history.c.version).where(history.c.rid == now.rid)).scalars().all()
    assert sorted([*before, now.version]) == list(range(1, now.version + 1))
    assert len(set(told.versions)) == len(told.versions)
    assert max(told.versions) <= now.version


def _check_notices(database: Database, receiver: Receiver) -> None:
    """One event per admission, each told at least once, always under the same webhook-id, numbered without gap."""
    with database.read() as connection:
        admissions = connection.execute(
            select(resource.c.id).where(resource.c.type == "Encounter", resource.c.deleted.is_(False))
        ).scalars()
        wanted = set(admissions)
    ids: dict[str, set[str]] = {}
    numbers: dict[str, set[str]] = {}
    for headers, body in receiver.got:
        notice = json.loads(body)
        if kind_of(notice) != "event-notification":
            continue
        resources = [entry["resource"] for entry in notice["entry"] if "resource" in entry]
        focus = next(r["id"] for r in resources if r["resourceType"] == "Encounter")
        ids.setdefault(focus, set()).add(headers["webhook-id"])
        event = next(p for p in notice["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event")
        number = next(p["valueString"] for p in event["part"] if p["name"] == "event-number")
        numbers.setdefault(number, set()).add(focus)
    assert ids.keys() == wanted
    assert {len(found) for found in ids.values()} == {1}
    assert {len(found) for found in numbers.values()} == {1}
    assert sorted(map(int, numbers)) == list(range(1, len(wanted) + 1))


def test_the_port_is_free_again_at_once_when_only_the_first_process_is_killed(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    hub.command("migrate")
    hub.start()
    os.kill(hub.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", hub.http_port)):
                break
        assert time.monotonic() < deadline, "the web process outlived its parent"
        time.sleep(0.05)
    hub.start()
    hub.stop()
