"""An operation's parameters, from a URL or from a Parameters resource, as keyword arguments.

Rules: https://hl7.org/fhir/R4/operations.html#executing
Refuses: parameters which the operation does not have or which are not served (`not-supported`), values of another
type (`value`), one given twice, and in a URL those that are no primitives.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from conformance.terminology.operations import ENGLISH, Operation, Parameter
from hub.problems import Problem

Resource = dict[str, Any]
Pair = tuple[str, Any]

TEXT = ("valueString", "valueUri", "valueUrl", "valueCanonical", "valueCode", "valueId")
KEYS: Mapping[str, tuple[str, ...]] = {
    "boolean": ("valueBoolean",),
    "integer": ("valueInteger", "valuePositiveInt", "valueUnsignedInt"),
    "dateTime": ("valueDateTime", "valueDate"),
    "Coding": ("valueCoding",),
    "CodeableConcept": ("valueCodeableConcept",),
    "resource": ("resource",),
    "dependency": ("part",),
}
OF_RESOURCE = {"valueSet": "ValueSet", "codeSystem": "CodeSystem", "conceptMap": "ConceptMap"}
MAX_PARAMETERS = 100
SHAPES: Mapping[str, type] = {"boolean": bool, "integer": int, "dependency": list}


def from_url(operation: Operation, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Keyword arguments of the (name, value) pairs of a URL. `_format` and `_pretty` are none of ours."""
    found = []
    for name, text in pairs:
        if name not in ("_format", "_pretty"):
            found.append((parameter := _parameter(operation, name), _parsed(parameter, text)))
    return _keywords(found)


def from_parameters(operation: Operation, resource: Resource) -> dict[str, Any]:
    """Keyword arguments of a Parameters resource."""
    nodes = resource.get("parameter", [])
    if resource.get("resourceType") != "Parameters" or not isinstance(nodes, list):
        raise Problem("structure", "The body is to be a Parameters resource", "Parameters")
    if len(nodes) > MAX_PARAMETERS:
        raise Problem("too-costly", f"At most {MAX_PARAMETERS} parameters", "Parameters.parameter")
    found = []
    for node in nodes:
        name = node.get("name") if isinstance(node, dict) else None
        parameter = _parameter(operation, str(name))
        found.append((parameter, _value(parameter, node)))
    return _keywords(found)


def _parameter(operation: Operation, name: str) -> Parameter:
    for parameter in operation.parameters:
        if parameter.name == name:
            if not (parameter.keyword or parameter.takes):
                raise Problem("not-supported", f"'{name}' is not served here", name)
            return parameter
    raise Problem("not-supported", f"${operation.name} has no parameter '{name[:64]}'", name[:64])


def _parsed(parameter: Parameter, text: str) -> Any:
    match parameter.type:
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case "integer" if re.fullmatch(r"-?[0-9]{1,9}", text):
            return int(text)
        case "uri" | "code" | "string" if text:
            return text
        case "Coding" | "CodeableConcept" | "resource" | "dependency":
            raise Problem("value", f"'{parameter.name}' is given in the body of a POST", parameter.name)
    raise Problem("value", f"'{parameter.name}' takes a {parameter.type}", parameter.name)


def _value(parameter: Parameter, node: Resource) -> Any:
    keys = KEYS.get(parameter.type, TEXT)
    value = next((node[key] for key in keys if key in node), None)
    wanted = SHAPES.get(parameter.type, str if keys is TEXT else dict)
    if type(value) is not wanted or value == "":
        raise Problem("value", f"'{parameter.name}' takes a {parameter.type}", parameter.name)
    of = OF_RESOURCE.get(parameter.name)
    if parameter.type == "resource" and isinstance(value, dict) and value.get("resourceType") != of:
        raise Problem("value", f"'{parameter.name}' takes a {of}", parameter.name)
    return _dependency(value) if parameter.type == "dependency" else value


def _dependency(parts: Any) -> tuple[str, Resource]:
    found = {part.get("name"): part for part in parts if isinstance(part, dict)}
    element = found.get("element", {}).get("valueUri")
    concept = found.get("concept", {}).get("valueCodeableConcept")
    if not isinstance(element, str) or not isinstance(concept, dict):
        raise Problem("value", "'dependency' has the parts element and concept", "dependency")
    return element, concept


def _keywords(found: Iterable[tuple[Parameter, Any]]) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    seen: set[str] = set()
    for parameter, value in found:
        if parameter.name in seen and not parameter.many:
            raise Problem("duplicate", f"'{parameter.name}' is given twice", parameter.name)
        seen.add(parameter.name)
        if parameter.takes:
            _refuse_other(parameter, value)
        elif parameter.many:
            keywords[parameter.keyword] = (*keywords.get(parameter.keyword, ()), value)
        else:
            keywords[parameter.keyword] = value
    return keywords


def _refuse_other(parameter: Parameter, value: Any) -> None:
    text = str(value).lower() if isinstance(value, bool) else value
    if text not in parameter.takes:
        why = "displays are in English" if parameter.takes is ENGLISH else f"takes {' or '.join(parameter.takes)}"
        raise Problem("not-supported", f"'{parameter.name}': {why}", parameter.name)
