"""FHIRPath Patch: a Parameters resource that adds, inserts, deletes, replaces and moves elements.

Rules: https://hl7.org/fhir/R4/fhirpatch.html; which paths are understood says hub.fhir.paths
Refuses: parameters that are no operation (`structure`, `required`, `invalid`), more than MOST_OPERATIONS (413),
a path that leads nowhere or to several elements, an element that is there already, an index past the end (all
`processing`, 422). Only a delete may find nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

from hub.fhir import paths
from hub.fhir.bundles import Patch
from hub.fhir.elements import Element
from hub.fhir.places import List, Place, follow, named, root
from hub.problems import Problem

MOST_OPERATIONS = 1000
Part = dict[str, Any]
# operation -> the parts it needs besides its type and path
PARTS: Mapping[str, frozenset[str]] = {
    "add": frozenset(("name", "value")),
    "insert": frozenset(("index", "value")),
    "delete": frozenset(),
    "replace": frozenset(("value",)),
    "move": frozenset(("source", "destination")),
}
KINDS: Mapping[str, type] = {
    "type": str,
    "path": str,
    "name": str,
    "index": int,
    "source": int,
    "destination": int,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`path` leads to one element; an insert's or move's to the one that has the list `name`."""

    do: "Callable[[Place | None, Operation], None]"
    path: tuple[paths.Step, ...]
    name: str
    value: Part
    index: int
    destination: int


def parse(parameters: dict[str, Any]) -> Patch:
    """The operations in a Parameters resource as what they do to a resource. Raises Problem."""
    found = parameters.get("parameter", [])
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise Problem("structure", "Parameters.parameter is a list of objects", "Parameters.parameter")
    if len(found) > MOST_OPERATIONS:
        raise Problem("too-many", f"A patch has at most {MOST_OPERATIONS} operations", "Parameters.parameter")
    return partial(_apply, [_named(place, _operation, part) for place, part in enumerate(found)])


def _named(place: int, work: Callable[..., Any], *what: Any) -> Any:
    """Problems say which operation they are about."""
    try:
        return work(*what)
    except Problem as problem:
        issue = problem.issues[0]
        raise Problem(issue.kind, issue.message, f"Parameters.parameter[{place}]") from None


def _operation(parameter: Part) -> Operation:
    parts = parameter.get("part")
    if parameter.get("name") != "operation" or not isinstance(parts, list):
        raise Problem("invalid", "Each parameter of a patch is named operation and has parts")
    sent = {part.get("name"): part for part in parts if isinstance(part, dict)}
    kind = _said(sent, "type")
    if kind not in PARTS:
        raise Problem("invalid", f"An operation's type is one of {', '.join(PARTS)}")
    wanted = {"type", "path"} | PARTS[kind]
    if len(sent) != len(parts) or sent.keys() != wanted:
        kind_of = "required" if wanted - sent.keys() else "invalid"
        raise Problem(kind_of, f"The parts of {kind} are {', '.join(sorted(wanted))}, each once")
    steps = paths.parse(_said(sent, "path"))
    name = _said(sent, "name") if kind == "add" else ""
    if kind in ("insert", "move"):
        steps, name = _of_list(steps)
    index = _said(sent, "source" if kind == "move" else "index") if kind in ("insert", "move") else 0
    destination = _said(sent, "destination") if kind == "move" else 0
    return Operation(DO[kind], steps, name, sent.get("value", {}), index, destination)


def _said(sent: Mapping[Any, Part], name: str) -> Any:
    """The value of a part, of the type it must have."""
    found = [value for key, value in sent.get(name, {}).items() if key.startswith("value")]
    if len(found) != 1 or type(found[0]) is not KINDS[name]:
        raise Problem("required", f"An operation has a part {name} with one value")
    return found[0]


def _of_list(steps: tuple[paths.Step, ...]) -> tuple[tuple[paths.Step, ...], str]:
    if not steps or not isinstance(steps[-1], paths.Child):
        raise Problem("processing", "The path of insert and move ends with the name of a list")
    return steps[:-1], steps[-1].name


