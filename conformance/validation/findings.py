"""jsonschema_rs errors -> Issues, by a table: which kind of problem each failed keyword is, and where.

Messages say what the element needs. They never hold its content.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.problems import Issue

Path = Sequence[str | int]

_ELEMENT_NAME = re.compile(r"^_?[a-z][A-Za-z]{0,39}$")
_CONTAINERS = {"object": dict, "array": list}


def where(path: Path) -> str:
    """A FHIRPath such as Patient.contact[0].gender from the steps of a path."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step.removeprefix("_") if _ELEMENT_NAME.match(step) or not text else "?"
            text += f".{name}" if text else name
    return text


def issue(error: Any, root: Path) -> Issue:
    """The Issue for one schema error; `root` are the steps to the resource it is in."""
    kind, message = _KEYWORDS.get(type(error.kind).__name__, _unreadable)(error)
    return Issue(kind, message, where([*root, *error.instance_path[1:]]))


Finding = tuple[str, str]


def _unreadable(error: Any) -> Finding:
    return "structure", "The element is not as FHIR R4 defines it"


def _unknown(error: Any) -> Finding:
    names = sorted(name for name in error.kind.unexpected if _ELEMENT_NAME.match(name))
    return "structure", f"FHIR R4 has no such element here: {', '.join(names[:5]) or '(not a name of FHIR)'}"


def _missing(error: Any) -> Finding:
    name = error.kind.property
    if name == "url" and "xtension" in str(error.instance_path[-2:]):
        return "value", "An extension needs an absolute url"
    if name == "resourceType":
        return "structure", "A resource needs its resourceType"
    return "required", f"{name} is required"


def _no_choice(error: Any) -> Finding:
    return "required", "One of the types of a required choice element is missing, or two are present"


def _two_choices(error: Any) -> Finding:
    return "structure", "A choice element has more than one type"


def _empty(error: Any) -> Finding:
    return "structure", "An array or object may not be empty"


def _too_long(error: Any) -> Finding:
    return "string-too-long", "A string is longer than 1 MB"


def _range(error: Any) -> Finding:
    return "value", "The number is out of range or not an integer"


def _code(error: Any) -> Finding:
    if _is_target(error):
        return "reference-target", "Reference.type names a type that this element does not allow"
    if not isinstance(error.instance, str):
        return _shape(error) or ("value", "A code is needed")
    return _shape(error) or ("code-invalid", "The code is not in the required value set")


def _concept(error: Any) -> Finding:
    return "code-invalid", "No coding is from the required value set"


def _pattern(error: Any) -> Finding:
    if _is_target(error):
        return "reference-target", "The reference is to a type that this element does not allow"
    if _is_resource_id(error.instance_path):
        return "value", "An id has 1 to 64 of the characters A-Z a-z 0-9 - ."
    return _shape(error) or ("value", "The value is not in the format of its type")


def _type(error: Any) -> Finding:
    wanted = error.kind.types
    if any(name in _CONTAINERS for name in wanted):
        return "structure", f"An {' or '.join(name for name in wanted if name != 'null')} is needed"
    return _shape(error) or ("value", f"A {' or '.join(name for name in wanted if name != 'null')} is needed")


def _shape(error: Any) -> Finding | None:
    """What is wrong before the value is looked at: nothing there, or a container where a primitive stands."""
    if error.instance is None:
        return "structure", "null may not be sent"
    if error.instance == "":
        return "structure", "A string may not be empty"
    if isinstance(error.instance, dict | list):
        return "structure", "A single primitive value is needed"
    return None


def _is_target(error: Any) -> bool:
    return str(error.schema_path[1]).startswith("Reference.") and "then" in error.schema_path


def _is_resource_id(path: Path) -> bool:
    return len(path) == 2 and path[1] == "id"


_KEYWORDS: Mapping[str, Callable[[Any], Finding]] = {
    "AdditionalProperties": _unknown,
    "AnyOf": _concept,
    "Custom": _range,
    "Enum": _code,
    "MaxLength": _too_long,
    "Maximum": _range,
    "MinItems": _empty,
    "MinProperties": _empty,
    "Minimum": _range,
    "OneOfMultipleValid": _two_choices,
    "OneOfNotValid": _no_choice,
    "Pattern": _pattern,
    "Required": _missing,
    "Type": _type,
}
