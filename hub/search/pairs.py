"""A composite's values, component by component, inside each node that it pairs them in.

Rules: https://hl7.org/fhir/R4/search.html#composite
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hub.search.numbers import numbers, quantities
from hub.search.parameters import Component, Parameter
from hub.search.values import dates, references, strings, tokens

Pair = tuple[list[Any], ...]  # for each component its values, none of them empty

VALUES: Mapping[str, Callable[[Any], Iterator[Any]]] = {
    "token": tokens,
    "date": dates,
    "string": strings,
    "number": numbers,
    "quantity": quantities,
}


def pairs(parameter: Parameter, nodes: Iterable[Any], resource: dict[str, Any], base: str) -> Iterator[Pair]:
    for node in nodes:
        found = tuple(_values(component, node, resource, base) for component in parameter.components)
        if all(found):
            yield found


def _values(component: Component, node: Any, resource: dict[str, Any], base: str) -> list[Any]:
    found = component.walk(resource if component.of_resource else node)
    if component.type == "reference":
        return [reference for node in found for reference in references(node, base)]
    values = VALUES[component.type]
    return [value for node in found for value in values(node)]
