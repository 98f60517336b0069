"""hub send digest: the file of what happened in a panel since the last one.

Rules: docs/digests.md. The same file that the worker sends when a feed wants it every day.
Refuses: as every file that goes out (adapters.sending); a feed without a place.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from adapters.digests.configured import BY_NAME, topics_of
from adapters.digests.sending import send_digest
from adapters.files.faults import Fault
from adapters.files.transports import has_out
from adapters.sending import Anyway, Client, Sending
from hub.notifications.digests import Digest, Digests
from hub.problems import Problem
from hub.store.read import Stored


def add_digest(app: typer.Typer, sending: Callable[[], Sending]) -> None:
    """The subcommand."""

    @app.command()
    def digest(
        feed: Annotated[str, typer.Argument(help="To whose place it goes: any feed with a folder or a server.")],
        panel: Annotated[str, typer.Argument(help="Group/ID.")],
        client: Client,
        topic: Annotated[list[str], typer.Option(help="The end of a topic's URL; several; without it all.")] = [],  # noqa: B006
        anyway: Anyway = False,
    ) -> None:
        """Write what happened in a panel since the last digest of this client and panel."""
        hub = sending()
        chosen, access = hub.parties(feed, client, not anyway)
        if not has_out(chosen):
            raise typer.BadParameter("The feed has no place for what is sent", param_hint="FEED")
        if unknown := set(topic) - BY_NAME.keys():
            raise typer.BadParameter(f"There is no topic {min(unknown)}", param_hint="--topic")
        wanted = Digest(chosen.name, client, panel, topics_of(topic))

        def tell(rows: Sequence[Stored]) -> None:
            hub.told(chosen, access, rows)

        digests = Digests(hub.loading.database, hub.loading.own, hub.base)
        try:
            sent = send_digest(digests, wanted, access, chosen, tell)
        except Problem as problem:
            typer.echo(str(problem), err=True)
            raise typer.Exit(1) from None
        except (Fault, OSError, ValueError) as error:
            why = error if isinstance(error, Fault) else "the feed's place does not take it"
            typer.echo(f"Not sent, the next run sends the same file: {why}.", err=True)
            raise typer.Exit(1) from None
        if sent.forgotten:
            typer.echo(f"{sent.forgotten} events are not kept any more (HUB_NOTICE_KEEP_DAYS).", err=True)
        typer.echo(f"{sent.rows} rows.")
        typer.echo(f"Sent as {sent.name}.")
