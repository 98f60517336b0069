"""How fast the hub is, on this machine, today: `make bench`.

    python -m tests.bench [--quick] [--only adt,rest] [--database sqlite|postgresql|both]

Everything stays on loopback and ends by itself. Figures go to the terminal, beside the last committed ones
(docs/benchmarks.json), and to var/bench/<date>.json; `python -m tests.bench.page var/bench/<date>.json` puts them
into docs/benchmarks.md.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import (
    adt,
    audit,
    bulk,
    committed,
    facade,
    floor,
    footprint,
    identity,
    nodes,
    notices,
    rest,
    scale,
    sight,
    token,
)
from tests.bench import subscriptions as told
from tests.bench.grounds import QUICK, Ground, Size, ground
from tests.bench.machine import machine
from tests.bench.measures import BOTH, BY_KEY, POSTGRESQL, Figure, held_against
from tests.flows.hub_process import ROOT
from tests.postgresql import available

SECTIONS: dict[str, tuple[Callable[[Ground], Iterator[Figure]], ...]] = {
    "adt": (adt.acknowledgments, adt.closed, adt.pipelined),
    "notices": (notices.notices,),
    "processing": (adt.processing,),
    "start": (footprint.start_up,),
    "memory": (footprint.memory,),
    "bundle": (footprint.large_bundle,),
    "rest": (rest.rest,),
    "nodes": (nodes.nodes,),
    "facade": (facade.facade,),
    "scale": (scale.scale,),
    "sight": (sight.sight,),
    "token": (token.token,),
    "audit": (audit.audit,),
    "identity": (identity.identity,),
    "subscriptions": (told.subscriptions,),
    "bulk": (bulk.bulk,),
}
console = Console(width=None if sys.stdout.isatty() else 120)


def measure(databases: Sequence[str], sections: Sequence[str], size: Size) -> tuple[list[Figure], list[Figure]]:
    """The figures and the floors of this run."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        floors = list(floor.files_and_sockets(Path(folder), size))
        for name in databases:
            with ground(name, Path(folder), size) as mine:
                floors += floor.postgresql(mine) if name == POSTGRESQL else []
                for section in sections:
                    figures += _section(section, mine)
    return figures, floors


def _section(section: str, mine: Ground) -> list[Figure]:
    found: list[Figure] = []
    for work in SECTIONS[section]:
        load = round(os.getloadavg()[0], 2)
        began = time.monotonic()
        found += [replace(figure, more={**figure.more, "load_before": load}) for figure in work(mine)]
        console.print(f"{mine.name}: {work.__name__} {time.monotonic() - began:.0f} s (load before: {load})")
    return found


def show(figures: Sequence[Figure]) -> None:
    last = committed.before(figures, committed.kept())
    table = Table("figure", "database", "value", "unit", "goal", "reached", "of floor", "of the last")
    for figure in figures:
        row = BY_KEY[figure.key]
        goal = "" if figure.reached is None else f"{'≥' if row.least else '≤'} {row.goal:g}"
        reached = {None: "", True: "yes", False: "[bold red]NO"}[figure.reached]
        ratio = "" if figure.ratio is None else f"{figure.ratio:g}x"
        of_last = f"{last[place]:g}x" if (place := (figure.key, figure.database)) in last else ""
        table.add_row(row.title, figure.database, f"{figure.value:g}", row.unit, goal, reached, ratio, of_last)
    console.print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run; its figures mean little")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}; with commas")
    parser.add_argument("--database", choices=(*BOTH, "both"), default="both")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - SECTIONS.keys():
        parser.error(f"--only knows no {', '.join(sorted(unknown))}")
    return options


def _databases(asked: str) -> list[str]:
    databases = list(BOTH) if asked == "both" else [asked]
    if POSTGRESQL in databases and (why := available()):
        console.print(f"PostgreSQL is not measured: {why}")
        databases.remove(POSTGRESQL)
    return databases


def _keep(result: dict[str, Any]) -> Path:
    folder = ROOT / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['date'].replace(':', '')}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path


def main() -> int:
    """Exit code 1 where a goal is missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaving also stops the hub and PostgreSQL
    options = _options()
    databases, sections = _databases(options.database), options.only.split(",")
    size = QUICK if options.quick else Size()
    about = {"date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "machine": machine(), "size": asdict(size)}
    figures, floors = measure(databases, sections, size)
    figures = held_against(figures, floors)
    rows = {"floors": [f.row() for f in floors], "figures": [f.row() for f in figures]}
    path = _keep({**about, **rows})
    show([*(f for f in floors if f.key in BY_KEY), *figures])
    console.print(f"Kept in {path.relative_to(ROOT)}")
    return 1 if any(figure.reached is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
