"""hub notices list | log | replay: how Subscriptions stand, what was tried, and dead notices once more. No content.

Rules: docs/runbook.md "Notices".
"""

from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Connection

from hub import outbox
from hub.clock import instant, micros, now
from hub.notifications import attempts
from hub.notifications.events import NOTICE
from hub.store.engine import Database

STANDING = "{:<38} {:<26} {:>8} {:>8} {:>6} {:>8}  {}"
ATTEMPT = "{:<27} {:<38} {:<9} {:>9} {:<7} {:>6}  {}"


def notices_commands(database: Callable[[], Database]) -> typer.Typer:
    """hub notices list | log | replay."""
    app = typer.Typer(no_args_is_help=True, help="Notices of Subscriptions: how they stand, and the delivery log.")

    @app.command("list")
    def list_() -> None:
        """Every Subscription: its client, events counted, notices that wait and that are dead, failures in a
        row, and when something last reached its receiver."""
        with database().read() as connection:
            found = attempts.standings(connection, NOTICE)
        typer.echo(STANDING.format("subscription", "client", "events", "waiting", "dead", "failures", "reached"))
        for one in found:
            reached = instant(one.reached) if one.reached else "-"
            numbers = (one.events, one.waiting, one.dead, one.failures)
            typer.echo(STANDING.format(one.subscription, one.owner, *numbers, reached))

    @app.command()
    def log(
        subscription: Annotated[str | None, typer.Argument(help="Of this Subscription; all, if none.")] = None,
        limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50,
    ) -> None:
        """What was tried: when, which events, and what became of it."""
        with database().read() as connection:
            found = attempts.listed(connection, subscription, limit)
        typer.echo(ATTEMPT.format("at", "subscription", "kind", "events", "outcome", "status", "why"))
        for one in found:
            numbers = f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}"
            about = (instant(one.at), one.subscription, one.kind, numbers if one.first else "-")
            typer.echo(ATTEMPT.format(*about, one.outcome, one.status or "-", one.reason))

    @app.command()
    def replay(
        subscriptions: Annotated[list[str], typer.Argument(help="Ids of Subscriptions.")],
    ) -> None:
        """Try the dead notices of these Subscriptions again, in order. Who is in error must ask anew first."""
        at = micros(now())

        def again(connection: Connection) -> int:
            return outbox.replay(connection, at, attempts.dead_numbers(connection, NOTICE, subscriptions))

        count = database().writing(again)
        typer.echo(f"{count} notice{'' if count == 1 else 's'} will be tried again.")

    return app
