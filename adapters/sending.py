"""hub send return | county | housing | referrals: files that go out, as the one who gets them may see it.

Rules: docs/feeds.md "Sending". What is in a file is read with the Access of a client (`--client`), or, of a
provider that has none, of the feed's organization: relations, labels and consents are asked by the one predicate of
every read, at this moment. Each release is recorded before it leaves.
The file goes to the feed's own place (folder or SFTP), or to --out.
Refuses: a client that there is not, a feed without a place where no --out is given, what the caller may not see,
another file of the same name on the partner's server; a client that is not the feed's (hub.feeds.partners), unless
--anyway or --out says that a person knows.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from hub import clock
from hub.access import Access
from hub.audit.record import encoded
from hub.audit.recorder import About, Recorder
from hub.feeds.loading import Loading
from hub.feeds.partners import goes_to
from hub.feeds.records import Feed
from hub.problems import Problem
from hub.store.read import Stored

SENT = 200  # in the words of the audit
NOT_PUT = "the feed's place does not take it"
Day = Annotated[str, typer.Option(help="yyyy-mm-dd")]
Client = Annotated[str, typer.Option(help="The client who gets it: its role, relations and consents decide.")]
Out = Annotated[Path | None, typer.Option(help="Write it here, not to the feed's place.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="To the feed's place, though the client is not the feed's.")]
Name = Annotated[str, typer.Option(help="Its name at the feed's place, such as that of a corrected file.")]


@dataclass(frozen=True, slots=True)
class Sending:
    """`access_of` a client's id; `recorder` None where nothing is audited. `provider`: the Access of an
    organization that answers referrals by file."""

    loading: Loading
    access_of: Callable[[str], Access | None]
    recorder: Recorder | None
    base: str
    provider: Callable[[str], Access]

    def access(self, client: str) -> Access:
        """Raises typer.BadParameter."""
        found = self.access_of(client)
        if found is None:
            raise typer.BadParameter("There is no such active client", param_hint="--client")
        return found

    def feed(self, name: str, *kinds: str) -> Feed:
        """Raises typer.BadParameter."""
        feed = self.loading.feeds.get(name)
        if feed is None or (kinds and feed.kind not in kinds):
            raise typer.BadParameter(f"A feed of the kind {' or '.join(kinds)} is wanted", param_hint="FEED")
        return feed

    def parties(self, name: str, client: str, sent: bool, *kinds: str) -> tuple[Feed, Access]:
        """The feed, and who gets the file; `sent`: to the feed's own place. Raises typer.BadParameter."""
        feed, access = self.feed(name, *kinds), self.access(client)
        if sent and not goes_to(access, feed):
            why = "The client is none of the feed's (sends_to, clients, organization): --anyway, if it is right"
            raise typer.BadParameter(why, param_hint="--client")
        return feed, access

    def told(self, feed: Feed, access: Access, rows: Sequence[Stored]) -> None:
        """Recorded before it leaves; raises Problem where it cannot be."""
        if self.recorder is None or not rows:
            return
        first = rows[0]
        about = About("file", first.type, first.id, first.version, "POST", f"/files/{feed.name}/$send")
        with self.recorder.database.read() as connection:
            at = clock.micros(self.recorder.now())
            record = self.recorder.record(connection, at, about, access, SENT, list(rows))
        self.recorder.journal.append(encoded(record))

    def put(self, content: bytes, feed: Feed, name: str, out: Path | None) -> None:
        """Raises typer.BadParameter, typer.Exit."""
        from adapters.files.faults import Fault
        from adapters.files.transports import has_out, send

        if out is not None:
            out.write_bytes(content)
            typer.echo(f"Written to {out}.")
            return
        if not has_out(feed):
            raise typer.BadParameter("The feed has no place for what is sent: give --out", param_hint="--out")
        with TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(content)
            try:
                send(path, feed, name)
            except (Fault, OSError, ValueError) as error:
                typer.echo(f"Not sent as {name}: {error if isinstance(error, Fault) else NOT_PUT}.", err=True)
                raise typer.Exit(1) from None
        typer.echo(f"Sent as {name}.")


def add_sending(app: typer.Typer, sending: Callable[[], Sending]) -> None:
    """The subcommands of `hub send`."""
    _add_return(app, sending)
    _add_county(app, sending)
    _add_housing(app, sending)
    _add_referrals(app, sending)


