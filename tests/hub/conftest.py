"""What tests of storing and serving share: one database a session and kind, emptied before each test."""

import shutil
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import delete

from auth.development_token import new_key
from hub.store import merges
from hub.store.engine import Database
from tests.hub.asking import WRITTEN, Api, app_of, counts, register
from tests.hub.reindexing import sweep


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with registered clients."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        url = f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('served') / 'hub.db')}"
    else:
        url = request.getfixturevalue("postgresql").create_database("served_tests", "migrated")
    database = Database(url, pool_size=24)
    register(database, new_key("ES384"))
    yield database
    database.close()


@pytest.fixture
def swept(served: Database) -> Database:
    """Nothing stored in it; the test runs on SQLite and on PostgreSQL."""
    if any(counts(served).values()):  # most refusals leave nothing to sweep
        with served.write() as connection:
            for table in WRITTEN:
                connection.execute(delete(table))
        merges.look_again()
    return served


@pytest.fixture(scope="session")
def served_app(served: Database) -> Flask:
    return app_of(served)


@pytest.fixture
def api(swept: Database, served_app: Flask) -> Api:
    """The hub's REST API over an empty store."""
    return Api(served_app, swept)


@pytest.fixture
def hub(api: Api) -> Iterator[Api]:
    """The API of a hub without search parameters of its own, before the test and after."""
    sweep(api.database)
    yield api
    sweep(api.database)
