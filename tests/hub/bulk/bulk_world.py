"""A hub that exports, for tests: callers by name, a worker that runs when it is told to, an export in one call."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from werkzeug.test import TestResponse

from hub import clock
from hub.access import Access
from hub.bulk import jobs
from hub.bulk.arriving import Arrivals, Start
from hub.bulk.desk import Desk
from hub.bulk.exporting import Exporting
from hub.bulk.fetching import Fetch, Fetching
from hub.bulk.importing import Importing
from hub.bulk.lane import BulkLane
from hub.search.query import Limits
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.hub.asking import BASE, Api, validator
from tests.hub.sighted import api_of

HOUR = 3600 * 1_000_000
MOST = 1 << 20  # bytes of a file that is fetched


@dataclass
class Clock:
    """A clock that can be set forward."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> Any:
        return clock.now() + self.ahead


@dataclass
class Bulk:
    """`api` asks for the hub itself; `callers` may change between two calls."""

    api: Api
    callers: dict[str, Access]
    desk: Desk
    lane: BulkLane
    now: Clock = field(default_factory=Clock)

    def as_(self, who: str) -> Api:
        return self.api.as_(who)

    def kick(self, path: str, who: str = "all", **headers: str) -> str:
        """The job's path below the FHIR base."""
        answer = self.as_(who).get(path, **{"Prefer": "respond-async", **headers})
        assert answer.status_code == 202, answer.text
        return answer.headers["Content-Location"].removeprefix(BASE)

    def work(self) -> None:
        """Until nothing is left to do."""
        while self.lane.bulk():
            pass

    def manifest(self, job: str, who: str = "all") -> dict[str, Any]:
        answer = self.as_(who).get(job)
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/json"
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def exported(self, path: str, who: str = "all", **headers: str) -> dict[str, list[dict[str, Any]]]:
        """By type the resources of all files, and `deleted`, `error`: those of the others."""
        job = self.kick(path, who, **headers)
        self.work()
        told = self.manifest(job, who)
        found: dict[str, list[dict[str, Any]]] = {}
        for kind in ("output", "deleted", "error"):
            for file in told.get(kind, ()):
                name = file["type"] if kind == "output" else kind
                found.setdefault(name, []).extend(self.lines(file["url"], who))
        return found

    def names(self, path: str, who: str = "all", **headers: str) -> set[str]:
        """`Type/id` of all that is exported."""
        found = self.exported(path, who, **headers)
        return {f"{name}/{each['id']}" for name, rows in found.items() if name[0].isupper() for each in rows}

    def download(self, url: str, who: str = "all", **headers: str) -> TestResponse:
        return self.as_(who).get(url.removeprefix(BASE), **headers)

    def moment(self) -> str:
        """Now, as a client says it, between what was done and what will be."""
        at = clock.instant(clock.micros(clock.now()))
        while clock.instant(clock.micros(clock.now())) <= at:
            pass
        return at

    def rows(self) -> int:
        """Of all tables of jobs."""
        with self.desk.database.read() as connection:
            return sum(
                connection.execute(select(func.count()).select_from(each)).scalar_one() for each in jobs.TABLES
            )

    def lines(self, url: str, who: str = "all") -> list[dict[str, Any]]:
        answer = self.download(url, who)
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/fhir+ndjson"
        return [json.loads(line) for line in answer.data.decode().splitlines()]


def ndjson(*resources: Any) -> bytes:
    """Lines; bytes are lines already."""
    return b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in resources)


def bulk_hub(
    database: Database,
    callers: Mapping[str, Access],
    hosts: tuple[str, ...] = (),
    fetch: Fetch | None = None,
    start: Start = lambda work: work(),
    **sizes: Any,
) -> Bulk:
    """`sizes`: `window`, `file`, `most` (jobs) and `margin`. `hosts`: those that imports may fetch from;
    `start`: how a fetch is begun, here at once and to its end."""
    with database.write() as connection:
        for table in jobs.TABLES:
            connection.execute(delete(table))
    mine, now = dict(callers), Clock()
    county = Access.system("the world of a test", "Organization/county")
    access_of: Callable[[str], Access | None] = lambda who: mine.get(who, county if who == "hub" else None)  # noqa: E731
    limits = Limits(base=BASE)
    most = {"most": sizes.pop("most")} if "most" in sizes else {}
    margin = sizes.pop("margin", 0)
    desk = Desk(database, access_of, BASE, hosts=hosts, margin=margin, now=now, **most)
    exporting = Exporting(database, access_of, limits, keep=HOUR, now=now, **sizes)
    writer = Transactions(database, validator, lambda changes: (), BASE)
    arrivals = Arrivals(database, fetch or Fetching(hosts, MOST), now, start)
    importing = Importing(database, access_of, writer, HOUR, arrivals, now=now)
    lane = BulkLane(database, {jobs.EXPORT: exporting, jobs.IMPORT: importing}, keep=HOUR, now=now)
    return Bulk(api_of(database, mine, desk=desk), mine, desk, lane, now)