def _add_return(app: typer.Typer, sending: Callable[[], Sending]) -> None:
    @app.command("return")
    def return_(
        feed: Annotated[str, typer.Argument(help="The plan's feed of this kind: rtf, otf, cs-rtf, mif, asf, ….")],
        panel: Annotated[str, typer.Argument(help="Group/ID, or Organization/ID.")],
        start: Day,
        end: Day,
        client: Client,
        into: Annotated[Path | None, typer.Option(help="Fill in this workbook's sheet.", exists=True)] = None,
        csv: Annotated[bool, typer.Option("--csv", help="CSV, no workbook.")] = False,
        out: Out = None,
        name: Name = "",
        anyway: Anyway = False,
    ) -> None:
        """Write a return file (RTF, OTF, CS RTF) or a list (MIF, ASF) of a panel for a period."""
        from adapters.plan.workbook_out import Asked, write_return_file

        hub = sending()
        chosen, access = hub.parties(feed, client, not (out or anyway))
        asked = Asked(chosen, panel, start, end, clock.now().date().isoformat(), into=into, csv=csv)

        def tell(rows: Sequence[Stored]) -> None:
            hub.told(chosen, access, rows)

        with hub.loading.database.read() as connection, _said():
            made = write_return_file(connection, access, hub.base, asked, tell)
        for gap in made.gaps:
            typer.echo(f"The layout has no word for {gap}.", err=True)
        if made.unread:
            typer.echo(f"Empty, for the client does not read them: {', '.join(made.unread)}.", err=True)
        typer.echo(f"{made.rows} rows.")
        hub.put(made.content, chosen, name or f"{feed}-{start}-{end}.{'csv' if csv else 'xlsx'}", out)


def _add_county(app: typer.Typer, sending: Callable[[], Sending]) -> None:
    @app.command()
    def county(
        feed: Annotated[str, typer.Argument(help="The county's feed of status records.")],
        client: Client,
        since: Day,
        csv: Annotated[bool, typer.Option("--csv", help="CSV, not NDJSON.")] = False,
        out: Out = None,
        name: Name = "",
        anyway: Anyway = False,
    ) -> None:
        """Write what changed in care plans and care teams of a county's clients since a day."""
        from adapters.county_bh.outbound import Changes

        hub = sending()
        chosen, access = hub.parties(feed, client, not (out or anyway), "county")
        file, until = io.BytesIO(), clock.micros(clock.now())
        system = chosen.options["cin_system"]

        def tell(rows: Sequence[Stored]) -> None:
            hub.told(chosen, access, rows)

        with _said():
            changes = Changes(hub.loading.database, access, hub.base, chosen.system, tell, system)
            count = (changes.csv if csv else changes.ndjson)(_midnight(since), until, file)
        typer.echo(f"{count} resources.")
        ending = "csv" if csv else "ndjson"
        hub.put(file.getvalue(), chosen, name or f"care-{since}-{_moment(until)}.{ending}", out)


def _add_housing(app: typer.Typer, sending: Callable[[], Sending]) -> None:
    @app.command()
    def housing(
        feed: Annotated[str, typer.Argument(help="To whose place it goes: a feed of the plan, or of the HMIS.")],
        client: Client,
        since: Day,
        out: Out = None,
        name: Name = "",
        anyway: Anyway = False,
    ) -> None:
        """Write what changed in members' housing (HMIS) since a day, of those with a release on file."""
        from adapters.hmis.housing_changes import written
        from adapters.hmis.released import released_changes

        hub = sending()
        (chosen, access), until = hub.parties(feed, client, not (out or anyway)), clock.micros(clock.now())

        def tell(rows: Sequence[Stored]) -> None:
            hub.told(chosen, access, rows)

        with hub.loading.database.read() as connection, _said():
            system = chosen.options["cin_system"]
            found = released_changes(connection, access, hub.base, _day(since), system, tell)
        typer.echo(f"{len(found)} changes.")
        hub.put(written(found), chosen, name or f"housing-{since}-{_moment(until)}.csv", out)


def _add_referrals(app: typer.Typer, sending: Callable[[], Sending]) -> None:
    @app.command()
    def referrals(
        feed: Annotated[str, typer.Argument(help="The provider's feed of referral-answers.")],
        out: Out = None,
        name: Name = "",
    ) -> None:
        """Write what the provider of a feed is asked now: the referrals that it answers by file."""
        from adapters.referrals.kinds import ANSWERS
        from adapters.referrals.open_list import open_referrals

        hub = sending()
        chosen = hub.feed(feed, ANSWERS)
        if not chosen.organization:
            raise typer.BadParameter("The feed names no organization", param_hint="FEED")
        access = hub.provider(chosen.organization)

        def tell(rows: Sequence[Stored]) -> None:
            hub.told(chosen, access, rows)

        with hub.loading.database.read() as connection, _said():
            made, count = open_referrals(connection, access, chosen.organization, hub.base, tell)
        typer.echo(f"{count} referrals.")
        hub.put(made, chosen, name or f"referrals-{_moment(clock.micros(clock.now()))}.csv", out)


class _said:  # noqa: N801 - reads as a word at its call
    """A Problem is told in one line."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, Problem):
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


def _midnight(day: str) -> int:
    """Its beginning in UTC, in microseconds."""
    return clock.micros(datetime.combine(_day(day), time(), UTC))


def _day(text: str) -> date:
    """Raises typer.BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("A day is yyyy-mm-dd", param_hint="--since") from None


def _moment(micros: int) -> str:
    """In names of files: no two files have one."""
    return f"{clock.moment(micros):%Y%m%dT%H%M%S.%fZ}"
