"""How long searches take at 10,000 and at 1,000,000 resources (tests.bench.filled): one connection, one question
after the other.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from hub.fhir import json
from hub.fhir.systems import CIN_SYSTEM
from tests.bench import transactions
from tests.bench.filled import fill
from tests.bench.grounds import Ground, Running
from tests.bench.http_load import Load, Request, ask
from tests.bench.measures import SEARCHES, Figure, quantile


def scale(ground: Ground) -> Iterator[Figure]:
    small, large = ground.size.scale
    found = {size: _at(ground, size) for size in (small, large)}
    for name in SEARCHES:
        p50 = {size: quantile(found[size][name], 0.5) * 1e3 for size in (small, large)}
        yield Figure(f"scale.{name}.small", round(p50[small], 2), ground.name)
        yield Figure(f"scale.{name}.large", round(p50[large], 2), ground.name)
        yield Figure(f"scale.{name}.ratio", round(p50[large] / p50[small], 2), ground.name)


def _at(ground: Ground, resources: int) -> dict[str, list[float]]:
    members = resources // transactions.ENTRIES
    with ground.hub(ground.size.demo) as running:
        fill(running, members)
        running.hub.start()
        try:
            return {
                name: latencies(running, ask_for(range(members)), ground.size.scale_requests)
                for name, ask_for in ASKED.items()
            }
        finally:
            running.hub.stop()


def latencies(running: Running, path: Callable[[], str], times: int) -> list[float]:
    headers = f"Authorization: Bearer {running.token()}\r\n"
    first = json.stored(asyncio.run(ask(running.hub.http_port, Request("GET", path()), headers)))
    assert first.get("entry"), "a search of the bench finds nothing"
    load = Load(
        running.hub.http_port, lambda: Request("GET", path()), headers, connections=1, most=times, seconds=60
    )
    return load.run().latencies


def _cin(numbers: Sequence[int]) -> str:
    return quote(f"{CIN_SYSTEM}|{transactions.cin(random.choice(numbers))}")


def _someone(numbers: Sequence[int]) -> str:
    return f"bench-{random.choice(numbers)}"


# each asks for what is somewhere among all members of these numbers
ASKED: dict[str, Callable[[Sequence[int]], Callable[[], str]]] = {
    "identifier": lambda n: lambda: f"/fhir/Patient?identifier={_cin(n)}",
    "tasks": lambda n: lambda: f"/fhir/Task?patient={_someone(n)}&status=requested",
    "include": lambda n: lambda: f"/fhir/ServiceRequest?patient={_someone(n)}&_include=ServiceRequest:patient",
    "chain": lambda n: lambda: f"/fhir/Task?patient.identifier={_cin(n)}",
    "has": lambda n: lambda: f"/fhir/Patient?identifier={_cin(n)}&_has:Task:patient:status=requested",
    "newest": lambda _: lambda: "/fhir/Task?status=requested&_sort=-_lastUpdated&_count=20",
    "sorted": lambda _: lambda: "/fhir/Task?status=requested&_sort=-authored-on&_count=20",
}
