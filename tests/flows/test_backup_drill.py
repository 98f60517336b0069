"""R28: a hub is backed up while it works, its machine is lost, and a bare one goes on from the backup.

Whatever was acknowledged before the backup began is there once, and is finished: messages that waited are
processed, notices that waited leave. What hospitals send again changes nothing. The audit's chain is the same one.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from hub.spool import Spool
from hub.store.engine import Database
from hub.store.tables import inbox, outbox, resource
from tests.faults.invariants import broken
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.flows.partners import Receiver, receiving, register

JSON = {"Content-Type": "application/fhir+json"}
SYSTEM = "https://nowhere.example/drill"
SECONDS = 60


@dataclass
class Load:
    """A hospital and a client that do not stop; what they were told is safe, in order."""

    hub: HubProcess
    token: str
    messages: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in (self._message, self._flag)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, one: Callable[[int], None]) -> None:
        number = 0
        while not self._stop.wait(0.03):
            number += 1
            one(number)

    def _message(self, number: int) -> None:
        name = f"D{number}"
        try:
            answer = send("127.0.0.1", self.hub.mllp_port, message(name), timeout=10)
        except NoAcknowledgment:
            return
        assert acknowledged(answer) == ("AA", name)
        self.messages.append(name)

    def _flag(self, number: int) -> None:
        name = f"F{number}"
        flag = {
            "resourceType": "Basic",
            "identifier": [{"system": SYSTEM, "value": name}],
            "code": {"text": "drill"},
        }
        try:
            answer = requests.post(f"{self.hub.fhir}/Basic", json=flag, headers=_headers(self.token), timeout=10)
        except requests.RequestException:
            return
        if answer.status_code == 201:
            self.flags.append(name)


def message(name: str) -> bytes:
    return stories.adt("A01", name, visit=f"V{name}", cin=f"9{int(name[1:]) % 50:07d}C").encode()


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} | JSON


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def bare_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of the database of another machine: nothing is in it."""
    if database_url.startswith("sqlite"):
        yield ""
        return
    cluster, name = request.getfixturevalue("postgresql"), f"restored_{os.getpid()}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


def wait_for(seen: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.long])],
    indirect=True,
)
def test_a_hub_lives_on_from_a_backup_that_was_made_under_load(
    database_url: str, bare_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    old, new, backups = tmp_path / "old", tmp_path / "new", tmp_path / "backups"
    old.mkdir()
    (old / "facilities.csv").write_text(stories.FACILITIES)
    url = "" if database_url.startswith("sqlite") else database_url
    hub = HubProcess(old, url, HUB_WEBHOOK_HOSTS=receiver.host)
    hub.command("migrate")
    hub.start()
    try:
        token = register(hub, "sunrise-cms").token(hub)
        _subscribe(hub, token, receiver)
        with Load(hub, token) as load:
            wait_for(lambda: len(load.messages) > 5, "a load")
            receiver.status = 503  # from now on notices wait
            wait_for(lambda: min(len(load.messages), len(load.flags)) > 10, "a load")
            safe = list(load.messages), list(load.flags)
            folder = Path(hub.command("backup", str(backups)).splitlines()[0])
            count = len(load.messages)
            wait_for(lambda: len(load.messages) > count, "the hub works on")
            hub.kill()  # and its machine is gone
    finally:
        if hub.is_running():
            hub.kill()
    held = json.loads((folder / "manifest.json").read_text())

    new.mkdir()
    again = HubProcess(new, bare_url, HUB_WEBHOOK_HOSTS=receiver.host)
    again.take_the_place_of(hub)
    began = time.monotonic()
    again.command("restore", str(folder))
    print(f"restored in {time.monotonic() - began:.1f} s")
    assert "Head: " in again.command("audit", "verify", "--expect-head", held["audit_head"])
    receiver.status = 200
    receiver.got.clear()
    again.start()
    try:
        there = bare_url or f"sqlite:///{new / 'hub.db'}"
        _all_is_done(there)
        _is_there_once(there, *safe)
        told = len(receiver.events())  # what waited when the backup was made
        for name in safe[0]:  # the hospital sends again from the time of the backup
            assert acknowledged(send("127.0.0.1", again.mllp_port, message(name), timeout=10)) == ("AA", name)
        assert acknowledged(send("127.0.0.1", again.mllp_port, message("N1"), timeout=10)) == ("AA", "N1")
        _all_is_done(there)
        _is_there_once(there, [*safe[0], "N1"], safe[1])
        receiver.events(count=told + 1)
    finally:
        again.stop()
    database = Database(there, pool_size=2)
    assert broken(database, again.fhir, journals=new / "audit") == []
    database.close()


def _subscribe(hub: HubProcess, token: str, receiver: Receiver) -> None:
    assert requests.post(hub.fhir, json=stories.member_and_care_plan(), headers=_headers(token), timeout=10).ok
    wanted = stories.subscription(stories.ADMISSION, receiver.url, "class=IMP")
    answer = requests.post(f"{hub.fhir}/Subscription", json=wanted, headers=_headers(token), timeout=10)
    assert answer.status_code == 201, answer.text
    url = f"{hub.fhir}/Subscription/{answer.json()['id']}"
    active = lambda: requests.get(url, headers=_headers(token), timeout=10).json()["status"] == "active"  # noqa: E731
    wait_for(active, "the Subscription is active")


def _all_is_done(url: str) -> None:
    """Nothing waits in the inbox, nor in the outbox."""
    database = Database(url, pool_size=2)
    spool = Spool(database) if database.is_sqlite else None

    def is_done() -> bool:
        while spool and spool.move():
            pass
        with database.read() as connection:
            waits = connection.execute(select(inbox.c.seq).where(inbox.c.state == "received").limit(1)).first()
            undone = connection.execute(select(outbox.c.seq).where(outbox.c.state == "waiting").limit(1)).first()
        return waits is None and undone is None

    try:
        wait_for(is_done, "all is done")
    finally:
        database.close()


def _is_there_once(url: str, messages: list[str], flags: list[str]) -> None:
    database = Database(url, pool_size=2)
    with database.read() as connection:
        rows = connection.execute(select(inbox.c.control_id, inbox.c.state)).all()
        kinds = (resource.c.type.in_(("Basic", "Encounter")), resource.c.deleted.is_(False))
        bodies = [json.loads(body) for body in connection.execute(select(resource.c.body).where(*kinds)).scalars()]
    database.close()
    states = {row.control_id: row.state for row in rows}
    assert len(states) == len(rows)
    assert {states.get(name) for name in messages} == {"processed"}
    named = [each["identifier"][0]["value"] for each in bodies if each.get("identifier")]
    assert len(named) == len(set(named))
    assert {*flags, *(f"V{name}" for name in messages)} <= set(named)
