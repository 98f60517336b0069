"""hub inbox list | show | counts | replay: what a person sees of the inbox, and does.

What is printed holds no content of a message; `show --raw` alone does.
Refuses: states that there are not, numbers and moments that are none, a replay of everything without a word.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from hub.clock import instant, micros, now
from hub.inbox import listing
from hub.inbox.choosing import Which, ranges
from hub.inbox.messages import DEAD, STATES, Entry, Message
from hub.inbox.replaying import Replay, planned
from hub.inbox.replaying import replay as process_again
from hub.store.engine import Database

GetDatabase = Callable[[], Database]
COLUMNS = "{:>8}  {:<11} {:<27} {:<28} {:<20} {:<8} {}"

Numbers = Annotated[list[str] | None, typer.Argument(help="Numbers of messages, or ranges: 17 120-180.")]
State = Annotated[list[str] | None, typer.Option(help=f"Only this state, or these: {', '.join(STATES)}.")]
Source = Annotated[str | None, typer.Option(help="Only this source, such as adt.")]
Feed = Annotated[str | None, typer.Option(help="Only this feed, as `hub inbox list` prints it.")]
Reason = Annotated[str | None, typer.Option(help="Only those whose reason begins so.")]
Since = Annotated[str | None, typer.Option(help="Arrived then or later: 2026-11-22, or 2026-11-22T08:15 (UTC).")]
Until = Annotated[str | None, typer.Option(help="Arrived before then.")]


def inbox_commands(database: GetDatabase) -> typer.Typer:
    """hub inbox …"""
    app = typer.Typer(no_args_is_help=True, help="Messages that came in, and what became of each.")
    _add_list(app, database)
    _add_dead(app, database)
    _add_show(app, database)
    _add_counts(app, database)
    _add_replay(app, database)
    return app


def _add_list(app: typer.Typer, database: GetDatabase) -> None:
    @app.command("list")
    def list_(
        numbers: Numbers = None,
        state: State = None,
        source: Source = None,
        feed: Feed = None,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50,
    ) -> None:
        """List messages: number, state, arrival, feed, control id, place and reason. No content."""
        _print(database(), _which(numbers, state, source, feed, reason, since, until), limit)


def _add_dead(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def dead(limit: Annotated[int, typer.Option(help="At most so many, the newest first.")] = 50) -> None:
        """List what was tried too often: a fault of the hub, for the developers."""
        _print(database(), Which(states=(DEAD,)), limit)


def _print(database: Database, which: Which, limit: int) -> None:
    typer.echo(COLUMNS.format("number", "state", "received", "feed", "control id", "where", "why"))
    with database.read() as connection:
        found = listing.listed(connection, which, limit)
    for entry in found:
        typer.echo(_line(entry))


def _line(entry: Entry) -> str:
    where, why = entry.location or "", entry.reason or ""
    return COLUMNS.format(
        entry.seq, entry.state, instant(entry.received), entry.feed, entry.control_id, where, why
    ).rstrip()


def _add_show(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def show(
        number: Annotated[int, typer.Argument(help="The message's number, from `hub inbox list`.")],
        raw: Annotated[bool, typer.Option("--raw", help="Its bytes, too. They are personal data.")] = False,
    ) -> None:
        """Show what became of one message, and with --raw the message as it came: mind who looks on."""
        with database().read() as connection:
            message = listing.shown(connection, number)
        if message is None:
            typer.echo(f"There is no message {number}.", err=True)
            raise typer.Exit(1)
        for name, value in _facts(message):
            typer.echo(f"{name:<12} {value}", err=raw)
        if raw:
            sys.stdout.buffer.write(message.raw.replace(b"\r", b"\n"))


def _facts(message: Message) -> list[tuple[str, str]]:
    """Without what names a person: its subject, and the key of what it waits for."""
    facts = [
        ("number", str(message.seq)),
        ("state", f"{message.state}: {STATES[message.state]}"),
        ("where", message.location or ""),
        ("why", message.reason or ""),
        ("goes on", f"by itself ({message.awaits_kind})" if message.awaits_kind else ""),
        ("source", message.source),
        ("feed", message.feed),
        ("control id", message.control_id),
        ("received", instant(message.received)),
        ("ended", instant(message.processed) if message.processed else ""),
        ("tries", str(message.attempts)),
        ("bytes", str(len(message.raw)) if message.raw else "emptied"),
    ]
    return [(name, value) for name, value in facts if value]


def _add_counts(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def counts(source: Source = None, feed: Feed = None, since: Since = None, until: Until = None) -> None:
        """How many messages are in each state and why, and how long the oldest has waited for a worker."""
        which = _which(None, None, source, feed, None, since, until)
        with database().read() as connection:
            found = listing.counts_by_reason(connection, which)
            oldest = listing.oldest_received(connection)
        for state, reason, number in found:
            typer.echo(f"{number:>9}  {state:<11} {reason}".rstrip())
        waits = "nothing waits" if oldest is None else f"{(micros(now()) - oldest) // 1_000_000} s"
        typer.echo(f"oldest received: {waits}")


def _add_replay(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def replay(
        numbers: Numbers = None,
        state: State = None,
        source: Source = None,
        feed: Feed = None,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        processed: Annotated[bool, typer.Option("--processed", help="Processed ones, too.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    ) -> None:
        """Process messages again: after a fault was mended, or a person decided."""
        which = _which(numbers, state, source, feed, reason, since, until)
        if which.is_everything:
            raise typer.BadParameter("say which: numbers, or an option")
        if dry_run:
            with database().read() as connection:
                typer.echo(_told(planned(connection, which, processed), "would be processed again"))
        else:
            typer.echo(_told(process_again(database(), which, processed), "will be processed again"))


def _told(done: Replay, verb: str) -> str:
    states = ", ".join(f"{number} {state}" for state, number in sorted(done.again.items()))
    lines = [f"{_messages(done.number)} {verb}{f' ({states})' if states else ''}."]
    left = (
        (done.received, "will be processed anyway."),
        (done.processed, "processed before and left alone: --processed takes them, too."),
        (done.emptied, "emptied: they cannot be processed any more."),
    )
    return "\n".join([*lines, *(f"{_messages(number)} {why}" for number, why in left if number)])


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _which(
    numbers: list[str] | None,
    states: list[str] | None,
    source: str | None,
    feed: str | None,
    reason: str | None,
    since: str | None,
    until: str | None,
) -> Which:
    try:
        chosen = ranges(numbers or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="numbers") from None
    for state in states or ():
        if state not in STATES:
            raise typer.BadParameter(f"one of {', '.join(STATES)}", param_hint="--state")
    moments = _moment(since, "--since"), _moment(until, "--until")
    return Which(chosen, tuple(states or ()), source, feed, reason, *moments)


def _moment(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a moment such as 2026-11-22T08:15", param_hint=option) from None
    return micros(found if found.tzinfo else found.replace(tzinfo=UTC))
