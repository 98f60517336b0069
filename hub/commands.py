"""Commands on the hub's own things: its roles, the database's schema, the outbox."""

from collections.abc import Callable
from typing import Annotated

import typer

from hub import outbox
from hub.clock import instant, micros, now
from hub.store import partitions
from hub.store.engine import Database

GetDatabase = Callable[[], Database]
WORK = "{:>8}  {:<11} {:>5}  {:<27} {}"


def add_serve(app: typer.Typer, run: Callable[[bool, bool, bool], None]) -> None:
    """`run` is given the roles: web, mllp, worker."""

    @app.command()
    def serve(
        web: Annotated[bool, typer.Option("--web", help="The FHIR and OAuth server.")] = False,
        mllp: Annotated[bool, typer.Option("--mllp", help="The listener for hospitals.")] = False,
        worker: Annotated[bool, typer.Option("--worker", help="Processing and notices.")] = False,
    ) -> None:
        """Run the hub: all of it, or only the roles named. Ctrl-C stops it and loses nothing."""
        if not (web or mllp or worker):
            web = mllp = worker = True
        run(web, mllp, worker)


def add_migrate(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def migrate(
        cut: Annotated[
            bool,
            typer.Option(
                "--cut",
                help="Cut big tables that are whole: they are written anew, and locked.",
            ),
        ] = False,
    ) -> None:
        """Create the database, or bring it to this release's schema. Running it again changes nothing."""
        from hub.store.migrate import migrate as bring_up_to_date  # Alembic: not for the memory of `serve`

        bring_up_to_date(database())
        typer.echo(f"The database is up to date ({database().url.get_backend_name()}).")
        if cut:
            typer.echo(f"Cut into parts: {', '.join(_cut(database())) or 'nothing, there was nothing to cut'}.")


def _cut(database: Database) -> list[str]:
    if database.is_sqlite:
        return []
    with database.write() as connection:
        return partitions.cut(connection)


def outbox_commands(database: GetDatabase) -> typer.Typer:
    """hub outbox list | replay."""
    app = typer.Typer(no_args_is_help=True, help="Work that must happen because of a write: notices, follow-ups.")

    @app.command("list")
    def list_(
        state: Annotated[str, typer.Option(help="waiting, done or dead.")] = outbox.DEAD,
        limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50,
    ) -> None:
        """List work, by default what was given up. No content."""
        if state not in (outbox.WAITING, outbox.DONE, outbox.DEAD):
            raise typer.BadParameter("waiting, done or dead", param_hint="--state")
        with database().read() as connection:
            found = outbox.listed(connection, state, limit)
        typer.echo(WORK.format("number", "kind", "tries", "due", "why"))
        for entry in found:
            typer.echo(WORK.format(entry.seq, entry.kind, entry.attempts, instant(entry.due), entry.reason or ""))

    @app.command()
    def replay(
        numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of dead work; all, if none.")] = None,
    ) -> None:
        """Try dead work again, after its receiver was mended."""
        at = micros(now())
        count = database().writing(lambda connection: outbox.replay(connection, at, numbers or None))
        typer.echo(f"{count} piece{'' if count == 1 else 's'} of work will be tried again.")

    return app
