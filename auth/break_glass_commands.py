"""Commands on broken glass: `hub break-glass start | list | end`, for the admin host."""

import getpass
from collections.abc import Callable
from typing import Annotated, Any

import typer

from hub import clock
from hub.store.engine import Database

LINE = "{:>6}  {:<24} {:<20} {:<16} {:<27} {:<27} {}"


def break_glass_commands(database: Callable[[], Database]) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="One patient's record, for one client, for an hour at most.")

    @app.command()
    def start(
        client: Annotated[str, typer.Argument(help="The client's id.")],
        patient: Annotated[str, typer.Option(help="The Patient's id.")],
        ticket: Annotated[str, typer.Option(help="The ticket that asks for it.")],
        reason: Annotated[str, typer.Option(help="Why no other way will do. It is kept, and not logged.")],
        minutes: Annotated[int, typer.Option(help="For how long, at most 60.")] = 60,
    ) -> None:
        """Open one patient's record to a client. It is recorded, and raises an alert."""
        from auth import break_glass

        found = _told(
            database,
            lambda c: break_glass.start(
                c, client, patient, ticket, reason, minutes, getpass.getuser(), clock.now()
            ),
        )
        typer.echo(f"Glass {found.id} is broken until {clock.instant(found.until)}.")

    @app.command("list")
    def list_() -> None:
        """List what was opened, the latest first: number, client, ticket, by whom, from, until, patient."""
        from auth import break_glass

        with database().read() as connection:
            for one in break_glass.listed(connection):
                times = clock.instant(one.started), clock.instant(one.until)
                typer.echo(LINE.format(one.id, one.client, one.ticket, one.opened_by, *times, one.patient))

    @app.command()
    def end(number: Annotated[int, typer.Argument(help="The number that `list` tells.")]) -> None:
        """Close it before its time."""
        from auth import break_glass

        found = _told(database, lambda c: break_glass.end(c, number, clock.now()))
        typer.echo(f"Glass {found.id} is closed.")

    return app


def _told(database: Callable[[], Database], work: Callable[[Any], Any]) -> Any:
    """GlassError as a sentence and exit code 1, not as a trace."""
    from auth.break_glass import GlassError

    try:
        return database().writing(work)
    except GlassError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
