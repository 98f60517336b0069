"""The worlds: the covering one for every run, the whole one for the long run; each made once for a database."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from hub.store.engine import Database
from tests.matrix.callers import application, register
from tests.matrix.charts import Chart
from tests.matrix.people import known_by_number
from tests.matrix.world import World, all_charts, load, pairs_of_charts

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@dataclass(frozen=True)
class Settled:
    """A loaded world and the hub that serves it. `members` are the charts whose member has an app."""

    app: Flask
    database: Database
    world: World
    members: tuple[int, ...]


def settle(
    request: pytest.FixtureRequest, folder: pytest.TempPathFactory, name: str, charts: list[Chart]
) -> Settled:
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        url = f"sqlite:///{shutil.copy(template, folder.mktemp(name) / 'hub.db')}"
    else:
        url = request.getfixturevalue("postgresql").create_database(name, "migrated")
    database = Database(url, pool_size=4)
    mine = [chart.number for chart in charts if chart.relation == "assigned"]
    members = tuple(mine if name == "matrix_whole" else mine[:: max(1, len(mine) // 6)])
    register(database, members)
    world = load(database, charts)
    known_by_number(database, charts)
    return Settled(application(database), database, world, members)


@pytest.fixture(scope="session", params=BOTH)
def covering(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    settled = settle(request, tmp_path_factory, "matrix_covering", pairs_of_charts())
    yield settled
    settled.database.close()


@pytest.fixture(scope="session", params=BOTH)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    settled = settle(request, tmp_path_factory, "matrix_whole", all_charts())
    yield settled
    settled.database.close()


class Lines(logging.Handler):
    """Every line that the hub logs, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def logged() -> Iterator[Lines]:
    handler = Lines()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)
