"""hub referrals form-link: the address of the form by which an organization without FHIR refers.

Refuses: an organization that there is not, a hub that coordinates no referrals (no `organization` in
referrals.toml).
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from hub import clock
from hub.problems import Problem
from hub.referrals.assembly import configured
from hub.referrals.case import known
from hub.referrals.form_links import DAYS, MOST_DAYS, PATH, form_link_for, signed
from hub.settings import Settings
from hub.store.engine import Database


def add_form_link(
    app: typer.Typer, database: Callable[[], Database], settings: Callable[[], Settings]
) -> typer.Typer:
    """The same commands, and this one."""

    @app.command("form-link")
    def form_link(
        organization: Annotated[str, typer.Option(help="Whose form it is, such as Organization/library.")],
        days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How long the link holds.")] = DAYS,
    ) -> None:
        """Print the address of a form by which this organization, or whom it helps, refers."""
        try:
            typer.echo(form_address(database(), settings(), organization, days))
        except (Problem, ValueError) as error:
            sys.exit(str(error))

    return app


def form_address(database: Database, settings: Settings, organization: str, days: int) -> str:
    """Raises Problem, ValueError."""
    link = form_link_for(organization, clock.now(), days)
    if not configured(settings).organization:
        raise Problem("business-rule", "This hub coordinates no referrals: referrals.toml names no organization")
    with database.read() as connection:
        if known(connection, *organization.split("/")) is None:
            raise Problem("not-found", "There is no such organization")
    return f"{settings.base_url}{PATH}{signed(link, settings.secret_key())}"
