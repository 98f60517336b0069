"""What the predicate of who may see what (hub.store.sight) adds to searches at 1,000,000 resources.

In this process, without HTTP and the audit: from the parsed address to the written answer, the interaction that
`GET [type]?…` is. The same question is asked by everybody in turn, so that a neighbour of the machine slows all of
them, and the first one warms the pages for the others no more often than each of them does.
Questions about members of the small panel are visible to everybody in whole, which is checked: their times are
compared. What the newest of all Tasks are depends on who asks: those times stand alone.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from auth import scopes
from auth.client_words import Client
from auth.sights import access_for
from hub.access import Access
from hub.fhir import json
from hub.rest.asked import Asked
from hub.rest.hub import Hub
from hub.rest.search import search_type
from hub.search.query import Limits
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.bench import transactions
from tests.bench.filled import COUNTY, LARGE_PANEL, REFERRED, SMALL_PANEL, People, fill
from tests.bench.grounds import Ground
from tests.bench.measures import COMPARED, SEARCHES, VIEWERS, Figure, quantile
from tests.bench.scale import ASKED

BASE = "http://127.0.0.1/fhir"
WARM_UP = 10  # a statement is prepared after some runs
SPARSE_SHARE = 10  # the searches that are not compared are asked one time in so many
Search = Callable[[Access, Asked], bytes]


def sight(ground: Ground) -> Iterator[Figure]:
    _, resources = ground.size.scale
    with ground.hub(ground.size.demo) as running:
        people = fill(running, resources // transactions.ENTRIES)
        search, viewers = _searching(running.database), _viewers()
        for name in SEARCHES:
            yield from _figures(ground, name, _times(search, viewers, people, name, ground.size.scale_requests))


def _viewers() -> Mapping[str, Access]:
    """Who asks, by the names of `measures.VIEWERS`."""
    found = {
        "hub": Access.system("bench"),
        "custodian": _access("custodian", COUNTY),
        "panel-small": _access("ecm-provider", SMALL_PANEL),
        "panel-large": _access("ecm-provider", LARGE_PANEL),
        "referrals": _access("ilos-provider", REFERRED),
    }
    assert found.keys() == VIEWERS.keys()
    return found


def _access(role: str, organization: str) -> Access:
    client = Client(f"bench-{role}", role, role, "system/*.rs", organization=organization)
    return access_for(client, scopes.parse(client.scopes), base=BASE)


def _searching(database: Database) -> Search:
    hub = Hub(
        database=database,
        transactions=Transactions(database, lambda *_: [], lambda _: (), BASE),
        base=BASE,
        secret=b"the bench turns no pages, 32 long",
        limits=Limits(base=BASE),
        cursor_seconds=600,
        most_entries=1,
        capabilities=dict,
        guard=lambda _: Access.system("bench"),
        shell=lambda _: (),
    )
    return lambda access, asked: database.reading(lambda c: search_type(hub, c, asked, access)).body


def _times(
    search: Search, viewers: Mapping[str, Access], people: People, name: str, requests: int
) -> dict[str, list[float]]:
    """Seconds, by viewer."""
    question = ASKED[name](people.small)
    is_compared = name in COMPARED
    for _ in range(WARM_UP):
        asked = _asked(question())
        answers = [_found(search(access, asked)) for access in viewers.values()]
        if is_compared:
            assert answers[0], f"{name}: a search of the bench finds nothing"
            assert all(each == answers[0] for each in answers), f"{name}: not everybody finds the same"
    times: dict[str, list[float]] = {viewer: [] for viewer in viewers}
    order = list(viewers)
    for _ in range(requests if is_compared else max(5, requests // SPARSE_SHARE)):
        asked = _asked(question())
        random.shuffle(order)
        for viewer in order:
            began = time.perf_counter()
            search(viewers[viewer], asked)
            times[viewer].append(time.perf_counter() - began)
    return times


def _asked(address: str) -> Asked:
    parts = urlsplit(address)
    pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Asked("GET", parts.path.rpartition("/")[2], pairs=pairs, query=parts.query)


def _found(body: bytes) -> list[str]:
    """What is in an answer, but for the notice that goes with what a consent opened (42 CFR 2.32)."""
    bundle: Any = json.stored(body)
    every = (entry["resource"] for entry in bundle.get("entry", ()) if entry["search"]["mode"] != "outcome")
    return sorted(f"{each['resourceType']}/{each['id']}" for each in every)


def _figures(ground: Ground, name: str, times: Mapping[str, list[float]]) -> Iterator[Figure]:
    p50 = {viewer: quantile(found, 0.5) * 1e6 for viewer, found in times.items()}
    for viewer in VIEWERS:
        p95 = round(quantile(times[viewer], 0.95) * 1e6)
        yield Figure(f"sight.{name}.{viewer}", round(p50[viewer]), ground.name, more={"p95": p95})
        if name in COMPARED and viewer != "hub":
            yield Figure(f"sight.{name}.{viewer}.ratio", round(p50[viewer] / p50["hub"], 2), ground.name)
