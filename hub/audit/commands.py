"""hub audit verify | list | export: for whoever answers for the audit, on the hub's own machine."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hub import clock
from hub.audit import find, store, verify
from hub.audit.store import Head
from hub.fhir import json
from hub.store.engine import Database

ROW = "{:>9}  {:<27} {:<17} {:>3}  {:<20} {:<24} {:>6}  {}"
CHUNK = 500
First = Annotated[int, typer.Option("--from", help="The first record's number.")]
Last = Annotated[int | None, typer.Option("--to", help="The last record's number; the end of the chain, if none.")]


def audit_commands(
    database: Callable[[], Database], folder: Callable[[], Path], base: Callable[[], str]
) -> typer.Typer:
    """`folder` is that of the journals, `base` the public FHIR base URL."""
    app = typer.Typer(no_args_is_help=True, help="Who did what to whose data: the chain of records.")

    @app.command("verify")
    def verify_(
        first: First = 1,
        last: Last = None,
        expect_head: Annotated[
            list[str] | None, typer.Option(help="A head printed earlier and kept elsewhere (number:hash).")
        ] = None,
    ) -> None:
        """Walk the chain and name the first record that is not as it was written. Prints the head: keep it where
        who can write to the database cannot. Exit code 1 where something is wrong."""
        expected = [_head(text) for text in expect_head or ()]
        store.move_all(database(), folder())
        with database().read() as connection:
            verdict = verify.verify(connection, first, last, expected)
        for name in verify.damaged(folder()):
            typer.echo(f"A journal is damaged, what stood behind the damage is not in the chain: {name}", err=True)
        typer.echo(f"{verdict.count} records are as they were written. Head: {verdict.head}")
        if verdict.wrong:
            typer.echo(f"BROKEN: {verdict.wrong}.", err=True)
        if verdict.wrong or verify.damaged(folder()):
            raise typer.Exit(1)

    @app.command("list")
    def list_(limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50) -> None:
        """List records: number, time, interaction, status, type, client, patients, request. No content."""
        store.move_all(database(), folder())
        typer.echo(ROW.format("number", "at", "interaction", "", "type", "client", "people", "request"))
        with database().read() as connection:
            rows = find.newest(connection, limit)
        for seq, record in rows:
            told = (record.interaction, record.status, record.type, record.client or "-", len(record.releases))
            typer.echo(ROW.format(seq, clock.instant(record.at), *told, record.request))

    @app.command()
    def export(first: First = 1, last: Last = None) -> None:
        """Write AuditEvents to the standard output, one a line (NDJSON). They name whose data was asked for."""
        store.move_all(database(), folder())
        with database().read() as connection:
            for event in find.every(connection, base(), first, last):
                sys.stdout.buffer.write(json.write(event) + b"\n")
        sys.stdout.buffer.flush()

    return app


def _head(text: str) -> Head:
    seq, _, digest = text.partition(":")
    try:
        return Head(int(seq), bytes.fromhex(digest))
    except ValueError:
        raise typer.BadParameter("a number, a colon and a hash", param_hint="--expect-head") from None
