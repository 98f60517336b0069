"""Whether a resource answers criteria: the same question as the index, asked of the resource itself.

Used to check what the index found (its keys are hashes) and to match subscriptions to a write.
Rules: https://hl7.org/fhir/R4/search.html#prefix and the modifiers below it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from hub.search.criterion import Criterion, DateValue, ReferenceValue, TextValue, TokenValue
from hub.search.parameters import IN_COLUMNS
from hub.search.values import dates, plain, references, strings, tokens

Range = tuple[int, int]

# https://hl7.org/fhir/R4/search.html#prefix; ranges are half-open
PREFIX: dict[str, Callable[[DateValue, Range], bool]] = {
    "eq": lambda v, r: v.low <= r[0] and r[1] <= v.high,
    "ne": lambda v, r: not (v.low <= r[0] and r[1] <= v.high),
    "gt": lambda v, r: r[1] > v.high,
    "lt": lambda v, r: r[0] < v.low,
    "ge": lambda v, r: r[1] > v.high or (v.low <= r[0] and r[1] <= v.high),
    "le": lambda v, r: r[0] < v.low or (v.low <= r[0] and r[1] <= v.high),
    "sa": lambda v, r: r[0] >= v.high,
    "eb": lambda v, r: r[1] <= v.low,
}


def matches(criteria: Iterable[Criterion], resource: dict[str, Any], base: str = "") -> bool:
    """True where every criterion has a value that the resource holds."""
    return all(_one(criterion, resource, base) for criterion in criteria)


def _one(criterion: Criterion, resource: dict[str, Any], base: str) -> bool:
    if criterion.parameter.code in IN_COLUMNS:
        return _column(criterion, resource)
    nodes = criterion.parameter.walk(resource)
    test = TESTS[criterion.parameter.type]
    return any(test(criterion, value, node, base) for node in nodes for value in criterion.values)


def _column(criterion: Criterion, resource: dict[str, Any]) -> bool:
    if criterion.parameter.code == "_id":
        return any(isinstance(v, TokenValue) and v.code == resource.get("id") for v in criterion.values)
    updated = resource.get("meta", {}).get("lastUpdated", "")
    return any(_date(criterion, value, updated, "") for value in criterion.values)


def _token(_: Criterion, value: Any, node: Any, base: str) -> bool:
    assert isinstance(value, TokenValue)
    return any(
        (value.system is None or value.system == (system or "")) and value.code in ("", code)
        for system, code in tokens(node)
    )


def _reference(_: Criterion, value: Any, node: Any, base: str) -> bool:
    assert isinstance(value, ReferenceValue)
    for target, text in references(node, base):
        if target is None:
            if value.address and value.value in (text, text.split("|")[0]):
                return True
        elif not value.address and value.value == text and value.type in (None, target):
            return True
    return False


def _date(_: Criterion, value: Any, node: Any, base: str) -> bool:
    assert isinstance(value, DateValue)
    return any(PREFIX[value.prefix](value, found) for found in dates(node))


def _text(criterion: Criterion, value: Any, node: Any, base: str) -> bool:
    assert isinstance(value, TextValue)
    wanted = plain(value.text)
    for text in strings(node):
        match criterion.modifier:
            case "exact":
                found = text == value.text
            case "contains":
                found = wanted in plain(text)
            case _:
                found = plain(text).startswith(wanted)
        if found:
            return True
    return False


def _uri(_: Criterion, value: Any, node: Any, base: str) -> bool:
    assert isinstance(value, TextValue)
    return bool(node == value.text)


TESTS: dict[str, Callable[[Criterion, Any, Any, str], bool]] = {
    "token": _token,
    "reference": _reference,
    "date": _date,
    "string": _text,
    "uri": _uri,
}
