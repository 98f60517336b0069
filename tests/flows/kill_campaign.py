"""kill -9 again and again under a load of hospital messages: none lost, none doubled, none half applied.

    python -m tests.flows.kill_campaign --database sqlite|postgresql [--kills 100] [--messages 100000]
                                        [--connections 8] [--drain-minutes 60]

Each kill hits at a moment chosen at random: all processes of the hub at once, its first process (which listens),
its web and worker process, or (PostgreSQL) the database. Senders repeat what was not acknowledged, with the same
control id. Afterwards the worker goes on until all is processed, or the time for it is over; then is counted:

- lost: acknowledged and not in the inbox; doubled: a control id, or the Provenance of a message, that is there
  twice, or a visit with two Encounters;
- half applied: processed without its Provenance, or with one and not processed; an index that is not what the
  resources say (of a sample).

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
from typing import Any

from sqlalchemy import select, text

from hub.inbox import listing
from hub.search.index import index_rows
from hub.spool import Spool
from hub.store.engine import Database
from hub.store.tables import index_token, resource
from tests.flows import stories
from tests.flows.hospital_load import Hospital
from tests.flows.hub_process import HubProcess
from tests.postgresql import Cluster

PAGE = 1000
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
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.half or self.refused or self.other_states)


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
            kind = campaign.kill()
            found.by_kind[kind] = found.by_kind.get(kind, 0) + 1
            found.kills += 1
            campaign.bring_back()
            pace.kills_done = found.kills
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
    _count(Database(url), hospitals, found)
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


def _drain(database: Database, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with database.read() as connection:
            left = listing.counts(connection).get("received", 0)
        if not left:
            break
        time.sleep(2)
    database.close()


def _count(database: Database, hospitals: list[Hospital], found: Found) -> None:
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
        wrong = _wrong_index(connection)
    found.lost = len(acknowledged - states.keys())
    doubled = len(rows) - len(states) + sum(count - 1 for count in (*told.values(), *visits.values()))
    found.doubled = doubled
    by_state = Counter(states.values())
    found.processed, found.waiting = by_state.pop("processed", 0), by_state.pop("received", 0)
    found.other_states = dict(by_state)
    done = {name for name, state in states.items() if state == "processed"}
    found.half = len(done ^ told.keys()) + wrong
    database.close()


def _bodies(connection: Any, kind: str) -> Iterator[dict[str, Any]]:
    asked = select(resource.c.rid, resource.c.body).where(resource.c.type == kind, resource.c.deleted.is_(False))
    after = 0
    while rows := connection.execute(
        asked.where(resource.c.rid > after).order_by(resource.c.rid).limit(PAGE)
    ).all():
        yield from (json.loads(row.body) for row in rows)
        after = rows[-1].rid


def _told(connection: Any) -> Iterator[str]:
    for provenance in _bodies(connection, "Provenance"):
        yield from (entity["what"]["identifier"]["value"] for entity in provenance.get("entity", ()))


def _visits(connection: Any) -> Iterator[str]:
    for encounter in _bodies(connection, "Encounter"):
        yield encounter["identifier"][0]["value"]


def _wrong_index(connection: Any) -> int:
    """Of a sample: resources whose token rows are not what they say."""
    newest = select(resource.c.rid, resource.c.body).order_by(resource.c.rid.desc()).limit(SAMPLE)
    rows = connection.execute(newest).all()
    wrong = 0
    for row in rows:
        there = set(connection.execute(select(index_token.c.hash).where(index_token.c.rid == row.rid)).scalars())
        wrong += there != (set(index_rows(json.loads(row.body)).tokens) if row.body else set())
    return wrong


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
    print(json.dumps(asdict(found)), flush=True)
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
