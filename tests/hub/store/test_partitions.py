"""Big tables in parts: hub.store.partitions, docs/distribution.md."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Connection
from typer.testing import CliRunner

from hub import clock, housekeeping
from hub.access import Access
from hub.commands import add_migrate
from hub.rights.part2 import NO_PART2
from hub.store import keyed, partitions, statistics
from hub.store.engine import Database
from hub.store.tables import metadata
from hub.transactions import Transactions, single
from tests.house.migrating import bare, down, up

PAGE = Path(__file__).parents[3] / "docs" / "distribution.md"
SEVERAL = "SELECT count(*) FROM pg_inherits WHERE inhparent = '{table}'::regclass"
ROWS = 500
LOCKS_A_CONNECTION = 64
pytestmark = pytest.mark.postgresql


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with bare(request, tmp_path, "postgresql") as database:
        yield database


def parts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table: connection.exec_driver_sql(SEVERAL.format(table=table)).scalar_one() for table in partitions.KEYS
        }


def filled(database: Database) -> None:
    with database.write() as connection:
        for rid in range(ROWS):
            connection.exec_driver_sql(f"INSERT INTO index_token VALUES ({rid * 7919}, {rid})")
            connection.exec_driver_sql(f"INSERT INTO history VALUES ({rid}, 1, {rid}, false, NULL, 'Task')")


def content(connection: Connection, table: str) -> Any:
    return connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2").all()


def test_a_new_database_is_cut_from_the_start(empty: Database) -> None:
    up(empty)
    assert parts(empty) == dict.fromkeys(partitions.KEYS, partitions.PARTS)


def test_every_unique_key_of_a_table_holds_the_key_by_which_it_is_cut() -> None:
    for table, key in partitions.KEYS.items():
        assert key in metadata.tables[table].primary_key.columns
        assert not [index for index in metadata.tables[table].indexes if index.unique]


def test_what_an_earlier_release_filled_stays_whole_until_somebody_cuts_it(empty: Database) -> None:
    up(empty, "0022")
    filled(empty)
    up(empty)
    cut = {table for table, number in parts(empty).items() if number}
    assert cut == {*partitions.KEYS} - {"index_token", "history"}
    with empty.write() as connection:
        before = [content(connection, table) for table in ("index_token", "history")]
        assert sorted(partitions.cut(connection)) == ["history", "index_token"]
        assert [content(connection, table) for table in ("index_token", "history")] == before
    assert parts(empty) == dict.fromkeys(partitions.KEYS, partitions.PARTS)
    with empty.write() as connection:
        assert partitions.cut(connection) == []


def test_the_command_cuts_what_is_whole_and_says_so(empty: Database) -> None:
    up(empty, "0022")
    filled(empty)
    app = typer.Typer()
    add_migrate(app, lambda: empty)
    said = CliRunner().invoke(app, ["--cut"]).output.splitlines()
    assert said[-1] == "Cut into parts: index_token, history."
    assert parts(empty) == dict.fromkeys(partitions.KEYS, partitions.PARTS)
    assert "there was nothing to cut" in CliRunner().invoke(app, ["--cut"]).output


def test_the_way_back_keeps_every_row(empty: Database) -> None:
    up(empty)
    filled(empty)
    with empty.read() as connection:
        before = [content(connection, table) for table in ("index_token", "history")]
    down(empty, "0022")
    with empty.read() as connection:
        assert [content(connection, table) for table in ("index_token", "history")] == before
    assert parts(empty) == dict.fromkeys(partitions.KEYS, 0)


def test_who_may_use_a_table_may_use_its_parts(empty: Database) -> None:
    """A role of reports, and one to whom all tables belong."""
    asked = (
        "SELECT pg_get_userbyid(relowner), relacl::text FROM pg_class"
        " WHERE relname LIKE 'history%' AND relkind IN ('r', 'p')"
    )
    up(empty, "0022")
    with empty.write() as connection:
        run = connection.exec_driver_sql
        run("CREATE ROLE of_reports")
        run('CREATE ROLE "The Owner"')
        try:
            run('ALTER TABLE history OWNER TO "The Owner"')
            run("GRANT SELECT ON history TO of_reports WITH GRANT OPTION")
            run("GRANT INSERT ON history TO PUBLIC")
            before = [tuple(row) for row in run(asked)]
            partitions.cut(connection, ["history"])
            assert [tuple(row) for row in run(asked)] == before * (1 + partitions.PARTS)
            partitions.join(connection, ["history"])
            assert [tuple(row) for row in run(asked)] == before
        finally:
            connection.rollback()  # roles are of the whole cluster


def test_rows_are_spread_over_all_parts(empty: Database) -> None:
    up(empty)
    filled(empty)
    with empty.read() as connection:
        for table in ("index_token", "history"):
            for part in range(partitions.PARTS):
                assert len(content(connection, f"{table}_part_{part}")) > ROWS / partitions.PARTS / 2


def test_a_search_by_keys_asks_one_part_for_each(empty: Database) -> None:
    """What is not asked is left out when the statement starts, also of a plan that is made for all values."""
    up(empty)
    asked = re.sub("%s", "{}", keyed._page("%s", 2, "")).format("$1", "$2", "$3", "$4")
    with empty.write() as connection:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.exec_driver_sql(f"PREPARE search (bigint, bigint, bigint, bigint) AS {asked}")
        plan = "\n".join(connection.exec_driver_sql("EXPLAIN EXECUTE search (1, 0, 2, 20)").scalars())
    assert plan.count(f"Subplans Removed: {partitions.PARTS - 1}") == 2
    assert len(re.findall(r"on index_token_part_\d", plan)) == 2


def test_the_page_names_the_same_keys() -> None:
    told: dict[str, str] = {}
    for line in PAGE.read_text().splitlines():
        tables, key, *_ = [*line.strip("| ").split(" | "), "", ""]
        told |= {table: key.strip("`") for table in re.findall(r"`(\w+)`", tables)}
    assert {table: told.get(table) for table in partitions.KEYS} == partitions.KEYS


def test_what_they_are_parts_of_is_counted(empty: Database) -> None:
    """PostgreSQL does not do it by itself; the worker's chore does, once a day."""
    up(empty)
    filled(empty)
    statistics.count_what_is_in_parts(empty)
    with empty.read() as connection:
        asked = "SELECT relname, reltuples FROM pg_class WHERE relname IN ('index_token', 'history')"
        assert {tuple(row) for row in connection.exec_driver_sql(asked)} == {
            ("index_token", ROWS),
            ("history", ROWS),
        }


