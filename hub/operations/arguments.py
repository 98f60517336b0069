"""An operation's parameters, from a URL and from a Parameters resource, by name.

Rules: https://hl7.org/fhir/R4/operations.html#executing: a GET has them in the URL, a POST in a Parameters
resource; where a parameter is a resource, the body may be that resource, and the URL has the others.
Refuses: parameters that the operation does not have (`not-supported`; lenient handling leaves them out and names
them), values of another type (`value`), one given twice, one that is missing (`required`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hub.fhir.bundles import ID
from hub.fhir.types import resource_types
from hub.operations.call import Operation, Pair, Parameter, Resource
from hub.problems import Problem
from hub.search.values import date_range

MAX_PARAMETERS = 100
URI = re.compile(r"\S{1,2000}\Z").match

# the value[x] of each type in a Parameters resource
TEXT = ("valueString", "valueUri", "valueUrl", "valueCanonical", "valueCode", "valueId")
KEYS: Mapping[str, tuple[str, ...]] = {
    "boolean": ("valueBoolean",),
    "integer": ("valueInteger", "valuePositiveInt", "valueUnsignedInt"),
    "time": ("valueDate", "valueDateTime", "valueInstant"),
    "Coding": ("valueCoding",),
    "Meta": ("valueMeta",),
    "Resource": ("resource",),
    "Reference": ("valueReference",),
    "Identifier": ("valueIdentifier",),
    "Period": ("valuePeriod",),
}
SHAPES: Mapping[str, type] = {
    "boolean": bool,
    "integer": int,
    **dict.fromkeys(("Coding", "Meta", "Resource", "Reference", "Identifier", "Period"), dict),
}


def _time(text: str) -> str:
    """A `+` that was not escaped in the URL arrives as a space."""
    return text.replace(" ", "+")


def _coding(text: str) -> Resource:
    system, separator, code = text.rpartition("|")
    return {"system": system, "code": code} if separator and system else {"code": code}


# a URL's text as a value; types that are not here do not go into a URL
FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: {"true": True, "false": False}.get(text),
    "integer": lambda text: int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None,
    "time": _time,
    "types": str,
    "code": str,
    "id": str,
    "uri": str,
    "cursor": str,
    "Coding": _coding,
}

CHECKS: Mapping[str, Callable[[Any], object]] = {
    "time": date_range,
    "id": ID.match,
    "uri": URI,
    "types": lambda text: all(name in resource_types() for name in text.split(",")),
    "Coding": lambda found: isinstance(found.get("code"), str) and isinstance(found.get("system", ""), str),
    "Reference": lambda found: isinstance(found.get("reference"), str),
    "Identifier": lambda found: isinstance(found.get("value"), str) and isinstance(found.get("system", ""), str),
}


def arguments(
    operation: Operation, pairs: Sequence[Pair], body: Resource | None, lenient: bool
) -> tuple[dict[str, Any], list[str]]:
    """The values by name, and the names that were left out. Raises Problem."""
    rows = {row.name: row for row in operation.parameters or ()}
    given: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value, in_url in _sent(operation, pairs, body):
        row = rows.get(name)
        if row is None:
            if not lenient:
                raise Problem("not-supported", f"${operation.name} has no parameter '{name[:64]}'", name[:64])
            ignored.append(name[:64])
            continue
        _add(given, row, _from_url(row, value) if in_url else _from_node(row, value))
    for row in rows.values():
        if row.required and row.name not in given:
            raise Problem("required", f"${operation.name} needs the parameter '{row.name}'", row.name)
    return given, ignored


def _sent(operation: Operation, pairs: Sequence[Pair], body: Resource | None) -> Iterator[tuple[str, Any, bool]]:
    """Name, value, and whether it stood in the URL."""
    if len(pairs) > MAX_PARAMETERS:
        raise Problem("too-costly", f"At most {MAX_PARAMETERS} parameters")
    for name, text in pairs:
        yield name, text, True
    if body is None:
        return
    if body.get("resourceType") != "Parameters":
        if not operation.resource:
            raise Problem("invalid", f"${operation.name} takes a Parameters resource", "resourceType")
        yield operation.resource, {"resource": body}, False
        return
    nodes = body.get("parameter", [])
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise Problem("structure", "parameter is a list of objects", "Parameters.parameter")
    if len(nodes) > MAX_PARAMETERS:
        raise Problem("too-costly", f"At most {MAX_PARAMETERS} parameters", "Parameters.parameter")
    for node in nodes:
        yield str(node.get("name")), node, False


def _from_url(row: Parameter, text: str) -> Any:
    if row.type not in FROM_TEXT:
        raise Problem("value", f"'{row.name}' is given in the body of a POST", row.name)
    return _checked(row, FROM_TEXT[row.type](text))


def _from_node(row: Parameter, node: Resource) -> Any:
    value = next((node[key] for key in KEYS.get(row.type, TEXT) if key in node), None)
    return _checked(row, value if type(value) is SHAPES.get(row.type, str) else None)


def _checked(row: Parameter, value: Any) -> Any:
    check = CHECKS.get(row.type)
    if value in (None, "") or (check is not None and not check(value)):
        said = {"time": "date, dateTime or instant", "types": "list of resource types"}.get(row.type, row.type)
        raise Problem("value", f"'{row.name}' takes a {said}", row.name)
    return value


def _add(given: dict[str, Any], row: Parameter, value: Any) -> None:
    if row.many:
        given.setdefault(row.name, []).append(value)
    elif row.name in given:
        raise Problem("duplicate", f"'{row.name}' is given twice", row.name)
    else:
        given[row.name] = value
