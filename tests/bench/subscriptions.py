"""How long a write takes to reach its subscriber, and what matching costs, by the number of Subscriptions.

    python -m tests.bench.subscriptions [--quick] [--database sqlite|postgresql|both]

- cost: microseconds that the fan-out of one event takes, beside 10, 100, 1,000 and 10,000 Subscriptions of other
  members (matching, numbers, the notice's row and its commit); the same for matching alone.
- write to notice: Encounters are written through the API of a hub in processes of its own at 50 a second, each for
  one of 1,000 active Subscriptions; the time runs from the moment before the request to the notice's last byte. It
  begins when the hub has nothing left to do of what came before: the county brought thousands of events with it.

In `make bench` it is the section `subscriptions`.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import requests
from rich.console import Console
from sqlalchemy import insert

from hub import clock, outbox
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.notifications import active
from hub.notifications.events import Event, effects
from hub.notifications.fan_out import FanOut
from hub.notifications.topics import ADMISSION
from hub.store.engine import Database
from hub.store.migrate import migrate
from hub.store.tables import subscription_counter
from hub.transactions import Transactions
from tests.bench.grounds import QUICK, Ground, Running, Size, ground
from tests.bench.measures import BOTH, SQLITE, Figure, quantile
from tests.bench.notices import _receiving, _wait
from tests.flows import stories

console = Console()
COUNTS = (10, 100, 1000, 10_000)
IN_BENCH = (10, 1000)
EVENTS = 200
RATE = 50
ACCESS = Access.system("a benchmark")
BASE = "https://hub.example/fhir"
PAGE = 500


def asked(number: int, endpoint: str, status: str = "active") -> dict[str, Any]:
    made = stories.subscription(ADMISSION, endpoint, f"patient=Patient/p-{number}")
    return {**made, "id": f"s-{number}", "status": status}


def encounter(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": f"e-{number}",
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/p-{number % 10}"},
    }


def costs(folder: Path, counts: Sequence[int] = COUNTS) -> Iterator[tuple[int, float, float]]:
    """How many Subscriptions, µs of a fan-out, µs of matching."""
    for count in counts:
        database = Database(f"sqlite:///{folder / f'cost-{count}.db'}")
        migrate(database)
        own = Transactions(database, lambda *_: [], effects, BASE)
        _fill(own, count)
        yield count, *_cost(database, own)
        database.close()


def _fill(own: Transactions, count: int) -> None:
    for start in range(0, count, PAGE):
        several = [asked(n, "https://receiver.example/hook") for n in range(start, min(start + PAGE, count))]
        own.commit([Entry("PUT", "Subscription", id=one["id"], resource=one) for one in several], ACCESS, many=True)
        rows = [{"subscription": one["id"], "owner": "bench", "events": 0} for one in several]
        own.database.writing(lambda connection, rows=rows: connection.execute(insert(subscription_counter), rows))


def _cost(database: Database, own: Transactions) -> tuple[float, float]:
    handler = FanOut(database, lambda *_: {"resourceType": "Encounter"}, BASE)
    whole, alone = [], []
    for number in range(EVENTS):
        own.commit([Entry("PUT", "Encounter", id=f"e-{number}", resource=encounter(number))], ACCESS)
        (work,) = database.writing(lambda c: outbox.claim(c, ("event",), clock.micros(clock.now()), 60, 1))
        began = time.perf_counter()
        handler(work)
        whole.append(time.perf_counter() - began)
        with database.read() as connection:
            began = time.perf_counter()
            active.of_topic(connection, Event.of(work.payload).topic, BASE).candidates(encounter(number), (), BASE)
            alone.append(time.perf_counter() - began)
    return median(whole) * 1e6, median(alone) * 1e6


def write_to_notice(place: Ground, size: Size, count: int, seconds: float) -> list[float]:
    """Seconds from each write to its notice."""
    arrived: dict[bytes, float] = {}
    with _receiving(arrived) as port:
        host = f"127.0.0.1:{port}"
        with place.serving(size.members, HUB_WEBHOOK_HOSTS=host) as running:
            people = _subscribed(running, f"http://{host}/notices", count)
            _wait(lambda: not _waiting(running), running)
            left = _written(running, people, seconds)
            _wait(lambda: len(arrived) >= len(left), running)
    return sorted(arrived[visit] - at for visit, at in left.items())


def _subscribed(running: Running, endpoint: str, count: int) -> list[str]:
    """The members that somebody asks for."""
    session = _session(running)
    url = f"{running.hub.fhir}/Patient?_count=1000&_elements=id"
    people = [entry["resource"]["id"] for entry in session.get(url, timeout=30).json()["entry"]][:count]
    for number in range(count):
        made = stories.subscription(ADMISSION, endpoint, f"patient=Patient/{people[number % len(people)]}")
        assert session.post(f"{running.hub.fhir}/Subscription", json=made, timeout=30).status_code == 201
    told = f"{running.hub.fhir}/Subscription?status=active&_summary=count"
    _wait(lambda: session.get(told, timeout=30).json()["total"] >= count, running)
    return people


def _waiting(running: Running) -> int:
    """Rows of work that are not done."""
    with running.database.read() as connection:
        return sum(n for (_, state), n in outbox.counts(connection).items() if state == outbox.WAITING)


def _session(running: Running) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {running.token()}"
    session.headers["Content-Type"] = "application/fhir+json"
    return session


def _written(running: Running, people: list[str], seconds: float) -> dict[bytes, float]:
    """By its visit's number when each Encounter was written: on time, whether those before were answered or not."""
    left: dict[bytes, float] = {}
    mine = threading.local()
    headers = _session(running).headers

    def write(number: int) -> None:
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
            mine.session.headers.update(headers)
        visit = f"NV{number:07d}"
        body = {
            **encounter(number),
            "subject": {"reference": f"Patient/{people[number % len(people)]}"},
            "identifier": [{"value": visit}],
        }
        del body["id"]
        left[visit.encode()] = time.perf_counter()
        assert mine.session.post(f"{running.hub.fhir}/Encounter", json=body, timeout=30).status_code == 201

    began = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        done = []
        for number in range(round(RATE * seconds)):
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            done.append(pool.submit(write, number))
        for one in done:
            one.result()
    return left


