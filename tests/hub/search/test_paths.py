"""Every official parameter's expression compiles, and selects in the official examples what a FHIRPath engine does.

HUB_R4_EXAMPLES may name a folder with more examples (the R4 examples package, unpacked); every 20th file is read.
"""

import csv
import json
import os
import re
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


def _files() -> list[Path]:
    more = os.environ.get("HUB_R4_EXAMPLES")
    return [*sorted(EXAMPLES.glob("*.json")), *(sorted(Path(more).glob("*.json"))[::20] if more else ())]


@cache
def _engine(expression: str) -> Any:
    """The expression in a real engine, which cannot resolve: what a reference says of itself decides there, too."""
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
    return sorted({json.dumps(_value(node), sort_keys=True, default=str) for node in nodes})


def _value(node: Any) -> Any:
    """An extension is searched by its value."""
    if isinstance(node, dict) and "url" in node:
        return next((value for name, value in node.items() if name.startswith("value")), node)
    return node


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.stem)
def test_the_walker_and_a_fhirpath_engine_select_the_same(path: Path) -> None:
    resource = json.loads(path.read_text(encoding="utf-8"))
    bases = ("Resource", "DomainResource", resource.get("resourceType"))
    compared = 0
    for row in ROWS:
        if row["base"] in bases and row["type"] in INDEXED_TYPES:
            # the engine knows the resource by its own type only
            named = re.sub(r"^Resource\b", resource["resourceType"], row["expression"])
            mine, engines = compile_path(row["expression"])(resource), _selected(named, resource)
            assert _texts(mine) == _texts(engines), (row["code"], row["expression"])
            compared += 1
    assert compared > 5
