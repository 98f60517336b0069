"""Two worlds: in one there is what an actor may not see, in the other it never was. No request tells them apart.

What is hidden from whom the oracle says. Times, cursors and request ids are put out of the answers first.
"""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from hub.store.engine import Database
from tests.matrix import oracle
from tests.matrix.asker import Asker, next_page
from tests.matrix.callers import application, askers, register
from tests.matrix.charts import Chart, Kind
from tests.matrix.judge import verdict
from tests.matrix.questions import Request, reading, writing
from tests.matrix.world import World, all_charts, load

ACTORS = ("ehr", "county", "ecm", "ilos", "plan", "auditor", "member", "custodian", "feeder")
PICKED = (
    ("assigned", "none", "none"),
    ("assigned", "sud-code", "none"),
    ("assigned", "sud-code", "tpo"),
    ("assigned", "part2", "tpo"),
    ("assigned", "hiv", "named"),
    ("assigned", "unknown", "named"),
    ("referred", "psy", "none"),
    ("referred", "mixed", "partial"),
    ("ended", "none", "none"),
    ("never", "none", "none"),
    ("never", "part2", "named"),
    ("future", "psy", "tpo"),
)
NOISE = ("Date", "X-Request-Id", "Last-Modified", "Content-Length", "Server-Timing")
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_CURSOR = re.compile(rb"_cursor=[A-Za-z0-9_%.=-]+")
_MADE = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_numbers = itertools.count(1)
Empty = Callable[[], str]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Empty:
    """Makes empty databases."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        return lambda: f"sqlite:///{shutil.copy(template, tmp_path / f'{next(_numbers)}.db')}"
    cluster = request.getfixturevalue("postgresql")
    return lambda: str(cluster.create_database(f"two_worlds_{next(_numbers)}", "migrated"))


def picked() -> list[Chart]:
    return [chart for chart in all_charts() if (chart.relation, chart.labels, chart.consent) in PICKED]


def hidden(ask: Asker, chart: Chart, kind: Kind) -> bool:
    said = verdict(World({chart.number: chart}), ask, "E01", chart.number, kind.short)
    return said == oracle.DENY


def settled(url: str, name: str, without_hidden: bool) -> tuple[Database, Asker]:
    database, charts = Database(url, pool_size=4), picked()
    register(database, [charts[0].number])
    app = application(database)
    ask = next(ask for ask in askers(app, [charts[0].number]) if ask.actor.name == name)
    load(database, charts, lambda chart, kind: not (without_hidden and hidden(ask, chart, kind)))
    return database, ask


def plain(answer: TestResponse) -> tuple[int, list[tuple[str, str]], bytes]:
    """The answer without what differs between any two."""
    headers = sorted((name, value) for name, value in answer.headers if name not in NOISE)
    data = _MADE.sub(b"ID", _CURSOR.sub(b"CURSOR", _TIME.sub(b"TIME", answer.data)))
    return answer.status_code, [(n, _MADE.sub(b"ID", v.encode()).decode()) for n, v in headers], data


def asked(ask: Asker, request: Request) -> Iterator[TestResponse]:
    """The answer, and those of the pages behind it."""
    headers = {name.replace("-", "_"): value for name, value in request.headers}
    answer = ask.ask("", request.method, request.path, request.body, **headers)
    yield answer
    for _ in range(40):
        url = next_page(answer) if request.method == "GET" and answer.is_json else ""
        if not url:
            return
        answer = ask.ask("", "GET", url)
        yield answer


def differences(one: Asker, other: Asker, requests: Sequence[Request]) -> Iterator[str]:
    for request in requests:
        pages = [[plain(answer) for answer in asked(ask, request)] for ask in (one, other)]
        if pages[0] != pages[1]:
            which = next((n for n, (a, b) in enumerate(zip(*pages, strict=False)) if a != b), "number")
            said = [page[0][0] for page in pages]
            yield f"{request.method} {request.path} {request.headers}: page {which}, statuses {said}"


def compare(empty: Empty, name: str, step: int) -> int:
    """How many answers were compared."""
    databases, asks = zip(*(settled(empty(), name, without) for without in (False, True)), strict=True)
    charts = picked()
    turn = len(name) % step
    found = list(differences(*asks, list(reading(charts))[turn::step]))
    found += differences(*asks, list(writing(charts)))
    for database in databases:
        database.close()
    shown = "\n".join(found[:25])
    assert not found, f"{len(found)} of {asks[0].asked} answers differ for {name}:\n{shown}"
    return int(asks[0].asked)


@pytest.mark.parametrize("name", ["ehr", "ecm", "ilos", "plan", "auditor", "member"])
def test_nobody_can_tell_that_something_hidden_is_there(empty: Empty, name: str) -> None:
    assert compare(empty, name, 7) > 200


@pytest.mark.long
@pytest.mark.parametrize("name", ACTORS)
def test_no_request_of_all_tells_the_worlds_apart(empty: Empty, name: str) -> None:
    assert compare(empty, name, 1) > 1000
