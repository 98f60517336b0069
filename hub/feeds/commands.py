"""hub load KIND PATH, hub files …: a file by hand, what became of each, its reject report.

What is printed holds no value of a row.
Refuses: a kind or feed that there is not, a name that came before with other bytes.
"""

import sys
import time
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from hub.clock import instant
from hub.feeds import files, report, vault
from hub.feeds.agreeing import agree
from hub.feeds.files import DONE, REFUSED, Counts, File
from hub.feeds.loading import Busy, Loading
from hub.feeds.reject_codes import REJECT_CODES
from hub.feeds.taking import Lost
from hub.fhir import json
from hub.problems import Problem

GetLoading = Callable[[], Loading]
LOOK_SECONDS = 0.2
LINE = "{:>8}  {:<8} {:<24} {:<26} {:<20} {}"


def add_load(app: typer.Typer, loading: GetLoading) -> None:
    @app.command()
    def load(
        kind: Annotated[str, typer.Argument(help="What it is: hmis, county, plan-834, mif, … (docs/feeds.md).")],
        path: Annotated[Path, typer.Argument(help="The file, or a folder of files.", exists=True)],
        feed: Annotated[str, typer.Option(help="Whose it is, by the name of a feed.")] = "",
        name: Annotated[str, typer.Option(help="The file's name, if it is to be another.")] = "",
    ) -> None:
        """Load a file here and now. Loading it again changes nothing. Exit code 1 where rows were rejected."""
        hub = loading()
        chosen = _feed(hub, kind, feed)
        file = _loaded(hub, path, name or path.name, chosen)
        _tell(file)
        raise typer.Exit(1 if file.state == REFUSED or file.counts.get("rejected") else 0)


def _feed(hub: Loading, kind: str, name: str) -> str:
    if kind not in hub.kinds:
        raise typer.BadParameter(f"KIND is one of {', '.join(sorted(hub.kinds))}")
    named = [one.name for one in hub.feeds.values() if one.kind == kind and one.name != kind]
    chosen = name or (named[0] if len(named) == 1 else kind)
    if chosen not in hub.feeds or hub.feeds[chosen].kind != kind:
        raise typer.BadParameter(f"--feed is one of {', '.join(sorted([kind, *named]))}")
    return chosen


def _loaded(hub: Loading, path: Path, name: str, feed: str) -> File:
    try:
        receipt, seq = hub.arriving(path, name, hub.feeds[feed])
    except ValueError:
        typer.echo(f"NAME_UNSAFE: {REJECT_CODES['NAME_UNSAFE']}", err=True)
        raise typer.Exit(1) from None
    except Problem as problem:
        typer.echo(problem.issues[0].message, err=True)
        raise typer.Exit(1) from None
    if receipt == "conflict":
        typer.echo(f"NAME_REUSED: {REJECT_CODES['NAME_REUSED']}", err=True)
        raise typer.Exit(1)
    if receipt == "duplicate":
        typer.echo("The file came before; what is not written yet is written now.")
    return _run(hub, seq)


def _run(hub: Loading, seq: int) -> File:
    with _progress() as step:
        while True:
            try:
                return hub.run(seq, step)
            except (Busy, Lost):  # the worker was faster, or somebody died at it: then its lease ends
                if (file := _ended(hub, seq)) is not None:
                    return file
                time.sleep(LOOK_SECONDS)


def _ended(hub: Loading, seq: int) -> File | None:
    with hub.database.read() as connection:
        file = files.find(connection, seq)
    return file if file is not None and file.state in (DONE, REFUSED) else None


class _progress:  # noqa: N801 - reads as a word at its call
    """One line in a terminal; nothing where nobody looks."""

    def __enter__(self) -> Callable[[str, Counts], object]:
        return self._show if sys.stderr.isatty() else lambda phase, counts: None

    def _show(self, phase: str, counts: Counts) -> None:
        told = f"{phase}: {counts.read} rows, {counts.rejected} rejected, {counts.resources} resources"
        sys.stderr.write(f"\r{told:<78}")
        sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def _tell(file: File) -> None:
    counts = ", ".join(f"{number} {name}" for name, number in file.counts.items() if number)
    typer.echo(f"File {file.seq}: {file.state}; {counts or 'no rows'}.")
    if file.counts.get("rejected") or file.counts.get("warned"):
        typer.echo(f"Its reject report: hub files report {file.seq}")


def files_commands(loading: GetLoading) -> typer.Typer:
    """hub files …"""
    app = typer.Typer(no_args_is_help=True, help="Files that came in, and what became of each.")

    @app.command("list")
    def list_(limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50) -> None:
        """List files: number, state, feed, when, the moment it speaks of, counts."""
        typer.echo(LINE.format("number", "state", "feed", "began", "as of", "counts"))
        with loading().database.read() as connection:
            for file in files.listed(connection, limit):
                began = instant(file.started) if file.started else ""
                told = " ".join(f"{name}={number}" for name, number in file.counts.items() if number)
                as_of = f"{instant(file.said)[:19]}Z" if file.said else ""
                typer.echo(LINE.format(file.seq, file.state, file.feed, began, as_of, told).rstrip())

    @app.command("report")
    def report_(
        number: Annotated[int, typer.Argument(help="The file's number.")],
        fhir: Annotated[bool, typer.Option("--fhir", help="As an OperationOutcome.")] = False,
    ) -> None:
        """Print the reject report of a file."""
        with loading().database.read() as connection:
            file = files.find(connection, number)
            if file is None:
                raise typer.BadParameter("There is no such file")
            rejects = files.rejects(connection, number)
            if fhir:
                typer.echo(json.write(report.as_outcome(file, rejects)).decode())
                return
            for line in report.as_csv(file, rejects):
                typer.echo(line, nl=False)

    @app.command("here")
    def here_() -> None:
        """Say that HUB_FILES_DIR is the folder of files, although it holds none that came (an empty one, brought
        back without its files)."""
        vault.mark(loading().arriving.folder)
        typer.echo(f"{loading().arriving.folder} keeps the files from now on.")

    @app.command("agree")
    def agree_(number: Annotated[int, typer.Argument(help="The file's number.")]) -> None:
        """Load a full file although it takes many away (TOO_MANY_GONE). Who said so is kept with it."""
        hub = loading()
        try:
            agree(hub, number, f"command {getuser()}")
        except Problem as problem:
            typer.echo(problem.issues[0].message, err=True)
            raise typer.Exit(1) from None
        _tell(_run(hub, number))

    return app
