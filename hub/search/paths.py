"""The paths of the official SearchParameters, compiled to walkers.

Rules: https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression (a small part of
FHIRPath: steps, `as`, `where`, `extension`, an index, `|`; tests compare every parameter with fhirpathpy).
Refuses: any other expression raises UnsupportedPath when the table is read, never when a resource is.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub.fhir.elements import choice_names

Node = Any
Step = Callable[[Node], Sequence[Node]]


class UnsupportedPath(Exception):
    """An expression outside the grammar above."""


# https://hl7.org/fhir/R4/datatypes.html: what may stand behind the name of a choice element
# fmt: off
CHOICE_TYPES = (
    "Base64Binary", "Boolean", "Canonical", "Code", "Date", "DateTime", "Decimal", "Id", "Instant", "Integer",
    "Markdown", "Oid", "PositiveInt", "String", "Time", "UnsignedInt", "Uri", "Url", "Uuid", "Address", "Age",
    "Annotation", "Attachment", "CodeableConcept", "Coding", "ContactPoint", "Count", "Distance", "Duration",
    "HumanName", "Identifier", "Money", "Period", "Quantity", "Range", "Ratio", "Reference", "SampledData",
    "Signature", "Timing", "Dosage", "Meta", "Expression",
)
# fmt: on

# the type hierarchy of https://hl7.org/fhir/R4/datatypes.html: `as(uri)` takes a canonical, too
SUBTYPES = {
    "uri": ("canonical", "oid", "url", "uuid"),
    "string": ("code", "id", "markdown"),
    "integer": ("positiveInt", "unsignedInt"),
    "Quantity": ("Age", "Count", "Distance", "Duration"),
}

_TOKEN = re.compile(
    r"\.?(?:"
    r"as\((?P<as>\w+)\)|ofType\((?P<oftype>\w+)\)"
    r"|where\(resolve\(\) is (?P<target>\w+)\)"
    r"|where\((?P<key>\w+)='(?P<value>[^']*)'\)"
    r"|where\(hasExtension\('(?P<has>[^']+)'\)\)"
    r"|extension\('(?P<extension>[^']+)'\)"
    r"|\[(?P<position>\d+)\]"
    r"|(?P<name>\w+)"
    r")"
)
_CAST = re.compile(r"^\((?P<path>[^()]+) as (?P<type>\w+)\)(?P<rest>.*)$")
_BARE_CAST = re.compile(r"^(?P<path>[\w.]+) as (?P<type>\w+)$")
_FIRST = re.compile(r"^\(?[A-Z]\w*\.(?P<name>[a-z]\w*)")
_EXISTS = re.compile(r"^\w+\.(?P<name>\w+)\.exists\(\) and \w+\.(?P=name) != false$")


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Gives all nodes that an expression selects in a resource. It starts from one of the members in `first`;
    with `always` it has something to say even where none of them is there."""

    branches: tuple[Step, ...]
    first: frozenset[str]
    always: bool

    def __call__(self, resource: dict[str, Any]) -> list[Node]:
        return [node for branch in self.branches for node in branch(resource)]


def compile_path(expression: str) -> Walk:
    """A walker that gives all nodes an expression selects in a resource."""
    parts = [part.strip() for part in expression.split(" | ")]
    first = [_first(part) for part in parts]
    return Walk(tuple(map(_branch, parts)), frozenset().union(*first), not all(first) or any(map(_is_truth, parts)))


def _is_truth(text: str) -> bool:
    return _EXISTS.match(text) is not None


def _first(text: str) -> frozenset[str]:
    """The JSON members that the first step may be found under; none for a path that is no step by name."""
    found = _FIRST.match(text)
    return frozenset((found["name"], *_choices(found["name"], None))) if found else frozenset()


def _branch(text: str) -> Step:
    if found := _EXISTS.match(text):
        return _truth(_named(found["name"], None))
    return _chain(_steps(parsed(text)))


def parsed(text: str) -> list[dict[str, str | None]]:
    """The steps of one branch, the type that it begins with first. Raises UnsupportedPath."""
    if found := _CAST.match(text):
        text = f"{found['path']}.as({found['type']}){found['rest']}"
    elif found := _BARE_CAST.match(text):
        text = f"{found['path']}.as({found['type']})"
    tokens, position = [], 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.end() == position:
            raise UnsupportedPath(text)
        tokens.append(found.groupdict())
        position = found.end()
    return tokens


def _steps(tokens: list[dict[str, str | None]]) -> list[Step]:
    tokens = tokens[1:]  # the first name is the resource's own type
    steps: list[Step] = []
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else {}
        if name := token["name"]:
            step = _named(name, following.get("as") or following.get("oftype"))
            steps.append(_nth(step, int(position)) if (position := following.get("position")) else step)
        elif not (token["as"] or token["oftype"] or token["position"]):
            steps.append(_filter(token))
    return steps


def _chain(steps: list[Step]) -> Step:
    if len(steps) == 1:
        return steps[0]

    def walk(resource: Node) -> Sequence[Node]:
        nodes: Sequence[Node] = (resource,)
        for step in steps:
            nodes = step(nodes[0]) if len(nodes) == 1 else [found for node in nodes for found in step(node)]
            if not nodes:
                break
        return nodes

    return walk


def _choices(name: str, chosen: str | None) -> list[str]:
    """The members that a choice element may be found under, such as `valueQuantity`."""
    if name not in choice_names():
        return []
    types = (chosen, *SUBTYPES.get(chosen, ())) if chosen else CHOICE_TYPES
    return [name + of[0].upper() + of[1:] for of in types]


def _named(name: str, chosen: str | None) -> Step:
    """One step by name; a choice element such as `value` is found under `valueQuantity` and its like."""
    keys = _choices(name, chosen)

    def step(node: Node) -> Sequence[Node]:
        if not isinstance(node, dict):
            return ()
        value = node.get(name)
        if value is None:
            value = next((node[key] for key in keys if key in node), None) if keys else None
        if isinstance(value, list):
            return [v for v in value if v is not None] if None in value else value
        return () if value is None else (value,)

    return step


def _nth(inner: Step, position: int) -> Step:
    return lambda node: inner(node)[position : position + 1]


def _truth(inner: Step) -> Step:
    def step(node: Node) -> Sequence[Node]:
        return (any(value is not False for value in inner(node)),)

    return step


def _filter(token: dict[str, str | None]) -> Step:
    if token["target"]:
        return _points_at(str(token["target"]))
    if token["key"]:
        key, value = str(token["key"]), token["value"]
        return lambda node: (node,) if node.get(key) == value else ()
    if token["has"]:
        has = token["has"]
        return lambda node: (node,) if any(_extensions(node, has)) else ()
    return _extension_values(str(token["extension"]))


def _extensions(node: Node, url: str | None) -> Iterator[dict[str, Any]]:
    return (e for e in node.get("extension", ()) if e.get("url") == url)


def _extension_values(url: str) -> Step:
    value = _named("value", None)

    return lambda node: [found for extension in _extensions(node, url) for found in value(extension)]


def _points_at(target: str) -> Step:
    """`where(resolve() is Patient)`, decided by what the reference says of itself."""
    prefix = f"{target}/"

    def points(node: Node) -> bool:
        return isinstance(node, dict) and (
            f"/{node.get('reference', '')}".rfind(f"/{prefix}") >= 0 or node.get("type") == target
        )

    return lambda node: (node,) if points(node) else ()
