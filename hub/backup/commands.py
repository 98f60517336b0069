"""hub backup, hub restore: for whoever has the hub's machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hub import clock
from hub.backup import contents, restoring
from hub.backup.making import Source, forget, make
from hub.settings import Settings
from hub.store.engine import Database
from hub.store.schema import newest


def add_backup(
    app: typer.Typer,
    source: Callable[[], Source],
    place: Callable[[], tuple[Settings, Database]],
) -> None:
    """`source` is the hub that is there, `place` where the settings want one."""

    @app.command()
    def backup(
        folder: Annotated[Path, typer.Argument(help="Where backups are kept; a folder for each is made in it.")],
        keep: Annotated[int, typer.Option(min=0, help="Keep so many of them, the newest; 0 keeps all.")] = 0,
        key: Annotated[bool, typer.Option(help="With secret.key; without it, keep that elsewhere.")] = True,
    ) -> None:
        """Back up the hub while it runs: database, key, tables, bytes of files. Prints the new folder."""
        hub = source()
        made = make(hub, folder, clock.now(), key)
        typer.echo(str(made))
        if left := contents.not_kept(hub.settings):
            typer.echo(f"Not in it, for it is configuration: what these name: {', '.join(left)}.", err=True)
        for name in forget(folder, keep):
            typer.echo(f"Removed: {name}", err=True)

    @app.command()
    def restore(
        folder: Annotated[Path, typer.Argument(help="One backup: a folder with a manifest.json.")],
        check: Annotated[bool, typer.Option("--check", help="Only look whether it is as it was made.")] = False,
        jobs: Annotated[int, typer.Option(min=1, help="With PostgreSQL: connections that restore together.")] = 1,
    ) -> None:
        """Put a backup back where the settings say. That place must be empty; nothing is ever overwritten."""
        if check:
            held = restoring.checked(folder)
            typer.echo(f"{len(held.files)} files are as they were made at {held.began}, schema {held.schema}.")
            return
        settings, database = place()
        held = restoring.restore(folder, settings, database, jobs)
        typer.echo(f"Restored: all that was acknowledged before {held.began}.")
        if held.schema != newest():
            typer.echo(f"It has schema {held.schema}: run `hub migrate`.")
        typer.echo(
            f'Next: `hub audit verify --expect-head {held.audit_head}`, then docs/backup.md, "After a restore".'
        )
