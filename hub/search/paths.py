"""The paths of the official SearchParameters, compiled to walkers.

Rules: https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression (a small part of
FHIRPath: steps, `as`, `where`, `extension`, an index, `|`; tests compare every parameter with fhirpathpy).
Refuses: any other expression raises UnsupportedPath when the table is read, never when a resource is.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

Node = Any
Step = Callable[[Node], Iterator[Node]]
Walk = Callable[[dict[str, Any]], list[Node]]


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
_EXISTS = re.compile(r"^\w+\.(?P<name>\w+)\.exists\(\) and \w+\.(?P=name) != false$")


def compile_path(expression: str) -> Walk:
    """A walker that gives all nodes an expression selects in a resource."""
    branches = [_branch(part.strip()) for part in expression.split(" | ")]

    def walk(resource: dict[str, Any]) -> list[Node]:
        return [node for branch in branches for node in branch(resource)]

    return walk


def _branch(text: str) -> Step:
    if found := _EXISTS.match(text):
        return _truth(_named(found["name"], None))
    if found := _CAST.match(text):
        text = f"{found['path']}.as({found['type']}){found['rest']}"
    elif found := _BARE_CAST.match(text):
        text = f"{found['path']}.as({found['type']})"
    return _chain(_steps(text))


def _tokens(text: str) -> list[dict[str, str | None]]:
    tokens, position = [], 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.end() == position:
            raise UnsupportedPath(text)
        tokens.append(found.groupdict())
        position = found.end()
    return tokens


def _steps(text: str) -> list[Step]:
    tokens = _tokens(text)[1:]  # the first name is the resource's own type
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
    def walk(resource: Node) -> Iterator[Node]:
        nodes = [resource]
        for step in steps:
            nodes = [found for node in nodes for found in step(node)]
            if not nodes:
                return iter(())
        return iter(nodes)

    return walk


def _named(name: str, chosen: str | None) -> Step:
    """One step by name; a choice element such as `value` is found under `valueQuantity` and its like."""
    types = (chosen, *SUBTYPES.get(chosen, ())) if chosen else CHOICE_TYPES
    keys = [name + of[0].upper() + of[1:] for of in types]

    def step(node: Node) -> Iterator[Node]:
        if not isinstance(node, dict):
            return
        value = node.get(name)
        if value is None:
            value = next((node[key] for key in keys if key in node), None)
        if isinstance(value, list):
            yield from (v for v in value if v is not None)
        elif value is not None:
            yield value

    return step


def _nth(inner: Step, position: int) -> Step:
    return lambda node: islice(inner(node), position, position + 1)


def _truth(inner: Step) -> Step:
    def step(node: Node) -> Iterator[Node]:
        yield any(value is not False for value in inner(node))

    return step


def _filter(token: dict[str, str | None]) -> Step:
    if token["target"]:
        return _points_at(str(token["target"]))
    if token["key"]:
        key, value = str(token["key"]), token["value"]
        return lambda node: iter((node,)) if node.get(key) == value else iter(())
    if token["has"]:
        has = token["has"]
        return lambda node: iter((node,)) if any(_extensions(node, has)) else iter(())
    return _extension_values(str(token["extension"]))


def _extensions(node: Node, url: str | None) -> Iterator[dict[str, Any]]:
    return (e for e in node.get("extension", ()) if e.get("url") == url)


def _extension_values(url: str) -> Step:
    value = _named("value", None)

    def step(node: Node) -> Iterator[Node]:
        for extension in _extensions(node, url):
            yield from value(extension)

    return step


def _points_at(target: str) -> Step:
    """`where(resolve() is Patient)`, decided by what the reference says of itself."""
    prefix = f"{target}/"

    def step(node: Node) -> Iterator[Node]:
        if isinstance(node, dict) and (
            f"/{node.get('reference', '')}".rfind(f"/{prefix}") >= 0 or node.get("type") == target
        ):
            yield node

    return step
