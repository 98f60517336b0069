"""Databases of earlier releases in tests: one that Alembic brings to any revision, up or down."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command

from hub.store.engine import Database
from hub.store.migrate import config

_numbers = itertools.count(1)


@contextmanager
def bare(request: pytest.FixtureRequest, folder: Path, kind: str) -> Iterator[Database]:
    """A database without tables, of the kind `sqlite` or `postgresql`."""
    name, cluster = f"bare_{next(_numbers)}", None
    if kind == "sqlite":
        url = f"sqlite:///{folder / name}.db"
    else:
        cluster = request.getfixturevalue("postgresql")
        url = cluster.create_database(name)
    database = Database(url, pool_size=2)
    yield database
    database.close()
    if cluster is not None:
        cluster.drop_database(name)


def up(database: Database, revision: str = "head") -> None:
    with database.write() as connection:
        command.upgrade(config(connection), revision)


def down(database: Database, revision: str) -> None:
    with database.write() as connection:
        command.downgrade(config(connection), revision)
