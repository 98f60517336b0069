"""hub clocks …, hub referrals …: which clocks are late, why, and what waits for a person. No names are printed.

Refuses: a state that there is not; a Task that is no referral, or no clock.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import CLOCK_STATE, REFERRAL_CLOCK
from hub.problems import Problem
from hub.referrals.case import Known, found, known
from hub.referrals.clocks import STATES
from hub.referrals.clockwork import Clockwork
from hub.referrals.explain import explainer
from hub.referrals.measures import counts
from hub.referrals.moving import Moving
from hub.referrals.steps import FOR_A_PERSON, STEPS, step_of
from hub.referrals.terms import STEP, target
from hub.store.engine import Database
from hub.transactions import Transactions

LINE = "{:<42} {:<24} {:<27} {}"
GetDatabase = Callable[[], Database]


def clocks_commands(database: GetDatabase, clocks: Callable[[], Clockwork]) -> typer.Typer:
    """hub clocks list | counts | explain."""
    app = typer.Typer(no_args_is_help=True, help="The clocks of referrals (docs/clocks.md).")

    @app.command("list")
    def list_(
        state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}.")] = "late",
    ) -> None:
        """List clocks, by default those that are late."""
        if state not in STATES:
            raise typer.BadParameter(", ".join(STATES), param_hint="--state")
        _print(("clock", "which", "due", "of"), (_of_clock(one) for one in _tagged(database(), state)))

    @app.command("counts")
    def counts_() -> None:
        """How many clocks there are in each state."""
        for (name, state), number in sorted(counts(database(), clocks().rows).items()):
            typer.echo(f"{number:>8}  {name:<24} {state}")

    @app.command("explain")
    def explain_(task: Annotated[str, typer.Argument(metavar="TASK", help="Task/ID of the clock.")]) -> None:
        """Why a clock is due when it is."""
        with database().read() as connection:
            one = known(connection, "Task", task.removeprefix("Task/"))
            try:
                if one is None:
                    raise Problem("not-found", "There is no such Task")
                typer.echo(json.write(explainer(clocks())(connection, one.resource, clock.now())).decode())
            except Problem as problem:
                _refuse(problem)

    return app


def referrals_commands(database: GetDatabase, transactions: Callable[[], Transactions]) -> typer.Typer:
    """hub referrals waiting | assign."""
    app = typer.Typer(no_args_is_help=True, help="Referrals that go through the hub (docs/referrals.md).")

    @app.command()
    def waiting() -> None:
        """List the referrals that wait for a person, and for what."""
        rows: list[Known] = []
        with database().read() as connection:
            for step in sorted(FOR_A_PERSON):
                rows += found(connection, "Task", ("business-status", f"{STEP}|{step}"))
        open_ones = (one for one in rows if one.status in ("requested", "accepted", "in-progress", "on-hold"))
        _print(("referral", "waits at", "since", "what to do"), (_of_referral(one) for one in open_ones))

    @app.command()
    def assign(
        task: Annotated[str, typer.Argument(help="Task/ID of the referral.")],
        provider: Annotated[str, typer.Argument(help="Who is asked, such as Organization/house.")],
    ) -> None:
        """Assign a provider: it is asked next, and nobody else any more."""
        try:
            Moving(transactions(), Access.system("an operator assigns")).assign(
                task.removeprefix("Task/"), provider
            )
        except Problem as problem:
            _refuse(problem)
        typer.echo("Assigned: the provider is asked as soon as the worker comes to it.")

    return app


def _tagged(database: Database, state: str) -> list[Known]:
    asked = ("code", f"{REFERRAL_CLOCK}|"), ("_tag", f"{CLOCK_STATE}|{state}")
    with database.read() as connection:
        return found(connection, "Task", *asked)


def _of_clock(one: Known) -> tuple[str, str, str, str]:
    task = one.resource
    due = task.get("restriction", {}).get("period", {}).get("end", "")
    return f"Task/{one.id}", task["code"]["coding"][0]["code"], due, target(task.get("focus"))


def _of_referral(one: Known) -> tuple[str, str, str, str]:
    step = step_of(one.resource)
    return f"Task/{one.id}", step, str(one.resource.get("lastModified", "")), STEPS.get(step, "")


def _print(head: tuple[str, str, str, str], rows: Iterable[tuple[str, str, str, str]]) -> None:
    typer.echo(LINE.format(*head))
    for row in rows:
        typer.echo(LINE.format(*row))


def _refuse(problem: Problem) -> None:
    sys.exit(str(problem))
