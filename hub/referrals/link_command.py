"""hub referrals link | links | revoke: the addresses at which providers without FHIR answer. They name a Task and
nobody's data.

Refuses: a Task that is no referral, one that is over, one whose owner is no organization; of a referral that goes
through the hub, one for which no provider is asked yet; a Communication that stands for no link.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Annotated
from uuid import uuid4

import typer
from sqlalchemy import Connection

from hub import clock
from hub.problems import Problem
from hub.referrals.assembly import configured
from hub.referrals.case import Case, Known, access, case_of, found, known
from hub.referrals.effects import root_of
from hub.referrals.link_letters import HOLDS, LINK, REVOKED, ends_of, is_link, letter, link_of
from hub.referrals.links import DAYS, MOST_DAYS, PATH, Link, link_for, signed
from hub.referrals.terms import NOTICE, OVER, Resource, local
from hub.rights.labels import with_labels
from hub.settings import Settings
from hub.transactions import Transactions, single

LINE = "{:<50} {:<12} {:<42} {:<32} {}"
LOOKED_AT = 1000
GetTransactions = Callable[[], Transactions]


def add_link(app: typer.Typer, own: GetTransactions, settings: Callable[[], Settings]) -> typer.Typer:
    """The same commands, and these. `own` writes for the hub itself."""

    @app.command("link")
    def link_(
        task: Annotated[str, typer.Argument(help="Task/ID of the referral, or of what the provider was asked.")],
        days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How long the link holds.")] = DAYS,
    ) -> None:
        """Print a link by which the provider answers. Whoever has it can: send it to them alone."""
        try:
            typer.echo(address_for(own(), settings(), task.removeprefix("Task/"), days))
        except (Problem, ValueError) as error:
            sys.exit(str(error))

    @app.command("links")
    def links_(
        every: Annotated[bool, typer.Option("--all", help="Those that ended or were revoked, too.")] = False,
    ) -> None:
        """List the links that hold, by the Communication that stands for each."""
        typer.echo(LINE.format("link", "state", "task", "asked", "until"))
        with own().database.read() as connection:
            for row in _listed(connection, settings().fhir_base, every):
                typer.echo(LINE.format(*row))

    @app.command("revoke")
    def revoke(
        link: Annotated[str, typer.Argument(metavar="LINK", help="Communication/ID, as `links` lists it.")],
    ) -> None:
        """Revoke one link: its address tells nothing from now on."""
        try:
            _revoked(own(), link.removeprefix("Communication/"))
        except Problem as problem:
            sys.exit(str(problem))
        typer.echo("Revoked.")

    return app


def address_for(own: Transactions, settings: Settings, task: str, days: int) -> str:
    """The address of a new link, which leaves by hand. Raises Problem, ValueError."""
    organization, base = configured(settings).organization, settings.fhir_base
    with own.database.read() as connection:
        case, asked = _asked(connection, task, base)
    owner = local(asked.resource.get("owner"), base, "Organization")
    if owner and owner == organization:
        raise Problem("business-rule", "No provider is asked yet: it is this hub's own")
    link = link_for(asked.id, owner, clock.now(), days, str(uuid4()))
    _write(own, _by_hand(case, asked, link, organization))
    return f"{settings.base_url}{PATH}{signed(link, settings.secret_key())}"


def _by_hand(case: Case, asked: Known, link: Link, organization: str) -> Resource:
    now = clock.instant(clock.micros(clock.now()))
    made = letter(case, asked, link, organization, status="completed", sent=now)
    return with_labels(made, case.labels_of(made))


def _asked(connection: Connection, task: str, base: str) -> tuple[Case, Known]:
    """What the provider is asked: the Task itself, or the last one that the hub made because of it."""
    one = known(connection, "Task", task)
    root = case_of(connection, root_of(one.resource), base) if one and root_of(one.resource) else None
    child = next((each for each in root.deliveries if each.id == task), None) if root else None
    case = root if child else case_of(connection, task, base)
    if case is None:
        raise Problem("not-found", "There is no such referral")
    asked = child or case.delivery or case.task
    if asked.status in OVER:
        raise Problem("business-rule", "Nothing waits for an answer: the provider's Task is over")
    return case, asked


def _listed(connection: Connection, base: str, every: bool) -> Iterator[tuple[str, str, str, str, str]]:
    now = clock.now()
    for one in found(connection, "Communication", ("category", f"{NOTICE}|{LINK}"), most=LOOKED_AT):
        link, state = link_of(one.resource, base), one.status
        has_ended = link.has_ended(now)
        if is_link(one.resource) and (every or (state in HOLDS and not has_ended)):
            told = "ended" if has_ended and state in HOLDS else state
            until = ends_of(one.resource).isoformat()[:19]
            yield f"Communication/{one.id}", told, f"Task/{link.task}", link.owner, until


def _revoked(own: Transactions, identity: str) -> None:
    """Raises Problem."""
    with own.database.read() as connection:
        one = known(connection, "Communication", identity)
    if one is None or not is_link(one.resource):
        raise Problem("not-found", "There is no such link")
    said = {"status": REVOKED, "statusReason": {"text": "The link was revoked"}}
    _write(own, {**one.resource, **said}, one.version)


def _write(own: Transactions, made: Resource, version: int | None = None) -> None:
    """Raises Problem."""
    own.commit([single("PUT", "Communication", id=str(made["id"]), resource=made, if_match=version)], access())
