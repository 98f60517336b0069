"""kill -9 again and again while Subscriptions are told of writes: no notice lost, none out of order.

    python -m tests.bench.notice_kills [50] [--database sqlite|postgresql|both]

Clients write Encounters, and repeat each write until it is acknowledged; five Subscriptions ask for them, with a
receiver that answers at once, one that is slow, one that fails now and then, and one that takes several events in a
notice. Each kill hits at a moment chosen at random (tests.flows.kill_campaign.Campaign): all processes of the hub,
its first one, another one, or PostgreSQL. Afterwards the hub works on until nothing waits. For each Subscription is
counted what its receiver got, whether it took it or not:

- lost: acknowledged writes that no notice names; numbers between 1 and the hub's own count that never came;
- disordered: a number that came for the first time after a higher one;
- changed: a number that named one thing and then another, or a write that has two numbers;
- dead: notices that were given up.

A number that comes again, about the same thing, is no fault: whoever sends at least once sends twice. Exit code 1
where one of the faults is not 0.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select, text

from hub.store.engine import Database
from hub.store.tables import outbox
from tests.bench.kill_receivers import SUBSCRIPTIONS, Receiver, receiving
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.flows.kill_campaign import Campaign, ground
from tests.flows.partners import Partner, register
from tests.postgresql import Cluster

WRITERS = 2
PACE = 0.03  # seconds between two writes of one writer
WRITES_A_KILL = 20
PATIENCE = 180  # seconds in which nothing that waits gets less: a lease of a killed worker lasts 60
MAX_COUNT = f"{stories.BACKPORT}backport-max-count"


@dataclass
class Found:
    """What the campaign counted, over all Subscriptions."""

    database: str
    kills: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    notices: int = 0
    again: int = 0
    lost: int = 0
    disordered: int = 0
    changed: int = 0
    dead: int = 0
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.disordered or self.changed or self.dead)


class Writer(threading.Thread):
    """Writes one Encounter after the other; repeats each until it is acknowledged."""

    def __init__(self, number: int, hub: HubProcess, partner: Partner, token: str):
        super().__init__(name=f"writer-{number}", daemon=True)
        self._number, self._hub, self._partner, self._token = number, hub, partner, token
        self.acknowledged: list[str] = []
        self.end = threading.Event()

    def run(self) -> None:
        session = requests.Session()
        while not self.end.is_set():
            name = f"k{self._number}-{len(self.acknowledged)}"
            while not self._is_written(session, name):
                time.sleep(PACE)
            self.acknowledged.append(name)
            time.sleep(PACE)

    def _is_written(self, session: requests.Session, name: str) -> bool:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/fhir+json"}
        try:
            url = f"{self._hub.fhir}/Encounter/{name}"
            answer = session.put(url, json=encounter(name), headers=headers, timeout=20)
        except requests.RequestException:
            return False
        if answer.status_code == 401:  # a token lasts five minutes
            self._token = _token(self._partner, self._hub)
        assert answer.status_code in (200, 201, 401) or answer.status_code >= 500, answer.text
        return answer.status_code in (200, 201)


def encounter(name: str) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": name,
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "identifier": [{"system": "https://nowhere.example/kill", "value": name}],
    }


def _token(partner: Partner, hub: HubProcess) -> str:
    """The token endpoint may be away just now."""
    for _ in range(60):
        try:
            return partner.token(hub)
        except AssertionError:
            time.sleep(0.5)
    return partner.token(hub)


def run(database: str, url: str, folder: Path, cluster: Cluster | None, kills: int) -> Found:
    """Faults of the hub are counted, not raised."""
    found, began = Found(database), time.monotonic()
    with receiving() as receiver:
        hub = HubProcess(folder, url, HUB_WEBHOOK_HOSTS=receiver.host, HUB_RATE_PER_SECOND="0")
        hub.command("migrate")
        hub.start()
        try:
            partner = register(hub, "partner")
            names = _subscribed(hub, partner.token(hub), receiver)
            writers = [Writer(n, hub, partner, partner.token(hub)) for n in range(WRITERS)]
            _killed(Campaign(hub, cluster, random.Random(7)), writers, found, kills)
            _drained(Database(url))
        finally:
            hub.stop()
    acknowledged = [name for writer in writers for name in writer.acknowledged]
    _count(Database(url), names, receiver, acknowledged, found)
    found.seconds = round(time.monotonic() - began, 1)
    return found


def _subscribed(hub: HubProcess, token: str, receiver: Receiver) -> dict[str, str]:
    """By name the Subscriptions' ids, when they are active."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    names: dict[str, str] = {}
    for one in SUBSCRIPTIONS:
        asked = stories.subscription(stories.ADMISSION, f"http://{receiver.host}/{one.name}", "class=IMP")
        asked["channel"]["_payload"]["extension"][0]["valueCode"] = "id-only"
        asked["channel"]["extension"] = [{"url": MAX_COUNT, "valuePositiveInt": one.most}]
        answer = requests.post(f"{hub.fhir}/Subscription", json=asked, headers=headers, timeout=20)
        assert answer.status_code == 201, answer.text
        names[one.name] = answer.json()["id"]
    told = f"{hub.fhir}/Subscription?status=active&_summary=count"
    _until(lambda: requests.get(told, headers=headers, timeout=20).json()["total"] == len(names))
    return names


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def _killed(campaign: Campaign, writers: Sequence[Writer], found: Found, kills: int) -> None:
    """As many writes are acknowledged between two kills as between any two: each falls somewhere among these."""
    for writer in writers:
        writer.start()
    chance = random.Random(3)
    try:
        for number in range(kills):
            wanted = (number + chance.uniform(0.2, 1)) * WRITES_A_KILL
            while sum(len(writer.acknowledged) for writer in writers) < wanted:
                campaign.bring_back()
                time.sleep(0.01)
            kind = campaign.kill()
            found.by_kind[kind] = found.by_kind.get(kind, 0) + 1
            found.kills += 1
            campaign.bring_back()
    finally:
        for writer in writers:
            writer.end.set()
        while any(writer.is_alive() for writer in writers):
            campaign.bring_back()
            time.sleep(0.1)


