"""Where it is measured: a hub in processes of its own, on a copy of a county that was loaded once.

SQLite as the hub opens it (WAL, synchronous=FULL); PostgreSQL with fsync on (tests.postgresql). Each measurement
starts from the same county and leaves nothing behind.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from auth.demo import CLIENT_ID
from auth.development_token import fetch_token
from hub import clock
from hub.spool import Spool
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from tests.bench.measures import POSTGRESQL, SQLITE
from tests.flows.hub_process import HubProcess
from tests.postgresql import Cluster
from tests.waiting import until

SOON = 60_000_000  # a piece of work that is taken is due again when its lease ends
SETTLED_SECONDS = 900
# the load is one client, which asks as much as it can
SETTINGS = {"HUB_RATE_PER_SECOND": "0"}
# what docs/runbook.md recommends for a machine of this size; fsync and synchronous_commit stay on
RECOMMENDED = (
    *("-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=15min"),
    *("-c", "max_locks_per_transaction=256"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How long and how much: `--quick` makes it small. Seconds, messages a second, or how many."""

    members: int = 2000
    demo: int = 200
    warm_up: float = 5
    open_loop: float = 30
    closed_loop: float = 10
    notices: int = 500
    roster: int = 1_000_000
    backlog: int = 2000
    starts: int = 5
    messages: int = 500
    requests: int = 2000
    rest: float = 6
    facade: int = 20_000
    facade_seconds: float = 10
    scale: tuple[int, int] = (10_000, 1_000_000)
    scale_requests: int = 300
    tokens: int = 200
    checks: int = 20_000
    audit_rounds: int = 8
    audit_seconds: float = 4
    identity: int = 100_000
    subscriptions: int = 1000
    subscribed: float = 20
    exported: int = 60_000
    imported: int = 6000
    floor: int = 1500


QUICK = Size(
    members=200,
    warm_up=1,
    open_loop=4,
    closed_loop=2,
    notices=60,
    roster=4000,
    backlog=200,
    starts=2,
    messages=50,
    requests=200,
    rest=1,
    facade=300,
    facade_seconds=2,
    scale=(1200, 6000),
    scale_requests=30,
    tokens=20,
    checks=2000,
    audit_rounds=2,
    audit_seconds=1,
    identity=1000,
    subscriptions=50,
    subscribed=3,
    exported=2400,
    imported=600,
    floor=300,
)


@dataclass
class Running:
    """A hub of the bench, its database, and how to ask it."""

    hub: HubProcess
    database: Database

    def token(self) -> str:
        """For the demo client, good for five minutes."""
        key = json.loads((self.hub.folder / "demo" / f"{CLIENT_ID}.private.jwk.json").read_text())
        answer = fetch_token(f"{self.hub.base}/auth/token", CLIENT_ID, key, "system/*.cruds")
        return str(answer["access_token"])

    def states(self) -> dict[str, int]:
        """How many messages the inbox holds in each state."""
        if self.database.is_sqlite:  # what was acknowledged and waits beside the inbox counts, too
            spool = Spool(self.database)
            while spool.move():
                pass
            spool.close()
        rows = self._all(select(inbox.c.state, func.count()).group_by(inbox.c.state))
        return dict(row._tuple() for row in rows)

    def processed_between(self) -> tuple[int, float]:
        """How many messages are processed, and the seconds from the first of them to the last."""
        moments = func.count(), func.min(inbox.c.processed), func.max(inbox.c.processed)
        ((count, first, last),) = self._all(select(*moments).where(inbox.c.state == "processed"))
        return count, ((last or 0) - (first or 0)) / 1e6

    def _all(self, statement: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(statement))


@dataclass
class Ground:
    """One kind of database. `hub(members)` is a hub, not yet started, with a county of so many members; with
    `roster`, there are panels of so many rows, too."""

    name: str
    folder: Path
    size: Size
    cluster: Cluster | None = None
    _loaded: set[str] = field(default_factory=set)
    _copies: int = 0

    @contextmanager
    def hub(self, members: int, roster: int = 0, **settings: str) -> Iterator[Running]:
        county = self._load(members, roster)
        self._copies += 1
        name = f"{self.name}-run-{self._copies}"
        url = self._copy(county, name)
        running = Running(HubProcess(self.folder / name, url, **SETTINGS, **settings), Database(url))
        try:
            yield running
        finally:
            running.database.close()
            self._remove(running.hub, name)

    @contextmanager
    def serving(self, members: int, roster: int = 0, **settings: str) -> Iterator[Running]:
        """As `hub`, with all roles running."""
        with self.hub(members, roster, **settings) as running:
            running.hub.start()
            try:
                yield running
            finally:
                running.hub.stop()

    def _load(self, members: int, rows: int) -> str:
        """The name of the county."""
        name = f"{self.name}-county-{members}" + (f"-{rows}" if rows else "")
        if name not in self._loaded:
            hub = HubProcess(self.folder / name, self._new_database(name))
            hub.folder.mkdir()
            hub.command("demo", "--members", str(members))
            if rows:
                from tests.bench import roster  # it stands on this file

                database = Database(hub.environment["HUB_DATABASE_URL"])
                roster.fill(database, members, rows)
                database.close()
            _settle(hub)
            self._loaded.add(name)
        return name

    def _new_database(self, name: str) -> str:
        return self.cluster.create_database(name) if self.cluster else self._sqlite(name)

    def _copy(self, county: str, name: str) -> str:
        shutil.copytree(self.folder / county, self.folder / name)
        return self.cluster.create_database(name, county) if self.cluster else self._sqlite(name)

    def _sqlite(self, name: str) -> str:
        return f"sqlite:///{self.folder / name / 'hub.db'}"

    def _remove(self, hub: HubProcess, name: str) -> None:
        if self.cluster:
            self.cluster.drop_database(name)
        shutil.rmtree(hub.folder)


def _settle(hub: HubProcess) -> None:
    """What a county causes when it is loaded is done before anything is measured: its referrals and enrolments have
    their clocks and notices, its members are compared."""
    hub.start()
    database = Database(hub.environment["HUB_DATABASE_URL"])
    asked = select(func.count()).select_from(outbox).where(outbox.c.state == "waiting")

    def is_done() -> bool:
        soon = clock.micros(clock.now()) + SOON
        with database.read() as connection:
            return not connection.execute(asked.where(outbox.c.due <= soon)).scalar_one()

    try:
        until(is_done, SETTLED_SECONDS)
    finally:
        database.close()
        hub.stop()


@contextmanager
def ground(name: str, folder: Path, size: Size) -> Iterator[Ground]:
    """SQLite in the folder, or a PostgreSQL server of the bench's own."""
    assert name in (SQLITE, POSTGRESQL)
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster(options=RECOMMENDED)) if name == POSTGRESQL else None
        yield Ground(name, folder, size, cluster)
