"""`hub identity`: who is who, by hand. Lists and numbers hold no personal data; `show` prints a record."""

from collections.abc import Callable
from getpass import getuser
from typing import Annotated, Any

import typer

from hub.clock import instant
from hub.fhir import json
from hub.identity import events, former, persons
from hub.identity.apart import distinct
from hub.identity.desk import Desk, Registry
from hub.identity.indexing import index
from hub.identity.proposals import WAITS, agreed
from hub.identity.review import lost_task
from hub.identity.split import split
from hub.identity.unmerge import Unmerged, unmerge
from hub.problems import Problem

GetRegistry = Callable[[], Registry]
LINE = "{:>8}  {:<27} {:<15} {:<38} {:<38} {}"
PATIENT = typer.Argument(help="The Patient's id.")
PERSON = typer.Argument(help="A source person's number, from `hub identity show`.")


def identity_commands(registry: GetRegistry) -> typer.Typer:
    """hub identity list | show | merge | unmerge | split | distinct | index."""
    app = typer.Typer(no_args_is_help=True, help="Who is who: decisions, source persons, merges.")
    _add_reading(app, registry)
    _add_patients(app, registry)
    _add_persons(app, registry)
    return app


def _add_reading(app: typer.Typer, registry: GetRegistry) -> None:
    @app.command("list")
    def list_(
        kind: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(events.KINDS)}.")] = None,
        limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50,
    ) -> None:
        """List decisions: number, time, kind, who remains, who went, and what took it back."""
        if kind is not None and kind not in events.KINDS:
            raise typer.BadParameter(f"one of {', '.join(events.KINDS)}", param_hint="--kind")
        typer.echo(LINE.format("number", "at", "kind", "remains", "went", "undone by"))
        with registry().database.read() as connection:
            found = events.newest(connection, kind, limit)
        for one in found:
            undone = str(one.undone_by or "")
            typer.echo(LINE.format(one.seq, instant(one.at), one.kind, one.survivor, one.absorbed, undone))

    @app.command()
    def show(patient: Annotated[str, PATIENT]) -> None:
        """Show who a Patient is now, its source persons and decisions. This prints personal data."""
        with registry().database.read() as connection:
            member = former.member_of(connection, patient)
            found = persons.several(connection, persons.of_patients(connection, [member]))
            told = events.of_patient(connection, patient)
        typer.echo(f"Patient/{patient}" + (f" was merged: it is Patient/{member} now" if member != patient else ""))
        for one in found:
            record = json.write(one.record.get("patient", {})).decode()
            typer.echo(f"{one.person}  {one.source}  {one.key}  home Patient/{one.home}  {record}")
        for event in told:
            typer.echo(f"{event.seq}  {event.kind}  {json.write(event.evidence).decode()}")

    @app.command("index")
    def index_(
        batch: Annotated[int, typer.Option(help="Patients in one transaction.")] = 200,
    ) -> None:
        """Make source persons of Patients that no feed brought, so that new ones are compared with them."""
        typer.echo(f"{index(registry(), batch)} Patients are known by what they say.")


def _add_patients(app: typer.Typer, registry: GetRegistry) -> None:
    @app.command("merge")
    def merge_(
        survivor: Annotated[str, typer.Argument(help="The id of the Patient who remains.")],
        absorbed: Annotated[str, typer.Argument(help="The id of the Patient who is merged into it.")],
    ) -> None:
        """Make two Patients one member. `hub identity unmerge` takes it back."""
        done = _done(registry, lambda desk: agreed(desk, survivor, absorbed, _who(), {"by": "command"}))
        if done is None:
            typer.echo(f"{WAITS}.")
        else:
            typer.echo(f"Event {done.event}: Patient/{done.absorbed} is Patient/{done.survivor} now.")

    @app.command("unmerge")
    def unmerge_(patient: Annotated[str, PATIENT]) -> None:
        """Take the merge of a Patient back."""

        def work(desk: Desk) -> Unmerged:
            done = unmerge(desk, patient, _who(), {"by": "command"})
            lost_task(desk, done)
            return done

        done = _done(registry, work)
        typer.echo(f"Event {done.event}: Patient/{patient} is itself again.")
        for each in done.lost:
            typer.echo(f"Edited since, whose is it? {each}")


def _add_persons(app: typer.Typer, registry: GetRegistry) -> None:
    @app.command("split")
    def split_(person: Annotated[int, PERSON]) -> None:
        """A source person leaves its member, with what came with it."""
        done = _done(registry, lambda desk: split(desk, person, _who(), "command"))
        typer.echo(f"Event {done.event}: source person {person} is Patient/{done.patient} now.")

    @app.command("distinct")
    def distinct_(one: Annotated[int, PERSON], other: Annotated[int, PERSON]) -> None:
        """Two source persons are two people: they are never linked again by themselves."""
        event = _done(registry, lambda desk: distinct(desk, one, other, _who(), {"by": "command"}))
        typer.echo(f"Event {event}: held apart.")


def _who() -> str:
    return f"command {getuser()}"


def _done(registry: GetRegistry, work: Callable[[Desk], Any]) -> Any:
    try:
        return registry().decide(work)
    except Problem as problem:
        typer.echo(problem.issues[0].message, err=True)
        raise typer.Exit(1) from None
