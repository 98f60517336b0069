"""The filters of a value set's compose: each operator says which concepts of a code system it keeps.

Rules: https://hl7.org/fhir/R4/valueset-filter-operator.html and https://hl7.org/fhir/R4/codesystem.html#filters
Refuses: unknown operators, properties which the system does not have, regular expressions that are no such or
need backtracking (`Unfit`, told where the value set is used).
"""

from collections.abc import Callable, Mapping

import jsonschema_rs

from conformance.terminology.systems import Concept, Resource, System

HIERARCHY = ("concept", "code")
BUILT_IN = (*HIERARCHY, "display", "definition", "parent", "child", "inactive", "notSelectable")
PATTERN_LENGTH = 500

Keeps = Callable[[Concept], bool]


class Unfit(Exception):
    """The filter cannot be computed here; the text says why, without its value."""


def filtered(system: System, filters: list[Resource]) -> dict[str, str]:
    """The codes that pass all filters, each with no display of its own."""
    keeps = [_keeps(system, f["property"], f["op"], f["value"]) for f in filters]
    return {code: "" for code, concept in system.concepts.items() if all(keep(concept) for keep in keeps)}


def _keeps(system: System, property_: str, op: str, value: str) -> Keeps:
    make = OPERATORS.get(op)
    if make is None:
        raise Unfit("a filter has an operator that is not R4's")
    if property_ not in BUILT_IN and property_ not in system.declared:
        raise Unfit("a filter names a property which the code system does not declare")
    if op in HIERARCHICAL and property_ not in HIERARCHY:
        raise Unfit(f"the filter '{op}' is for the property 'concept'")
    return make(system, property_, value)


def values(system: System, concept: Concept, property_: str) -> list[str]:
    """The values of one property of one concept, as text."""
    match property_:
        case "concept" | "code":
            return [concept.code]
        case "display" | "definition":
            return [text] if (text := getattr(concept, property_)) else []
        case "parent":
            return system.parents.get(concept.code, [])
        case "child":
            return system.children.get(concept.code, [])
        case "inactive":
            return [_text(concept.inactive)]
        case "notSelectable":
            return [_text(concept.abstract)]
    return [_text(value) for code, _, value in concept.properties if code == property_]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value["code"]) if isinstance(value, dict) else str(value)


def _is_a(system: System, property_: str, value: str) -> Keeps:
    kept = system.below(value)
    return lambda concept: concept.code in kept


def _descendent_of(system: System, property_: str, value: str) -> Keeps:
    kept = system.below(value) - {value}
    return lambda concept: concept.code in kept


def _is_not_a(system: System, property_: str, value: str) -> Keeps:
    left_out = system.below(value)
    return lambda concept: concept.code not in left_out


def _generalizes(system: System, property_: str, value: str) -> Keeps:
    kept = system.above(value)
    return lambda concept: concept.code in kept


def _equals(system: System, property_: str, value: str) -> Keeps:
    return lambda concept: value in values(system, concept, property_)


def _in(system: System, property_: str, value: str) -> Keeps:
    listed = {part.strip() for part in value.split(",")}
    return lambda concept: not listed.isdisjoint(values(system, concept, property_))


def _not_in(system: System, property_: str, value: str) -> Keeps:
    keeps = _in(system, property_, value)
    return lambda concept: not keeps(concept)


def _regex(system: System, property_: str, value: str) -> Keeps:
    matches = _pattern(value)
    return lambda concept: any(matches(text) for text in values(system, concept, property_))


def _exists(system: System, property_: str, value: str) -> Keeps:
    wanted = value == "true"
    return lambda concept: bool(values(system, concept, property_)) is wanted


def _pattern(text: str) -> Callable[[str], bool]:
    """A whole match in linear time: value sets come from clients, and Python's engine backtracks."""
    if len(text) > PATTERN_LENGTH:
        raise Unfit(f"a filter's regular expression is longer than {PATTERN_LENGTH} characters")
    try:
        schema = {"pattern": f"^(?:{text})$"}
        validator = jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, jsonschema_rs.ValidationError):
        raise Unfit("a filter's regular expression cannot be used") from None
    return lambda value: bool(validator.is_valid(value))


HIERARCHICAL = ("is-a", "descendent-of", "is-not-a", "generalizes")
OPERATORS: Mapping[str, Callable[[System, str, str], Keeps]] = {
    "is-a": _is_a,
    "descendent-of": _descendent_of,
    "is-not-a": _is_not_a,
    "generalizes": _generalizes,
    "=": _equals,
    "in": _in,
    "not-in": _not_in,
    "regex": _regex,
    "exists": _exists,
}
