"""hub ecm counts: what the policy guide wants tracked each quarter, as CSV. Numbers alone, nobody's name.

Refuses: a quarter that is none, a provider that is not there, a client that there is not.
"""

import csv
import sys
from collections.abc import Callable
from typing import Annotated, Protocol

import typer

from hub.access import Access
from hub.ecm.counts import HEADER, Quarter
from hub.ecm.tally import Tally
from hub.problems import Problem
from hub.store import merges, read
from hub.store.engine import Database


class Rights(Protocol):
    """What clients may see, and the database in which that stands."""

    @property
    def database(self) -> Database: ...

    def access_of(self, client_id: str, /) -> Access | None: ...


def ecm_commands(rights: Callable[[], Rights], base: Callable[[], str]) -> typer.Typer:
    """hub ecm counts."""
    app = typer.Typer(no_args_is_help=True, help="Enhanced Care Management (docs/ecm.md).")

    @app.callback()
    def group() -> None:
        """Keeps `counts` a subcommand while it is the only one."""

    @app.command()
    def counts(
        quarter: Annotated[str, typer.Option(help="Such as 2026Q3.")],
        organization: Annotated[str, typer.Option(help="Organization/ID: of this provider alone.")] = "",
        client: Annotated[
            str, typer.Option(help="Count what this client may see; otherwise all that is here.")
        ] = "",
    ) -> None:
        """Count targeted individuals, outreach attempts, enrolments and discontinuations of a quarter."""
        try:
            asked = Quarter.of(quarter)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--quarter") from None
        hub = rights()
        access = hub.access_of(client) if client else Access.system("ecm counts")
        if access is None:
            raise typer.BadParameter("There is no such active client", param_hint="--client")
        merges.look(hub.database)
        try:
            with hub.database.read() as connection:
                if organization and read.current(connection, access, *_named(organization)) is None:
                    raise typer.BadParameter("There is no such Organization", param_hint="--organization")
                rows = Tally(connection, access, base()).rows(asked, organization)
        except Problem as problem:
            sys.exit(str(problem))
        writer = csv.writer(sys.stdout)
        writer.writerows([HEADER, *rows])

    return app


def _named(organization: str) -> tuple[str, str]:
    """Raises typer.BadParameter."""
    kind, _, identity = organization.partition("/")
    if kind != "Organization" or not identity:
        raise typer.BadParameter("An Organization is written Organization/ID", param_hint="--organization")
    return kind, identity
