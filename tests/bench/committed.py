"""The last measured figures, in the repository: docs/benchmarks.json. The page is printed from it, and a new run is
held against it.

A run of some sections replaces their figures and leaves the others; each figure has the date of its run, and its
ratio to the floor of that run.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.measures import Figure
from tests.flows.hub_process import ROOT

Row = dict[str, Any]
KEPT = ROOT / "docs" / "benchmarks.json"


def kept() -> Row:
    found: Row = json.loads(KEPT.read_text())
    return found


def keep(result: Row) -> None:
    KEPT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def together(results: Sequence[Row]) -> Row:
    """Several runs as one; where two measured the same, the later run counts."""
    ordered = sorted(results, key=lambda each: str(each["date"]))
    merged: Row = dict(ordered[-1])
    for name in ("figures", "floors"):
        rows = {
            (row["key"], row["database"]): {"date": each["date"], **row, "more": _with_size(row, each)}
            for each in ordered
            for row in each[name]
        }
        merged[name] = list(rows.values())
    return merged


def _with_size(row: Row, result: Row) -> Row:
    """Figures of who sees what tell of how many resources: their tables say it."""
    size = {"resources": result["size"]["scale"][1]} if row["key"].startswith("sight.") else {}
    return {**size, **row["more"]}


def before(figures: Iterable[Figure], last: Row) -> Mapping[tuple[str, str], float]:
    """Each figure divided by the last one, both as ratios to their own floors where they have one: the machine's
    speed changes from run to run."""
    rows = {(row["key"], row["database"]): row for row in last["figures"]}
    return {
        (figure.key, figure.database): round(now / then, 2)
        for figure in figures
        if (row := rows.get((figure.key, figure.database)))
        for now, then in (_comparable(figure, row),)
        if then
    }


def _comparable(figure: Figure, row: Row) -> tuple[float, float]:
    if figure.ratio and row["ratio"]:
        return figure.ratio, float(row["ratio"])
    return figure.value, float(row["value"])


def runs(paths: Sequence[Path]) -> list[Row]:
    return [json.loads(path.read_text()) for path in paths]