def _drained(database: Database) -> None:
    """Nothing waits any more; or it does not get less."""
    least, deadline = sys.maxsize, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with database.read() as connection:
            left = len(connection.execute(select(outbox.c.seq).where(outbox.c.state == "waiting")).all())
        if not left:
            break
        if left < least:
            least, deadline = left, time.monotonic() + PATIENCE
        time.sleep(0.3)
    database.close()


def _count(
    database: Database, names: dict[str, str], receiver: Receiver, acknowledged: Sequence[str], found: Found
) -> None:
    with database.read() as connection:
        rows = connection.execute(text("SELECT subscription, events FROM subscription_counter")).all()
        dead = select(outbox.c.seq).where(outbox.c.state == "dead")
        found.dead = len(connection.execute(dead).all())
    database.close()
    counted = {row.subscription: int(row.events) for row in rows}
    found.acknowledged = len(acknowledged)
    for name, identity in names.items():
        compare(receiver.came.get(name, []), counted.get(identity, 0), acknowledged, found)


def compare(came: Sequence[tuple[int, str]], events: int, acknowledged: Sequence[str], found: Found) -> None:
    """What one receiver got, with how many events the hub counted and what it acknowledged: into `found`."""
    about: dict[int, str] = {}
    highest = 0
    for number, focus in came:
        found.notices += 1
        if number in about:
            found.again += 1
            found.changed += about[number] != focus
            continue
        about[number] = focus
        found.disordered += number < highest
        highest = max(highest, number)
    found.changed += len(about) - len(set(about.values()))
    found.lost += len(set(acknowledged) - set(about.values()))
    found.lost += len(set(range(1, events + 1)) - about.keys())
    found.changed += len(about.keys() - set(range(1, events + 1)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=50)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args()
    clean = True
    for name in ("sqlite", "postgresql") if options.database == "both" else (options.database,):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="notice-kills-")))
            url, cluster = stack.enter_context(ground(name, folder))
            found = run(name, url, folder, cluster, options.kills)
        print(json.dumps(asdict(found)), flush=True)
        clean = clean and found.is_clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
