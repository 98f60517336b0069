"""hub referrals link: the address at which a provider without FHIR answers. It names the Task and nobody's data.

Refuses: a Task that is no referral, one that is over, one whose owner is no organization; of a referral that goes
through the hub, one for which no provider is asked yet.
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Connection

from hub import clock
from hub.problems import Problem
from hub.referrals.assembly import configured
from hub.referrals.case import Known, case_of
from hub.referrals.links import MOST_DAYS, PATH, link_for, signed
from hub.referrals.terms import OVER, local
from hub.settings import Settings
from hub.store.engine import Database

DAYS = 14


def add_link(app: typer.Typer, database: Callable[[], Database], settings: Callable[[], Settings]) -> typer.Typer:
    """The same commands, and this one."""

    @app.command("link")
    def link_(
        task: Annotated[str, typer.Argument(help="Task/ID of the referral, or of what the provider was asked.")],
        days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How long the link holds.")] = DAYS,
    ) -> None:
        """Print the link by which the provider answers. Whoever has it can: send it to them alone."""
        try:
            with database().read() as connection:
                typer.echo(address_for(connection, settings(), task.removeprefix("Task/"), days))
        except (Problem, ValueError) as error:
            sys.exit(str(error))

    return app


def address_for(connection: Connection, settings: Settings, task: str, days: int) -> str:
    """Raises Problem, ValueError."""
    asked = _asked(connection, task, settings.fhir_base)
    owner = local(asked.resource.get("owner"), settings.fhir_base, "Organization")
    if owner and owner == configured(settings).organization:
        raise Problem("business-rule", "No provider is asked yet: it is this hub's own")
    made = link_for(asked.id, owner, clock.now(), days)
    return f"{settings.base_url}{PATH}{signed(made, settings.secret_key())}"


def _asked(connection: Connection, task: str, base: str) -> Known:
    """What the provider is asked: the Task itself, or the last one that the hub made because of it."""
    case = case_of(connection, task, base)
    if case is None:
        raise Problem("not-found", "There is no such referral")
    found = case.delivery or case.task
    if found.status in OVER:
        raise Problem("business-rule", "Nothing waits for an answer: the provider's Task is over")
    return found
