"""One pass over a resource for the rules that a JSON Schema cannot say.

Rules: per-1 (https://hl7.org/fhir/R4/datatypes.html#Period), ext-1 (/extensibility.html#Extension), ele-1
(/element.html), null in lists of primitives (/json.html#primitive), conditional references (/http.html#trules),
modifier extensions (/extensibility.html#modifierExtension), narrative (/narrative.html)
The resource must already hold its schema. Resources inside it are handed back, not entered.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from conformance.validation import narrative
from conformance.validation.findings import where
from hub.problems import Issue

Node = dict[str, Any]
Trail = tuple[Any, ...]  # (the trail of the parent, the last step); () above the root

# modifier extensions whose meaning this hub knows: none yet, so data that may negate itself is never stored
KNOWN_MODIFIER_EXTENSIONS: frozenset[str] = frozenset()

_CONDITIONAL = re.compile(r"[A-Z][A-Za-z]*\?")
_REFERENCE = frozenset(
    ("id", "extension", "reference", "_reference", "type", "_type", "identifier", "display", "_display")
)
_HOLDERS = frozenset(("contained", "resource", "outcome"))
_PERIOD = frozenset(("id", "extension", "start", "_start", "end", "_end"))


@dataclass(slots=True)
class Walk:
    """What one pass found: issues, references to contained resources, the resources inside, the extensions."""

    conditional_references: bool
    issues: list[Issue] = field(default_factory=list)
    local: list[tuple[str, Trail]] = field(default_factory=list)
    nested: list[tuple[Node, Trail]] = field(default_factory=list)
    extensions: list[tuple[Node, Trail]] = field(default_factory=list)

    def report(self, kind: str, message: str, trail: Trail) -> None:
        self.issues.append(Issue(kind, message, where(steps(trail))))


def steps(trail: Trail) -> list[str | int]:
    """The steps of a trail from the root."""
    path = []
    while trail:
        trail, step = trail
        path.append(step)
    return path[::-1]


def walk(resource: Node, trail: Trail, conditional_references: bool) -> Walk:
    """Every rule at every node of one resource."""
    found = Walk(conditional_references)
    waiting = [(resource, trail)]
    while waiting:
        node, trail = waiting.pop()
        if "resourceType" in node and node is not resource and _is_held(trail):
            found.nested.append((node, trail))
            continue
        for key, value in node.items():
            kind = type(value)
            if kind is str:
                if key in _TEXT_RULES:
                    _TEXT_RULES[key](found, node, (trail, key))
            elif kind is dict:
                waiting.append((value, (trail, key)))
            elif kind is list:
                _list(found, node, (trail, key), waiting)
        if len(node) == 1 and "id" in node:
            _refuse_empty(found, trail)
    return found


def _is_held(trail: Trail) -> bool:
    """Whether a resource may stand here. ExampleScenario too has an element named resourceType."""
    return not _HOLDERS.isdisjoint((trail[1], trail[0][1]))


def _list(found: Walk, node: Node, trail: Trail, waiting: list[tuple[Node, Trail]]) -> None:
    key = trail[1]
    items = node[key]
    if key in _LIST_RULES:
        _LIST_RULES[key](found, node, trail)
    if key[0] == "_":
        _refuse_unaligned(found, node, trail)
        waiting += [(item, (trail, place)) for place, item in enumerate(items) if item is not None]
    elif type(items[0]) is dict:
        for place, item in enumerate(items):
            waiting.append((item, (trail, place)))
    elif None in items:
        _refuse_unaligned(found, node, trail)


def _refuse_unaligned(found: Walk, node: Node, trail: Trail) -> None:
    """The list of a primitive and the list of its siblings have one length, and no place is null in both."""
    key = trail[1]
    items, others = node[key], node.get(key[1:] if key[0] == "_" else f"_{key}")
    if others is None:
        others = [None] * len(items)
    if len(others) != len(items):
        found.report("structure", "A list and the list of its extensions differ in length", trail)
    elif any(item is None and other is None for item, other in zip(items, others, strict=True)):
        found.report("structure", "null may stand only where the sibling list has something", trail)


def _refuse_empty(found: Walk, trail: Trail) -> None:
    name = next(step for step in reversed(steps(trail)) if isinstance(step, str))
    if not name.startswith("_"):  # the id of a primitive stands alone beside its value
        found.report("structure", "An element has neither a value nor children", trail)


def _extension(found: Walk, node: Node, trail: Trail) -> None:
    for place, extension in enumerate(node[trail[1]]):
        if len(extension) != 2 or "id" in extension:  # two: the url, and either a value or extensions
            _check_extension(found, extension, (trail, place))
        found.extensions.append((extension, (trail, place)))


def _check_extension(found: Walk, extension: Node, trail: Trail) -> None:
    values = {key.removeprefix("_") for key in extension if key.startswith(("value", "_value"))}
    if len(values) > 1:
        found.report("structure", "A choice element has more than one type", trail)
    elif bool(values) == ("extension" in extension):
        found.report("invariant", "ext-1: an extension has either a value or extensions", trail)


def _modifier(found: Walk, node: Node, trail: Trail) -> None:
    _extension(found, node, trail)
    for place, extension in enumerate(node[trail[1]]):
        if extension["url"] not in KNOWN_MODIFIER_EXTENSIONS:
            found.report("extension", "This hub does not know the modifier extension", (trail, place))


def _reference(found: Walk, node: Node, trail: Trail) -> None:
    reference = node["reference"]
    if reference[0] == "#":
        if node.keys() <= _REFERENCE:  # Expression.reference and its like are URIs
            found.local.append((reference[1:], trail))
    elif not found.conditional_references and "?" in reference and _CONDITIONAL.match(reference):
        found.report("value", "A conditional reference may stand only in a transaction", trail)


def _period(found: Walk, node: Node, trail: Trail) -> None:
    if "end" in node and node.keys() <= _PERIOD and starts_after(node["start"], node["end"]):
        found.report("invariant", "per-1: the start is after the end", trail[0])


def starts_after(start: str, end: str) -> bool:
    """Whether a start is surely after an end. What the shorter precision leaves open is not."""
    if "T" in start and "T" in end:
        return _moment(start) > _moment(end)
    if "T" in start or "T" in end:  # a date has no time zone: one day either way is open
        return min(len(start), len(end)) == 10 and _days(start) - _days(end) > 1
    length = min(len(start), len(end))
    return start[:length] > end[:length]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(":60", ":59"))  # a leap second has no datetime


def _days(text: str) -> int:
    return date.fromisoformat(text[:10]).toordinal()


def _narrative(found: Walk, node: Node, trail: Trail) -> None:
    try:
        narrative.check(node["div"])
    except narrative.Unsafe as unsafe:
        found.report("invalid", str(unsafe), trail)


Rule = Callable[[Walk, Node, Trail], None]
_TEXT_RULES: Mapping[str, Rule] = {"reference": _reference, "start": _period, "div": _narrative}
_LIST_RULES: Mapping[str, Rule] = {"extension": _extension, "modifierExtension": _modifier}
