"""The search parameters served, from the official R4 definitions as a table (r4_parameters.csv).

Rules: https://hl7.org/fhir/R4/searchparameter-registry.html
A parameter whose type is not indexed yet is left out of `parameters_of`, so that asking for it is a clear 400.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hub.search.paths import Walk, compile_path

INDEXED_TYPES = frozenset(("token", "reference", "date", "string", "uri"))
IN_COLUMNS = frozenset(("_id", "_lastUpdated"))  # answered from the resource table itself
EVERY_TYPE = ("Resource", "DomainResource")


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter of one resource type. `walk` gives the nodes of a resource that it looks at."""

    base: str
    code: str
    type: str
    targets: tuple[str, ...]
    url: str
    walk: Walk


@cache
def _rows() -> Mapping[str, tuple[dict[str, str], ...]]:
    by_base: dict[str, list[dict[str, str]]] = {}
    with files("hub.search").joinpath("r4_parameters.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["type"] in INDEXED_TYPES and row["expression"]:
                by_base.setdefault(row["base"], []).append(row)
    return {base: tuple(rows) for base, rows in by_base.items()}


@cache
def parameters_of(resource_type: str) -> Mapping[str, Parameter]:
    """The parameters of a type by code, those of every resource included."""
    return {code: _parameter(resource_type, row) for code, row in rows_of(resource_type).items()}


def rows_of(resource_type: str) -> dict[str, dict[str, str]]:
    """The same as rows of the table, for who wants to list them: a compiled path is large, and there are 2,500."""
    return {row["code"]: row for base in (*EVERY_TYPE, resource_type) for row in _rows().get(base, ())}


def _parameter(base: str, row: dict[str, str]) -> Parameter:
    return Parameter(
        base,
        row["code"],
        row["type"],
        tuple(row["targets"].split()),
        row["url"],
        compile_path(row["expression"]),
    )
