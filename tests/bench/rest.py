"""A quick look at the API: read, search, create, transaction. Closed loop, one client process.

Before each run one answer is looked at, so that a fast wrong answer never counts.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

from hub.demo.members import member
from hub.demo.scenario import Scenario
from hub.fhir import json
from hub.fhir.systems import CIN_SYSTEM
from tests.bench import transactions
from tests.bench.grounds import Ground, Running
from tests.bench.http_load import Load, Request, ask
from tests.bench.measures import Figure, quantile

Next = Callable[[], Request]
Body = dict[str, Any]


def read(members: int) -> Next:
    return lambda: Request("GET", f"/fhir/Patient/{_someone(members)}")


def by_identifier(members: int) -> Next:
    cins = [member(Scenario(), number).cin for number in range(1, members + 1)]
    return lambda: Request("GET", f"/fhir/Patient?identifier={quote(f'{CIN_SYSTEM}|{random.choice(cins)}')}")


def tasks(members: int) -> Next:
    return lambda: Request("GET", f"/fhir/Task?patient=Patient/{_someone(members)}&status=requested")


def create(_: int) -> Next:
    numbers = count(1)
    return lambda: Request("POST", "/fhir/Patient", json.write(transactions.patient(next(numbers))), 201)


def transaction(_: int) -> Next:
    numbers = count(10**6)
    return lambda: Request("POST", "/fhir/", json.write(transactions.bundle(next(numbers))))


def _someone(members: int) -> str:
    return f"demo-member-{random.randint(1, members):04d}"


# name: how to make its requests, and what must be true of an answer
INTERACTIONS: dict[str, tuple[Callable[[int], Next], Callable[[Body], bool]]] = {
    "read": (read, lambda body: body["resourceType"] == "Patient"),
    "identifier": (by_identifier, lambda body: len(body["entry"]) == 1),
    "tasks": (tasks, lambda body: all(e["resource"]["resourceType"] == "Task" for e in body.get("entry", []))),
    "create": (create, lambda body: "id" in body),
    "transaction": (transaction, lambda body: len(body["entry"]) == transactions.ENTRIES),
}


def rest(ground: Ground) -> Iterator[Figure]:
    members = ground.size.members
    for name, (requests, holds) in INTERACTIONS.items():
        with ground.serving(members) as running:
            known, next_request = headers(running), requests(members)
            _probe(running, next_request(), known, holds)
            found = Load(running.hub.http_port, next_request, known, seconds=ground.size.rest).run()
        yield Figure(f"rest.{name}.rate", round(found.rate, 1), ground.name)
        p50, p99 = (round(quantile(found.latencies, share) * 1e3, 2) for share in (0.5, 0.99))
        yield Figure(f"rest.{name}.p99", p99, ground.name, more={"p50": p50})


def reading(running: Running, members: int, most: int) -> None:
    """So many reads and searches."""
    for requests in (read, by_identifier):
        Load(
            running.hub.http_port, requests(members), headers(running), warm_up=0, seconds=60, most=most // 2
        ).run()


def headers(running: Running) -> str:
    return f"Authorization: Bearer {running.token()}\r\nContent-Type: application/fhir+json\r\n"


def _probe(running: Running, request: Request, headers: str, holds: Callable[[Body], bool]) -> None:
    answer = json.stored(asyncio.run(ask(running.hub.http_port, request, headers)))
    assert holds(answer), f"{request.method} {request.path} was not answered as it should be"
