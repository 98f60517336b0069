"""Every official parameter's expression compiles, and selects in the official examples what a FHIRPath engine does.

A few examples lie in tests/conformance. All of them are compared, by `make test-long`, when a folder of the
unpacked package hl7.fhir.r4.examples 4.0.1 is named by HUB_FHIR_EXAMPLES or lies in /tmp/exp/package.
"""

import csv
import json
import os
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from hub.fhir.types import resource_types
from hub.search.parameters import INDEXED_TYPES, parameters_of
from hub.search.paths import UnsupportedPath, compile_path

TABLE = Path(__file__).parents[3] / "hub" / "search" / "r4_parameters.csv"
EXAMPLES = Path(__file__).parents[2] / "conformance" / "examples"
PACKAGE = Path(os.environ.get("HUB_FHIR_EXAMPLES", "/tmp/exp/package"))
ROWS = [row for row in csv.DictReader(TABLE.open(encoding="utf-8")) if row["expression"]]
RESOLVED = re.compile(r"where\(resolve\(\) is (\w+)\)")


def test_every_expression_of_the_table_compiles() -> None:
    for row in ROWS:
        if row["type"] in INDEXED_TYPES:
            assert callable(compile_path(row["expression"])), row
    assert sum(len(parameters_of(name)) for name in resource_types()) > 2000


@pytest.mark.parametrize(
    "expression", ["Patient.name.first()", "Patient.name + 'x'", "Patient.name.where(use in x)", "(a"]
)
def test_another_expression_is_refused_when_it_is_compiled(expression: str) -> None:
    with pytest.raises(UnsupportedPath):
        compile_path(expression)


@cache
def _engine(expression: str) -> Any:
    """The expression in a real engine, which cannot resolve: what a reference says of itself decides there, too."""
    # it has no hasExtension, and knows types by their own names only
    expression = re.sub(r"hasExtension\(('[^']+')\)", r"extension.where(url=\1).exists()", expression)
    expression = expression.replace("as(DateTime)", "as(dateTime)")
    says = r"where(reference.startsWith('\1/') or reference.contains('/\1/') or type='\1')"
    return fhirpathpy.compile(RESOLVED.sub(says, expression), models["r4"])


def _selected(expression: str, resource: dict[str, Any]) -> Any:
    try:
        return _engine(expression)(resource)
    except ValueError:  # its `as` takes one node only; the official parameters want several, as `ofType` does
        text = expression.replace(".as(", ".ofType(")
        text = re.sub(r"\(([\w.]+) as (\w+)\)|(?<![\w.(])([\w.]+) as (\w+)", r"\1\3.ofType(\2\4)", text)
        return _engine(text)(resource)


def _texts(nodes: Any) -> list[str]:
    """Without repetitions: `|` of FHIRPath removes them, an index does not need them."""
    return sorted({json.dumps(_value(node), sort_keys=True, default=_number) for node in nodes})


def _number(node: Any) -> Any:
    """The engine makes decimals of numbers, and objects of quantities."""
    return float(node) if isinstance(node, Decimal) else str(node)


def _value(node: Any) -> Any:
    """An extension is searched by its value."""
    if isinstance(node, dict) and "url" in node:
        return next((value for name, value in node.items() if name.startswith("value")), node)
    return node


def _named(expression: str, resource: dict[str, Any]) -> str:
    """The engine knows the resource by its own type only."""
    return re.sub(r"\b(Domain)?Resource\b", resource["resourceType"], expression)


def _selects_the_same(row: dict[str, str], resource: dict[str, Any]) -> bool:
    mine = compile_path(row["expression"])(resource)
    engines = _selected(_named(row["expression"], resource), resource)
    return _texts(mine) == _texts(engines)


def _pairs_the_same(row: dict[str, str], resource: dict[str, Any]) -> bool:
    """Each component of a composite, inside each node that it pairs."""
    parameter = parameters_of(row["base"])[row["code"]]
    for part in row["expression"].split(" | "):
        for place, node in enumerate(compile_path(part)(resource)):
            here = part if part == row["base"] else f"{part}[{place}]"
            for component, text in zip(parameter.components, row["components"].split("; "), strict=True):
                expression = " | ".join(_inside(here, e) for e in text.partition(":")[2].split(" | "))
                mine = component.walk(resource if component.of_resource else node)
                engines = _selected(expression.replace("%resource", row["base"]), resource)
                if (row["base"], row["code"]) != ("Group", "characteristic-value"):  # its component takes two types
                    assert _texts(mine) == _texts(engines), (row["code"], expression)
    return True


def _inside(node: str, expression: str) -> str:
    return expression if expression.startswith("%resource") else f"{node}.{expression}"


def _different(path: Path) -> list[tuple[str, str]]:
    """The parameters that select something else in an example."""
    resource = json.loads(path.read_text(encoding="utf-8"))
    bases = ("Resource", "DomainResource", resource.get("resourceType"))
    rows = [row for row in ROWS if row["base"] in bases and row["type"] in INDEXED_TYPES]
    assert len(rows) > 5
    assert all(_pairs_the_same(row, resource) for row in rows if row["type"] == "composite")
    return [(path.stem, row["code"]) for row in rows if not _selects_the_same(row, resource)]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_the_walker_and_a_fhirpath_engine_select_the_same(path: Path) -> None:
    assert _different(path) == []


@pytest.mark.long
def test_they_do_in_every_official_example() -> None:
    files = sorted(PACKAGE.glob("[A-Z]*.json"))
    if not files:
        pytest.skip(f"no official examples in {PACKAGE}: unpack hl7.fhir.r4.examples 4.0.1, set HUB_FHIR_EXAMPLES")
    assert [found for path in files for found in _different(path)] == []
