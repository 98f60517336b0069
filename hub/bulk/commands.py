"""hub bulk list | end: exports and imports, for the person on call. No content, no id that fetches files."""

from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from hub.bulk import jobs
from hub.clock import instant
from hub.store.engine import Database
from hub.store.tables_bulk import bulk_job

SHOWN = 8  # characters of an id: who has all of it may fetch the files
LINE = "{:<9} {:<8} {:<8} {:<24} {:>9} {:>5}  {:<27} {}"


def bulk_commands(database: Callable[[], Database]) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="Exports and imports of many resources (docs/bulk.md).")

    @app.command("list")
    def list_(limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50) -> None:
        """List jobs: the id's beginning, kind, state, client, how many so far, begun in vain, since when, why."""
        with database().read() as connection:
            rows = connection.execute(select(bulk_job).order_by(bulk_job.c.created.desc()).limit(limit)).all()
        typer.echo(LINE.format("job", "kind", "state", "client", "resources", "tries", "since", "why"))
        for row in rows:
            told = (row.id[:SHOWN], row.kind, row.state, row.client, row.counted, row.attempts)
            typer.echo(LINE.format(*told, instant(row.created), row.reason or ""))

    @app.command("end")
    def end_(job: Annotated[str, typer.Argument(help=f"The first {SHOWN} characters of its id.")]) -> None:
        """End a job and remove its files, as its client could: what an import wrote stays."""
        if not database().writing(lambda connection: _ended(connection, job)):
            typer.echo("There is no such job, or several begin like this.", err=True)
            raise typer.Exit(1)
        typer.echo("The job and its files are gone.")

    return app


def _ended(connection: Connection, beginning: str) -> bool:
    found = connection.execute(select(bulk_job.c.id).where(bulk_job.c.id.startswith(beginning, autoescape=True)))
    names = list(found.scalars())
    if len(names) != 1 or len(beginning) < SHOWN:
        return False
    jobs.remove(connection, names[0])
    return True
