"""Whether a node works over the schema that it finds: while nodes are replaced one by one it is a later one."""

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.problems import Problem
from hub.store import migrate, schema
from hub.store.engine import Database
from hub.store.schema import CURRENT, LATER, OTHER
from tests.house.migrating import bare, up


def told(database: Database, version: str, comment: str) -> str:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        if not database.is_sqlite:
            connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{comment}'")
    return schema.state(database)


def test_a_later_schema_that_keeps_what_this_release_needs_can_be_used(database: Database) -> None:
    assert schema.state(database) == CURRENT
    kept = told(database, "9998", f"oldest release: {schema.newest()}")
    assert kept == (OTHER if database.is_sqlite else LATER)  # SQLite has one node: it is stopped for an upgrade
    assert told(database, "9998", "oldest release: 9997") == OTHER
    assert told(database, "9998", "") == OTHER  # of a release that said nothing
    assert told(database, "0001", "oldest release: 0001") == OTHER


@pytest.fixture
def old(request: pytest.FixtureRequest, postgresql: object, tmp_path: Path) -> object:
    with bare(request, tmp_path, "postgresql") as found:
        up(found, "0019")
        yield found


@pytest.mark.postgresql
def test_a_migration_lets_others_go_by(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits LOCK_SECONDS for what is in use, gives up all that it holds, and tries again."""
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    pauses: list[float] = []
    with old._writes.connect() as holder:
        holder.exec_driver_sql("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        migrate.migrate(old, lambda seconds: (pauses.append(seconds), holder.rollback()))
    assert pauses == [migrate.PAUSE_SECONDS]
    assert time.monotonic() - began < 20
    assert schema.state(old) == CURRENT


@pytest.mark.postgresql
def test_what_is_in_use_for_good_is_told(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrate, "TRIES", 2)
    with old._writes.connect() as holder:
        holder.exec_driver_sql("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Problem):
            migrate.migrate(old, lambda _: None)
    assert schema.state(old) == OTHER
