"""Revisions go up and down again, step by step, with what is stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, inspect, select, text

from hub.store.engine import Database
from hub.store.migrate import newest
from hub.store.partitions import is_part
from tests.house.migrating import bare, down, up

STEPS = (
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
    "0023",
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with bare(request, tmp_path, request.param) as database:
        up(database, STEPS[0])
        yield database


def schema(database: Database) -> dict[str, Any]:
    with database.read() as connection:
        found = inspect(connection)
        return {
            name: (
                sorted(
                    str((c["name"], str(c["type"]), c["nullable"], c["default"])) for c in found.get_columns(name)
                ),
                sorted(str((i["name"], i["column_names"], i["unique"])) for i in found.get_indexes(name)),
                found.get_pk_constraint(name)["constrained_columns"],
            )
            for name in found.get_table_names()
            if not is_part(name)
        }


def test_each_step_down_undoes_its_step_up(empty: Database) -> None:
    assert newest() in STEPS
    _store(empty, "Subscription")
    seen = {STEPS[0]: schema(empty)}
    for step in STEPS[1:]:
        up(empty, step)
        seen[step] = schema(empty)
        assert seen[step] != seen[STEPS[0]]
    for step in reversed(STEPS[:-1]):
        down(empty, step)
        assert schema(empty) == seen[step], step
        assert rows(empty, "resource")[0].body == b"{}"
    up(empty, STEPS[-1])
    assert schema(empty) == seen[STEPS[-1]]


def _store(database: Database, kind: str) -> None:
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO resource (rid, type, id, version, last_updated, deleted, body, address)"
                " VALUES (1, :kind, 'x', 1, 1, false, :body, 5)"
            ),
            {"kind": kind, "body": b"{}"},
        )


def rows(database: Database, table: str) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Table(table, MetaData(), autoload_with=connection))))


def test_what_is_stored_is_hidden_and_waits_to_be_indexed_anew(empty: Database) -> None:
    _store(empty, "Patient")
    up(empty)
    (found,) = rows(empty, "resource")
    assert (found.patient, found.labels, found.source) == (2, -1, 0)
    (job,) = rows(empty, "search_parameter")
    assert (job.parameter, job.state, job.phase) == ("", "indexing", "adding")
    assert rows(empty, "outbox") == []


def test_an_indexing_of_everything_that_ended_before_or_is_on_its_way_begins_anew(empty: Database) -> None:
    _store(empty, "Patient")
    up(empty, "0006")
    down(empty, "0005")
    with empty.write() as connection:
        connection.execute(text("UPDATE search_parameter SET state = 'ready', phase = 'checking', position = 9"))
    up(empty)
    (job,) = rows(empty, "search_parameter")
    assert (job.state, job.phase, job.position) == ("indexing", "adding", 0)


def test_header_values_wait_to_be_sealed_where_there_may_be_any(empty: Database) -> None:
    _store(empty, "Subscription")
    up(empty)
    (work,) = rows(empty, "outbox")
    assert (work.kind, work.key, work.payload, work.state) == ("header-values", "stored", b"{}", "waiting")
    down(empty, "0009")
    assert rows(empty, "outbox") == []
    up(empty)
    assert len(rows(empty, "outbox")) == 1


def test_an_empty_database_waits_for_nothing(empty: Database) -> None:
    up(empty)
    assert rows(empty, "outbox") == rows(empty, "search_parameter") == []
