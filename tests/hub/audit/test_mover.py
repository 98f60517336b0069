"""The mover goes on, whatever the database says meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.audit import store
from hub.audit.mover import Mover
from hub.store.engine import Database
from hub.store.tables_audit import audit
from tests.hub.audit.records import pend, record
from tests.waiting import until

# what the server does with each row
MADE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()
"""
GONE = "DROP TRIGGER refuse ON audit; DROP FUNCTION refuse()"
RAISES = "RAISE EXCEPTION 'whose row it is' USING ERRCODE = '{}';"
ENDS = "PERFORM pg_terminate_backend(pg_backend_pid());"


@contextmanager
def refusing(database: Database, how: str) -> Iterator[None]:
    _run(database, MADE.format(how))
    try:
        yield
    finally:
        _run(database, GONE)


def _run(database: Database, statements: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(statements)


@contextmanager
def moving(database: Database, folder: Path) -> Iterator[None]:
    mover = Mover(database, folder, 0.02)
    mover.start()
    try:
        yield
    finally:
        mover.stop()


def moved(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (RAISES.format("53100"), "no-space"),
        (RAISES.format("55P03"), "busy"),
        (RAISES.format("22023"), "exception"),
        (ENDS, "busy"),
    ],
)
def test_what_the_server_refuses_now_is_moved_when_it_does_not_any_more(
    database: Database, tmp_path: Path, how: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    pend(database, record(1))
    with moving(database, tmp_path), caplog.at_level(logging.WARNING, "hub.audit"):
        with refusing(database, how):
            until(lambda: caplog.messages)
            assert moved(database) == 0
        until(lambda: moved(database))
    assert caplog.messages[0] == f"Records could not join the audit now: {kind}"


def test_no_fault_of_the_hub_ends_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("whose row it is")

    monkeypatch.setattr(store, "move", breaks)
    pend(database, record(1))
    with moving(database, tmp_path), caplog.at_level(logging.WARNING, "hub.audit"):
        until(lambda: caplog.messages)
        monkeypatch.undo()
        until(lambda: moved(database))
    assert caplog.messages[0].startswith("Records could not join the audit now: RuntimeError at ")
    assert "whose" not in caplog.text
