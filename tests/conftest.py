"""Fixtures of all wings: `database` runs a test on SQLite and on PostgreSQL, each empty and migrated.

Where PostgreSQL's server is missing those tests are skipped and the last lines say so; with
HUB_REQUIRE_POSTGRESQL=1 they fail instead.
Properties (hypothesis) are tried with the same examples every time: who breaks one sees it before they commit, and
nobody else does. `make test-random` tries others each time.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hub.store.engine import Database
from hub.store.migrate import migrate
from tests.postgresql import Cluster, available

settings.register_profile("same", derandomize=True)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

TEMPLATE = "migrated"
WAITING = ("tests/flows/", "tests/faults/")
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts processes and waits for them comes first: at the end two workers share what is short."""
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


def _folder() -> Path | None:
    """Memory where there is plenty of it: there a new database for each test costs 10 ms, on a disk 50 or more."""
    memory = Path("/dev/shm")
    plenty = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30
    return memory if plenty else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server with a migrated database `migrated`, to be copied."""
    reason = available()
    if reason and os.environ.get("HUB_REQUIRE_POSTGRESQL") == "1":
        pytest.fail(f"HUB_REQUIRE_POSTGRESQL=1, but {reason}")
    if reason:
        pytest.skip(reason)
    with Cluster(_folder(), ("-c deadlock_timeout=50ms",)) as cluster:
        database = Database(cluster.create_database(TEMPLATE))
        migrate(database)
        database.close()
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'hub.db')}"
        return
    cluster = request.getfixturevalue("postgresql")
    name = f"test_{next(_numbers)}"
    yield cluster.create_database(name, TEMPLATE)
    cluster.drop_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database; the test runs on SQLite and on PostgreSQL."""
    opened = Database(database_url, pool_size=4)
    yield opened
    opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests met PostgreSQL, and why the others did not."""
    ran, skipped = (
        _with_postgresql(terminalreporter, outcomes) for outcomes in (("passed", "failed"), ("skipped",))
    )
    if not ran and not skipped:
        return
    reasons = sorted(
        {
            str(report.longrepr[2]).removeprefix("Skipped: ")
            for report in skipped
            if isinstance(report.longrepr, tuple)
        }
    )
    text = f"PostgreSQL tests: RUN {len(ran)} / SKIPPED {len(skipped)}"
    terminalreporter.write_line(f"{text}: {'; '.join(reasons)}" if reasons else text, red=bool(skipped))


def _with_postgresql(reporter: pytest.TerminalReporter, outcomes: tuple[str, ...]) -> list[pytest.TestReport]:
    reports = [report for outcome in outcomes for report in reporter.stats.get(outcome, [])]
    return [report for report in reports if "postgresql" in getattr(report, "keywords", {})]
