"""How long searches take at 10,000 and at 1,000,000 resources: one connection, one question after the other.

The resources are written by the hub's own store, thousands a statement, as no client could; they are what the
transactions of `tests.bench.transactions` would have left.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from typing import Any
from urllib.parse import quote

from hub import clock
from hub.fhir import json
from hub.fhir.references import rewrite
from hub.fhir.systems import CIN_SYSTEM
from hub.search.index import IndexRows, index_rows
from hub.store import write
from hub.store.engine import Database
from hub.store.read import Stored
from hub.store.rids import new_rid
from tests.bench import transactions
from tests.bench.grounds import Ground, Running
from tests.bench.http_load import Load, Request, ask
from tests.bench.measures import SEARCHES, Figure, quantile

MEMBERS_A_STATEMENT = 100
LOADERS = 2
AGE = transactions.ENTRIES * 1000  # microseconds between members


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
        _fill(running, members)
        running.hub.start()
        try:
            return {
                name: _latencies(running, ask_for(members), ground.size.scale_requests)
                for name, ask_for in ASKED.items()
            }
        finally:
            running.hub.stop()


def _latencies(running: Running, path: Callable[[], str], times: int) -> list[float]:
    headers = f"Authorization: Bearer {running.token()}\r\n"
    first = json.stored(asyncio.run(ask(running.hub.http_port, Request("GET", path()), headers)))
    assert first.get("entry"), "a search of the bench finds nothing"
    load = Load(
        running.hub.http_port, lambda: Request("GET", path()), headers, connections=1, most=times, seconds=60
    )
    return load.run().latencies


def _cin(members: int) -> str:
    return quote(f"{CIN_SYSTEM}|{transactions.cin(random.randrange(members))}")


def _someone(members: int) -> str:
    return f"bench-{random.randrange(members)}"


# each asks for what is somewhere among all members
ASKED: dict[str, Callable[[int], Callable[[], str]]] = {
    "identifier": lambda m: lambda: f"/fhir/Patient?identifier={_cin(m)}",
    "tasks": lambda m: lambda: f"/fhir/Task?patient={_someone(m)}&status=requested",
    "include": lambda m: lambda: f"/fhir/ServiceRequest?patient={_someone(m)}&_include=ServiceRequest:patient",
    "chain": lambda m: lambda: f"/fhir/Task?patient.identifier={_cin(m)}",
    "has": lambda m: lambda: f"/fhir/Patient?identifier={_cin(m)}&_has:Task:patient:status=requested",
    "newest": lambda m: lambda: "/fhir/Task?status=requested&_sort=-_lastUpdated&_count=20",
    "sorted": lambda m: lambda: "/fhir/Task?status=requested&_sort=-authored-on&_count=20",
}


def _fill(running: Running, members: int) -> None:
    step = -(-members // LOADERS)
    url, began = running.database.url.render_as_string(False), time.time_ns() // 1000 - members * AGE
    parts = [(url, began, n, min(n + step, members)) for n in range(0, members, step)]
    with get_context("spawn").Pool(LOADERS) as pool:
        pool.starmap(_load, parts)
    with running.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _load(url: str, began: int, first: int, past: int) -> None:
    """Members of one range, with all that belongs to them. A process of its own."""
    database = Database(url)
    for start in range(first, past, MEMBERS_A_STATEMENT):
        batch = write.Batch(*_rows(range(start, min(start + MEMBERS_A_STATEMENT, past)), began))
        database.writing(lambda connection: write.store(connection, batch))  # noqa: B023 - it is called at once
    database.close()


def _rows(numbers: range, began: int) -> tuple[list[Stored], tuple[()], dict[int, tuple[IndexRows, IndexRows]]]:
    rows: list[Stored] = []
    index: dict[int, tuple[IndexRows, IndexRows]] = {}
    for number in numbers:
        for place, resource in enumerate(_resources(number)):
            at = began + number * AGE + place * 1000  # a millisecond each: no two draw the same row number
            resource["meta"] = {"versionId": "1", "lastUpdated": clock.instant(at)}
            row = Stored(new_rid(at), resource["resourceType"], resource["id"], 1, at, False, json.write(resource))
            rows.append(row)
            index[row.rid] = (IndexRows(), index_rows(resource))
    return rows, (), index


def _resources(number: int) -> Iterator[Any]:
    """What the transaction of this member leaves; ids are counted instead of drawn."""
    entries = transactions.bundle(number)["entry"]
    names = {
        entry["fullUrl"]: f"{entry['resource']['resourceType']}/bench-{number}{f'-{place}' if place else ''}"
        for place, entry in enumerate(entries)
    }
    for entry in entries:
        resource = rewrite(entry["resource"], lambda text: names.get(text, text), names)
        yield {**resource, "id": names[entry["fullUrl"]].partition("/")[2]}
