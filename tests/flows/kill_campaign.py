"""kill -9 again and again under a load of hospital messages: none lost, none doubled, none half applied.

    python -m tests.flows.kill_campaign --database sqlite|postgresql [--kills 100] [--messages 100000]
                                        [--connections 8] [--drain-minutes 60]

Each kill hits at a moment chosen at random: all processes of the hub at once, its first process (which listens),
its web and worker process, or (PostgreSQL) the database. Senders repeat what was not acknowledged, with the same
control id. Measured is how long the hub takes to be back: from the kill (of the database: from when it is up again)
until HTTP answers and a hospital has an acknowledgment. Afterwards the worker goes on until all is processed, or
the time for it is over; then is counted:

- lost: acknowledged and not in the inbox; doubled: a control id, or the Provenance of a message, that is there
  twice, or a visit with two Encounters;
- half applied: processed without its Provenance, or with one and not processed;
- broken: what does not hold of I2, I3 (of the newest resources), I6 and I7 (tests/faults/invariants.py).

Exit code 1 where one of these is not 0. A page of the last runs is docs/benchmarks.md.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import text

from hub.inbox import listing
from hub.spool import Spool
from hub.store.engine import Database
from tests.faults import invariants
from tests.flows import stories
from tests.flows.hospital_load import Hospital
from tests.flows.hub_process import HubProcess
from tests.postgresql import Cluster

SAMPLE = 2000  # resources whose index is compared


@dataclass
class Found:
    """What the campaign counted."""

    database: str
    kills: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    repeated: int = 0
    refused: int = 0
    processed: int = 0
    waiting: int = 0
    other_states: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    half: int = 0
    broken: int = 0
    back: dict[str, list[float]] = field(default_factory=dict)  # by kind of kill: seconds, each
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        wrong = self.lost or self.doubled or self.half or self.broken or self.refused or self.other_states
        return not wrong

    def told(self) -> dict[str, Any]:
        """For a page: of the seconds the median and the longest, of what was lost the bound (95 %)."""
        back = {kind: [round(median(each), 1), round(max(each), 1)] for kind, each in self.back.items()}
        return asdict(self) | {"back": back, "lost below, of a million": round(3e6 / max(1, self.acknowledged), 1)}


def message(control_id: str, visit: str, event: str) -> bytes:
    """One of 5,000 invented persons."""
    number = sum(map(ord, visit)) * 7919 + len(visit) + int(visit.rpartition("-")[2])
    return stories.adt(event, control_id, visit=visit, cin=f"9{number % 5000:07d}C").encode()


class Campaign:
    def __init__(self, hub: HubProcess, cluster: Cluster | None, chance: random.Random):
        self.hub, self.cluster, self.chance = hub, cluster, chance
        self.kinds: dict[str, Callable[[], None]] = {
            "all": hub.kill,
            "first": self._first,
            "second": self._second,
        }
        if cluster:
            self.kinds["database"] = self._database

    def kill(self) -> str:
        """Kill something, and bring all back."""
        kind = self.chance.choice(sorted(self.kinds))
        self.kinds[kind]()
        return kind

    def bring_back(self) -> None:
        """As a supervisor does: the first process ends by itself when its web process is killed twice within some
        seconds."""
        if not self.hub.is_running():
            self.hub.start()

    def _first(self) -> None:
        """The others end by themselves."""
        os.kill(self.hub.pid, signal.SIGKILL)
        self.hub.wait_for_end()

    def _second(self) -> None:
        """One of the others; the first process makes a new one, or ends."""
        others = [pid for pid in self.hub.pids() if pid != self.hub.pid]
        if others:
            os.kill(self.chance.choice(others), signal.SIGKILL)

    def _database(self) -> None:
        assert self.cluster
        self.cluster.stop(immediately=True)
        self.cluster.start()


@dataclass(frozen=True, slots=True)
class Size:
    kills: int
    messages: int
    connections: int
    drain_seconds: float


def run(database: str, url: str, folder: Path, cluster: Cluster | None, size: Size) -> Found:
    """Faults of the hub are counted, not raised."""
    (folder / "facilities.csv").write_text(stories.FACILITIES)
    hub = HubProcess(folder, url)
    hub.command("migrate")
    hub.start()
    found, began = Found(database), time.monotonic()
    campaign = Campaign(hub, cluster, random.Random(7))
    each = size.messages // size.connections
    pace = _Pace(size.kills, each * size.connections)
    hospitals = [Hospital(n, each, message, hub.mllp_port, pace.is_open) for n in range(size.connections)]
    pace.hospitals = hospitals
    for hospital in hospitals:
        hospital.start()
    try:
        while found.kills < size.kills:
            pace.until(found.kills, campaign.bring_back)
            began_kill = time.monotonic()
            kind = campaign.kill()
            since = time.monotonic() if kind == "database" else began_kill
            found.by_kind[kind] = found.by_kind.get(kind, 0) + 1
            found.kills += 1
            pace.kills_done = found.kills
            if (back := pace.back(campaign)) is not None:
                found.back.setdefault(kind, []).append(back - since)
            if found.kills % 10 == 0:
                print(f"{database}: {found.kills} kills, {pace.acknowledged()} acknowledged", flush=True)
        while any(hospital.is_alive() for hospital in hospitals):
            campaign.bring_back()
            time.sleep(0.1)
        _drain(Database(url), size.drain_seconds)
    finally:
        for hospital in hospitals:
            hospital.end.set()
        hub.stop()
    found.seconds = round(time.monotonic() - began, 1)
    _count(Database(url), hospitals, found, hub.fhir)
    return found


class _Pace:
    """As many messages between two kills as between any two: each kill falls somewhere among its share of them."""

    def __init__(self, kills: int, messages: int):
        self.hospitals: list[Hospital] = []
        self.kills_done = 0
        self._share = messages / kills

    def acknowledged(self) -> int:
        return sum(len(each.sent.acknowledged) for each in self.hospitals)

    def is_open(self) -> bool:
        """Whether messages of this share are left."""
        return self.acknowledged() < (self.kills_done + 1) * self._share

    def until(self, kills: int, bring_back: Callable[[], None]) -> None:
        """Wait for the next kill."""
        wanted = (kills + random.uniform(0.02, 0.9)) * self._share
        while self.acknowledged() < wanted and any(each.is_alive() for each in self.hospitals):
            bring_back()
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.05))

    def back(self, campaign: Campaign) -> float | None:
        """The moment at which HTTP answers and something was acknowledged; None where nothing is left to send."""
        time.sleep(0.02)  # what was on its way before the kill
        before = self.acknowledged()
        while self.acknowledged() == before or not campaign.hub._answers(()):
            campaign.bring_back()
            if not any(each.is_alive() for each in self.hospitals):
                return None
            time.sleep(0.01)
        return time.monotonic()


def _drain(database: Database, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with database.read() as connection:
            left = listing.counts(connection).get("received", 0)
        if not left:
            break
        time.sleep(2)
    database.close()


def _count(database: Database, hospitals: list[Hospital], found: Found, base: str) -> None:
    if database.is_sqlite:
        spool = Spool(database)
        while spool.move():
            pass
        spool.close()
    acknowledged = {name for each in hospitals for name in each.sent.acknowledged}
    found.acknowledged = len(acknowledged)
    found.repeated = sum(each.sent.repeated for each in hospitals)
    found.refused = sum(len(each.sent.refused) for each in hospitals)
    with database.read() as connection:
        rows = connection.execute(text("SELECT control_id, state FROM inbox")).all()
        states = {row.control_id: row.state for row in rows}
        told = Counter(_told(connection))
        visits = Counter(_visits(connection))
        found.broken = invariants.gaps(connection) + invariants.wrong_index(connection, base, SAMPLE)
        found.broken += invariants.unsound(connection) + invariants.changed_messages(connection)
    found.lost = len(acknowledged - states.keys())
    doubled = len(rows) - len(states) + sum(count - 1 for count in (*told.values(), *visits.values()))
    found.doubled = doubled
    by_state = Counter(states.values())
    found.processed, found.waiting = by_state.pop("processed", 0), by_state.pop("received", 0)
    found.other_states = dict(by_state)
    done = {name for name, state in states.items() if state == "processed"}
    found.half = len(done ^ told.keys())
    database.close()


def _told(connection: Any) -> Iterator[str]:
    for _, body in invariants.bodies(connection, "Provenance"):
        provenance = json.loads(body)
        yield from (entity["what"]["identifier"]["value"] for entity in provenance.get("entity", ()))


def _visits(connection: Any) -> Iterator[str]:
    for _, body in invariants.bodies(connection, "Encounter"):
        yield json.loads(body)["identifier"][0]["value"]


@contextmanager
def ground(database: str, folder: Path) -> Iterator[tuple[str, Cluster | None]]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'hub.db'}", None
        return
    with Cluster() as cluster:
        yield cluster.create_database("campaign"), cluster


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--drain-minutes", type=float, default=60)
    options = parser.parse_args()
    size = Size(options.kills, options.messages, options.connections, options.drain_minutes * 60)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-campaign-")))
        url, cluster = stack.enter_context(ground(options.database, folder))
        found = run(options.database, url, folder, cluster, size)
    print(json.dumps(found.told()), flush=True)
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