def _apply(operations: list[Operation], resource: dict[str, Any]) -> dict[str, Any]:
    top = root(resource)
    for place, operation in enumerate(operations):
        _named(place, _do, top, operation)
    return resource


def _do(top: Place, operation: Operation) -> None:
    found = follow(top, _below(operation.path, top.value["resourceType"]))
    if len(found) > 1:
        raise Problem("processing", "The path leads to several elements; an operation changes one")
    if not found and operation.do is not _delete:
        raise Problem("processing", "The path leads to nothing")
    if found and not found[0].name and operation.do in (_delete, _replace):
        raise Problem("processing", "A patch changes elements, not the resource as a whole")
    operation.do(found[0] if found else None, operation)


def _below(steps: tuple[paths.Step, ...], resource_type: str) -> tuple[paths.Step, ...]:
    """A path may begin with the type of the resource, or a type above it."""
    tops = {paths.Child(name) for name in (resource_type, "DomainResource", "Resource")}
    return steps[1:] if steps and steps[0] in tops else steps


def _add(place: Place | None, operation: Operation) -> None:
    assert place is not None
    holder, kind = place.inside()
    element, *value = _value(operation.value, named(kind, operation.name))
    if element.many:
        items = List(holder, element.name)
        items.pairs.append((value[0], value[1]))
        items.write()
    else:
        taken = {e.name for e in named(kind, operation.name)}
        if taken & {name.lstrip("_") for name in holder}:
            raise Problem("processing", "The element is there already; replace it")
        Place(holder, element.name, None, element.type).put(*value)
    if kind == "Element":
        place.put(place.value, holder)


def _insert(place: Place | None, operation: Operation) -> None:
    items, elements = _list(place, operation)
    _, *value = _value(operation.value, elements)
    if not 0 <= operation.index <= len(items.pairs):
        raise Problem("processing", "The index is past the end of the list")
    items.pairs.insert(operation.index, (value[0], value[1]))
    items.write()


def _move(place: Place | None, operation: Operation) -> None:
    items, _ = _list(place, operation)
    if not all(0 <= index < len(items.pairs) for index in (operation.index, operation.destination)):
        raise Problem("processing", "The source or the destination is past the end of the list")
    items.pairs.insert(operation.destination, items.pairs.pop(operation.index))
    items.write()


def _list(place: Place | None, operation: Operation) -> tuple[List, list[Element]]:
    assert place is not None
    holder, kind = place.inside()
    elements = named(kind, operation.name)
    if not elements[0].many:
        raise Problem("processing", "The path of insert and move leads to a list")
    return List(holder, elements[0].name), elements


def _delete(place: Place | None, _: Operation) -> None:
    if place is not None:
        place.remove()


def _replace(place: Place | None, operation: Operation) -> None:
    assert place is not None
    element, *value = _value(operation.value, place.among)
    if element.name == place.name:
        place.put(*value)
    else:  # another type of a choice
        place.remove()
        Place(place.holder, element.name, None, element.type).put(*value)


def _value(part: Part, elements: Sequence[Element]) -> tuple[Element, Any, Any]:
    """The element that a part's value is for, the value, and its `_name` sibling."""
    if "resource" in part:
        return elements[0], deepcopy(part["resource"]), None
    if isinstance(parts := part.get("part"), list):
        return elements[0], _backbone(parts, elements[0].type), None
    keys = {key.lstrip("_") for key in part if key.lstrip("_").startswith("value")}
    if len(keys) != 1:
        raise Problem("required", "The part value has one value, or parts")
    (key,) = keys
    fitting = [e for e in elements if not e.choice or e.name == e.choice + key[len("value") :]]
    if not fitting:
        raise Problem("processing", "The element does not take a value of this type")
    return fitting[0], deepcopy(part.get(key)), deepcopy(part.get(f"_{key}"))


def _backbone(parts: list[Any], kind: str) -> dict[str, Any]:
    """An element without a type name of its own, put together from its parts."""
    made: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("name"), str):
            raise Problem("structure", "A part is an object with a name")
        _add(Place({"": made}, "", None, kind), Operation(_add, (), part["name"], part, 0, 0))
    return made


DO: Mapping[str, Callable[[Place | None, Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