def subscriptions(place: Ground) -> Iterator[Figure]:
    """For `make bench`; matching costs the same on both databases, and is measured with SQLite."""
    size = place.size
    if place.name == SQLITE:
        with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
            found = {count: (whole, alone) for count, whole, alone in costs(Path(folder), IN_BENCH)}
        few, many = (found[count] for count in IN_BENCH)
        yield Figure("matching.few", round(few[1]), SQLITE)
        yield Figure("matching.many", round(many[1]), SQLITE)
        yield Figure("matching.ratio", round(many[1] / few[1], 1), SQLITE)
        yield Figure("fanout.many", round(many[0]), SQLITE)
    waits = write_to_notice(place, size, size.subscriptions, size.subscribed)
    more = {"notices": len(waits), "subscriptions": size.subscriptions, "max_ms": round(waits[-1] * 1e3, 1)}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        yield Figure(f"told.{name}", round(quantile(waits, share) * 1e3, 1), place.name, more=more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--database", choices=[*BOTH, "both"], default="both")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        for count, whole, alone in costs(Path(folder)):
            console.print(f"{count:>6} Subscriptions: fan-out {whole:.0f} µs, matching alone {alone:.0f} µs")
        for name in BOTH if chosen.database == "both" else (chosen.database,):
            size = QUICK if chosen.quick else Size(members=1000)
            with ground(name, Path(folder), size) as place:
                waits = write_to_notice(place, size, size.subscriptions, size.subscribed)
                told = ", ".join(f"p{p} {quantile(waits, p / 100) * 1e3:.0f} ms" for p in (50, 95, 99))
                about = f"{size.subscriptions} Subscriptions, {RATE} writes/s, {len(waits)} notices"
                console.print(f"{name}: {about}: {told}, longest {waits[-1] * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
