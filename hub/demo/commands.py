"""The command `hub demo`: the county, its hospitals, a client with keys of its own, and what to try next."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hub.store.engine import Database
from hub.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Demo:
    """What the front door brings: `hospitals` writes facilities and messages to a folder, `client` registers the
    demo client and gives its key's file."""

    database: Database
    transactions: Transactions
    cin_system: str
    fhir_base: str
    folder: Path
    hospitals: Callable[[Path], None]
    client: Callable[[Path], Path]


def add_demo(app: typer.Typer, prepared: Callable[[], Demo]) -> None:
    @app.command()
    def demo(
        members: Annotated[int, typer.Option(help="How many members the county has.", min=1)] = 200,
    ) -> None:
        """Load the synthetic demo county and make a demo client. A second run changes nothing."""
        from hub.store.migrate import migrate

        parts = prepared()
        migrate(parts.database)
        parts.folder.mkdir(parents=True, exist_ok=True)
        loaded = _load(parts, members)
        parts.hospitals(parts.folder)
        key = parts.client(parts.folder)
        typer.echo(f"Demo county: {loaded} of {members + 2} Bundles were new.")
        typer.echo("\nTry, in another terminal:")
        token = f"hub token --client demo-ehr --key {key} --scope 'system/*.rs'"
        plan = f"{parts.fhir_base}/CarePlan/demo-careplan-0001"
        typer.echo(f"  TOKEN=$(.venv/bin/{token})")
        typer.echo(f'  curl -H "Authorization: Bearer $TOKEN" {plan}')
        typer.echo(f"  .venv/bin/hub send adt {parts.folder / 'admission.hl7'}\n")


def _load(parts: Demo, members: int) -> int:
    from hub.demo.county import bundles
    from hub.demo.load import load
    from hub.demo.progress import progress

    with progress("Example County", members + 2) as step:
        county = bundles(members, cin_system=parts.cin_system)
        return load(parts.database, parts.transactions, county, step)