def test_the_worker_has_that_chore(empty: Database, tmp_path: Path) -> None:
    up(empty)
    filled(empty)
    for chore in housekeeping.chores(empty, "https://hub.invalid/fhir", part2=NO_PART2, audit_folder=tmp_path):
        if chore.every >= timedelta(hours=1):
            chore.do(clock.micros(clock.now()))
    with empty.read() as connection:
        asked = "SELECT reltuples FROM pg_class WHERE relname = 'history'"
        assert connection.exec_driver_sql(asked).scalar_one() == ROWS


def test_every_connection_may_write_at_once_with_the_locks_that_postgresql_has_by_default(empty: Database) -> None:
    """There are 64 for each connection; who finds none ends with an error.
    https://www.postgresql.org/docs/current/runtime-config-locks.html"""
    up(empty)
    own, held = Transactions(empty, lambda *_: (), lambda _: (), "https://hub.invalid/fhir"), []
    for day in ("1980-02-14", "1980-02-15"):
        entries = [single("PUT", "Patient", id=f"p{n}", resource=patient(f"p{n}", day)) for n in range(40)]
        own.commit(entries, Access.system("tests"), lambda connection: held.append(locks(connection)), many=True)
    assert max(held) <= LOCKS_A_CONNECTION


def locks(connection: Connection) -> int:
    """In the table of all connections; each has some places of its own beside it."""
    asked = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND NOT fastpath"
    return int(connection.exec_driver_sql(asked).scalar_one())


def patient(identity: str, born: str) -> dict[str, Any]:
    name = [{"family": f"Testperson-{identity}-{born}", "given": ["Robin", born]}]
    telecom = [{"system": "phone", "value": f"555-{identity}-{born}"}]
    identifier = [{"system": "urn:x", "value": f"{identity}-{born}"}]
    said = {"birthDate": born, "name": name, "telecom": telecom, "identifier": identifier}
    return {"resourceType": "Patient", "id": identity, **said}
