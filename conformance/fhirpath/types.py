"""`is`, `as` and `ofType`: a choice tells its type by its property, a resource by its resourceType.

Rules: https://hl7.org/fhirpath/N1/#types
Refuses by NotFhirPath a test that JSON cannot answer, such as whether some string is a canonical.
"""

from collections.abc import Callable, Mapping
from typing import Any

from conformance.fhirpath.choices import CHOICES
from conformance.fhirpath.closures import Around, Closure, Node, Nodes, build, children
from conformance.fhirpath.syntax import NotFhirPath, Tree

_PYTHON_TYPES: Mapping[str, Any] = {"boolean": bool, "integer": int}


def typed(base: Tree | None, how: str, name: str) -> Closure:
    """`is`, `as` and `ofType`: a choice tells its type by its property, a resource by its resourceType."""
    if base is not None and base[0] == "member" and base[2] in CHOICES:
        return _typed_choice(base, how, name)
    if base in (None, ("this",)) and name not in ("Resource", "DomainResource"):
        return _typed_this(how, name)
    source = build(base) if base is not None else (lambda node, around: [node])
    test = _type_test(name)
    if how == "is":
        return lambda node, around: [test(item) for item in source(node, around)[:1]]
    return lambda node, around: [item for item in source(node, around) if test(item)]


def _type_test(name: str) -> Callable[[Node], bool]:
    plain = name[0].lower() + name[1:]
    if plain in _PYTHON_TYPES:
        wanted = _PYTHON_TYPES[plain]
        return lambda item: type(item) is wanted
    if plain == "string":
        return lambda item: isinstance(item, str)
    if name in ("Resource", "DomainResource"):
        return lambda item: isinstance(item, dict) and "resourceType" in item
    if name[0].isupper() and name not in _DATATYPES:
        return lambda item: isinstance(item, dict) and item.get("resourceType") == name
    raise NotFhirPath(f"whether something is a {name} cannot be told from JSON")


def _typed_this(how: str, name: str) -> Closure:
    """The node that a constraint is on: the profile tells its type."""
    wanted = name.lower()

    def fits(node: Node, around: Around) -> bool:
        if isinstance(node, dict) and "resourceType" in node:
            return bool(node["resourceType"] == name)
        return around.type.lower() == wanted

    if how == "is":
        return lambda node, around: [fits(node, around)]
    return lambda node, around: [node] if fits(node, around) else []


_DATATYPES = frozenset(
    [
        "Quantity",
        "CodeableConcept",
        "Coding",
        "Reference",
        "Period",
        "Range",
        "Ratio",
        "Identifier",
        "Age",
        "Duration",
        "Timing",
        "Attachment",
    ]
)


def _typed_choice(base: Tree, how: str, name: str) -> Closure:
    _, holder, element = base
    outer = build(holder) if holder is not None else (lambda node, around: [node])
    key = element + name[0].upper() + name[1:]

    def find(node: Node, around: Around) -> Nodes:
        return [child for item in outer(node, around) for child in children(item, key)]

    if how != "is":
        return find
    return lambda node, around: [bool(find(node, around))]
