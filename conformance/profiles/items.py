"""The values of an element in JSON, as a profile sees them: with their type, their extensions and their place.

Rules: https://hl7.org/fhir/R4/json.html#primitive and #choice
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.fhirpath.choices import TYPE_SUFFIXES

Node = Any
_PRIMITIVE = {
    each.lower(): each[0].lower() + each[1:]
    for each in [
        "Base64Binary",
        "Boolean",
        "Canonical",
        "Code",
        "Date",
        "DateTime",
        "Decimal",
        "Id",
        "Instant",
        "Integer",
        "Markdown",
        "Oid",
        "PositiveInt",
        "String",
        "Time",
        "UnsignedInt",
        "Uri",
        "Url",
        "Uuid",
    ]
}


@dataclass(slots=True)
class Item:
    """One value. `beside` is what stands under _name; `type` is empty where only the profile can tell it."""

    value: Node
    beside: Node
    where: str
    type: str = ""

    @property
    def node(self) -> Node:
        """What FHIRPath sees: a primitive without a value is the object that holds its extensions."""
        return self.beside if self.value is None else self.value


def items(node: Node, name: str, where: str) -> list[Item]:
    """The values of the element `name` (`value[x]` for a choice) of a node."""
    if not isinstance(node, dict):
        return []
    if name.endswith("[x]"):
        return [item for key, kind in _chosen(node, name[:-3]) for item in _of(node, key, where, kind)]
    return list(_of(node, name, where, ""))


def _chosen(node: dict[str, Any], stem: str) -> Iterator[tuple[str, str]]:
    """The properties that are a type of a choice, each once."""
    keys = dict.fromkeys(key.removeprefix("_") for key in node)
    for key in keys:
        suffix = key[len(stem) :]
        if key.startswith(stem) and suffix in TYPE_SUFFIXES:
            yield key, _PRIMITIVE.get(suffix.lower(), suffix)


def _of(node: dict[str, Any], key: str, where: str, kind: str) -> Iterator[Item]:
    value, beside = node.get(key), node.get(f"_{key}")
    if isinstance(value, list) or isinstance(beside, list):
        values, others = value or [], beside or []
        for place in range(max(len(values), len(others))):
            one = values[place] if place < len(values) else None
            other = others[place] if place < len(others) else None
            yield Item(one, other, f"{where}.{key}[{place}]", kind)
    elif value is not None or beside is not None:
        yield Item(value, beside, f"{where}.{key}", kind)


def matches_pattern(pattern: Node, value: Node) -> bool:
    """Whether a value has all that a pattern has. https://hl7.org/fhir/R4/elementdefinition-definitions.html"""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and matches_pattern(part, value[key]) for key, part in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(matches_pattern(p, v) for v in value) for p in pattern)
    return _same(pattern, value)


def is_fixed(fixed: Node, value: Node) -> bool:
    """Whether a value is exactly the fixed one."""
    if isinstance(fixed, dict):
        return (
            isinstance(value, dict)
            and fixed.keys() == value.keys()
            and all(is_fixed(part, value[key]) for key, part in fixed.items())
        )
    if isinstance(fixed, list):
        return (
            isinstance(value, list)
            and len(fixed) == len(value)
            and all(is_fixed(a, b) for a, b in zip(fixed, value, strict=True))
        )
    return _same(fixed, value)


def _same(left: Node, right: Node) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float) or isinstance(right, float):
        return float(left) == float(right) if not isinstance(left, str) and not isinstance(right, str) else False
    return bool(left == right)
