"""The commands of this wing, added to the command `hub`."""

from collections.abc import Callable

import typer

from auth.break_glass_commands import break_glass_commands
from auth.commands import add_token, client_commands
from auth.key_commands import key_commands
from auth.user_commands import add_launch, user_commands
from hub.settings import Settings
from hub.store.engine import Database


def add_auth(app: typer.Typer, database: Callable[[], Database], settings: Callable[[], Settings]) -> None:
    """Clients, keys, users, break-glass; token and launch."""
    app.add_typer(client_commands(database, settings), name="clients")
    app.add_typer(key_commands(database, settings), name="keys")
    app.add_typer(user_commands(database, settings), name="users")
    app.add_typer(break_glass_commands(database), name="break-glass")
    add_token(app, settings)
    add_launch(app, database, settings)
