"""Commands on the keys that sign ID tokens: `hub keys …`.

The libraries of OAuth are imported when a command needs them: `hub serve` lists these commands, too.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from hub import clock
from hub.settings import Settings
from hub.store.engine import Database

GetDatabase = Callable[[], Database]
GetSettings = Callable[[], Settings]


def key_commands(database: GetDatabase, settings: GetSettings) -> typer.Typer:
    """hub keys list | rotate | retire."""
    app = typer.Typer(no_args_is_help=True, help="Keys that sign ID tokens.")

    def keys() -> Any:
        from auth.signing_keys import SigningKeys

        return SigningKeys(database(), settings().secret_key())

    @app.command("list")
    def list_() -> None:
        """List the keys, the newest first: it signs."""
        for key in keys().listed():
            state = "retired" if key.retired else "published"
            typer.echo(f"{key.kid:<44} {state:<10} {clock.instant(key.created)}")

    @app.command()
    def rotate() -> None:
        """Make a new key: it signs within a minute on every node; the old ones stay published until retired."""
        typer.echo(f"Signs now: {keys().rotate()}")

    @app.command(context_settings={"ignore_unknown_options": True})  # an id may begin with a hyphen
    def retire(kid: Annotated[str, typer.Argument(help="The key's id, as `hub keys list` shows it.")]) -> None:
        """Publish a key no more: ID tokens that it signed are worth nothing then."""
        if not keys().retire(kid):
            typer.echo("There is no such key in use.", err=True)
            raise typer.Exit(1)
        typer.echo(f"Retired {kid}.")

    return app
