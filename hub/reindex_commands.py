"""hub reindex status | stop | resume | all: what is indexed behind the scenes, see hub.reindex."""

import time
from collections.abc import Callable
from typing import Annotated

import typer

from hub import clock, reindex
from hub.reindex import Job, Reindex
from hub.rights.labels import NO_PART2, Part2Sources
from hub.search.custom import READY, STOPPED
from hub.store.engine import Database

ROW = "{:<9} {:<9} {:>10}  {:<27} {:<40} {}"
WAIT_SECONDS = 0.2
Url = Annotated[str, typer.Argument(help="The SearchParameter's url, or the word all.")]


def reindex_commands(
    database: Callable[[], Database],
    base: Callable[[], str],
    now: clock.Clock = clock.now,
    part2: Callable[[], Part2Sources] = lambda: NO_PART2,
) -> typer.Typer:
    """`base` gives the hub's own FHIR base URL, `part2` whose data is a Part 2 record."""
    app = typer.Typer(no_args_is_help=True, help="The search index: parameters of your own, and everything anew.")

    @app.command()
    def status() -> None:
        """List the parameters of this deployment and how far each is indexed."""
        typer.echo(ROW.format("state", "phase", "looked at", "last change", "searched by", "url"))
        with database().read() as connection:
            found = reindex.listed(connection)
        for job in found:
            name = f"{job.base}?{job.code}=" if job.base else "everything"
            phase = "" if job.state == READY else job.phase
            typer.echo(ROW.format(job.state, phase, job.looked_at, clock.instant(job.updated), name, job.url))

    @app.command()
    def stop(url: Url) -> None:
        """Let the indexing of a parameter wait; it is not searched by meanwhile."""
        at = clock.micros(now())
        _told(database().writing(lambda connection: reindex.stop(connection, url, at)), "stopped")

    @app.command()
    def resume(url: Url) -> None:
        """Let a stopped indexing go on where it was."""
        _told(
            database().writing(lambda connection: reindex.resume(connection, url, clock.micros(now()))), "resumed"
        )

    @app.command("all")
    def all_() -> None:
        """Index everything anew, once after an upgrade from release 1, while the hub serves. Ctrl-C leaves the rest
        to the worker; `hub reindex stop all` stops it."""
        number = database().writing(lambda connection: reindex.everything(connection, clock.micros(now())))
        _follow(Reindex(database(), base(), now, part2=part2()), number)

    return app


def _told(count: int, what: str) -> None:
    if not count:
        typer.echo(f"There is no such indexing to be {what}: see `hub reindex status`.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{count} indexing{'' if count == 1 else 's'} {what}.")


def _follow(work: Reindex, number: int) -> None:
    """Do the job, together with the hub's worker if there is one, and show how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with work.database.read() as connection:
        total = reindex.size(connection)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("waiting for all processes", total=total)
        while (job := _job(work.database, number)) is not None and job.state not in (READY, STOPPED):
            waits = job.due > clock.micros(work.now())
            bar.update(task, description=f"{job.phase}{', soon' if waits else ''}", completed=job.looked_at)
            if not work.step(number):
                time.sleep(WAIT_SECONDS)
    if job is None or job.state == STOPPED:
        typer.echo("It was stopped: `hub reindex all` goes on.", err=True)
        raise typer.Exit(1)
    typer.echo("Everything is indexed.")


def _job(database: Database, number: int) -> Job | None:
    with database.read() as connection:
        return next((job for job in reindex.listed(connection) if job.number == number), None)
