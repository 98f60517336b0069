"""`hub bulk`: jobs without the id that fetches their files; one is ended only where it is known which is meant."""

from sqlalchemy import insert, select
from typer.testing import CliRunner

from hub.bulk.commands import bulk_commands
from hub.store.engine import Database
from hub.store.tables_bulk import bulk_job


def test_jobs_are_listed_and_ended_by_the_beginning_of_their_ids(database: Database) -> None:
    same = {"kind": "export", "client": "plan", "state": "waiting", "asked": "{}", "position": "{}"}
    same |= {"created": 1, "due": 1, "expires": 2**60}
    names = ("secret-a" + "1" * 24, "secret-b" + "2" * 24, "secret-b" + "3" * 24)
    rows = [{"id": name, **same} for name in names]
    with database.write() as connection:
        connection.execute(insert(bulk_job), rows)
    app, run = bulk_commands(lambda: database), CliRunner()
    told = run.invoke(app, ["list"]).output
    assert "secret-a" in told
    assert not any(row["id"] in told for row in rows)
    for unknown in ("secret-b", "secret-", "secret-c", "secret-%"):
        assert run.invoke(app, ["end", unknown]).exit_code == 1
    assert run.invoke(app, ["end", "secret-a"]).exit_code == 0
    with database.read() as connection:
        assert len(connection.execute(select(bulk_job.c.id)).all()) == 2
