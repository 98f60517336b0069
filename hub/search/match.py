"""Whether a resource answers criteria: the same question as the index, asked of the resource itself.

Used to check what the index found (its keys are hashes) and to match subscriptions to a write.
Rules: https://hl7.org/fhir/R4/search.html#prefix and the modifiers below it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hub.search.criterion import Criterion
from hub.search.numbers import Interval, Quantity, positions, quantities
from hub.search.pairs import Pair, pairs
from hub.search.parameters import IN_COLUMNS
from hub.search.values import (
    Reference,
    Token,
    dates,
    identifiers,
    mime_types,
    plain,
    references,
    strings,
    tokens,
    typed_identifiers,
    words,
)
from hub.search.wanted import (
    DateValue,
    MissingValue,
    NearValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    TextValue,
    TokenValue,
    TypedIdentifierValue,
)

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
    "ap": lambda v, r: r[0] < v.high and r[1] > v.low,
}

# a resource's interval is closed; a searched one (eq, ne) is half-open, and one number for gt, lt, ge, le, sa, eb
NUMBER_PREFIX: dict[str, Callable[[NumberValue, Interval], bool]] = {
    "eq": lambda v, r: v.low <= r[0] and r[1] < v.high,
    "ne": lambda v, r: not (v.low <= r[0] and r[1] < v.high),
    "gt": lambda v, r: r[1] > v.high,
    "lt": lambda v, r: r[0] < v.low,
    "ge": lambda v, r: r[1] >= v.high,
    "le": lambda v, r: r[0] <= v.low,
    "sa": lambda v, r: r[0] > v.high,
    "eb": lambda v, r: r[1] < v.low,
    "ap": lambda v, r: r[0] <= v.high and r[1] >= v.low,
}


def matches(criteria: Iterable[Criterion], resource: dict[str, Any], base: str = "") -> bool:
    """True where every criterion has a value that the resource holds."""
    return all(_one(criterion, resource, base) for criterion in criteria)


def _one(criterion: Criterion, resource: dict[str, Any], base: str) -> bool:
    parameter = criterion.parameter
    if parameter.code in IN_COLUMNS:
        return _column(criterion, resource)
    nodes = parameter.walk(resource)
    if parameter.components:
        nodes = list(pairs(parameter, nodes, resource, base))
    if criterion.modifier == "missing":
        return criterion.values[0] == MissingValue(not nodes)
    test = TESTS.get((parameter.type, criterion.modifier)) or TESTS[parameter.type, ""]
    found = any(test(criterion, value, node, base) for node in nodes for value in criterion.values)
    return found is not criterion.denies


def _column(criterion: Criterion, resource: dict[str, Any]) -> bool:
    if criterion.modifier == "missing":
        return criterion.values[0] == MissingValue(False)
    if criterion.parameter.code == "_id":
        found = any(isinstance(v, TokenValue) and v.code == resource.get("id") for v in criterion.values)
        return found is not criterion.denies
    updated = resource.get("meta", {}).get("lastUpdated", "")
    return any(_date(criterion, value, updated, "") for value in criterion.values)


def _is(value: TokenValue, token: Token) -> bool:
    system, code = token
    return (value.system is None or value.system == (system or "")) and value.code in ("", code)


def _points_at(value: ReferenceValue, reference: Reference) -> bool:
    target, text = reference
    if target is None:
        return value.address and value.value in (text, text.split("|")[0])
    return not value.address and value.value == text and value.type in (None, target)


def _measures(value: QuantityValue, found: Quantity) -> bool:
    if value.code and value.system is None and value.code not in found.codes:
        return False
    if value.code and value.system is not None and (value.system, value.code) != (found.system, found.code):
        return False
    return NUMBER_PREFIX[value.number.prefix](value.number, (found.low, found.high))


def _starts(value: TextValue, text: str) -> bool:
    return plain(text).startswith(plain(value.text))


def _token(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(_is(value, token) for token in tokens(node))


def _token_text(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(_starts(value, text) for text in words(node))


def _token_of_type(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(TypedIdentifierValue(*found) == value for found in typed_identifiers(node))


def _token_below(criterion: Criterion, value: Any, node: Any, base: str) -> bool:
    if isinstance(value, TokenValue):
        return _token(criterion, value, node, base)
    return isinstance(node, str) and value.type in mime_types(node)


def _reference(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(_points_at(value, reference) for reference in references(node, base))


def _reference_identifier(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(_is(value.token, token) for token in identifiers(node))


def _date(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(PREFIX[value.prefix](value, found) for found in dates(node))


def _number(_: Criterion, value: Any, node: Any, base: str) -> bool:
    number = float(node)
    return NUMBER_PREFIX[value.prefix](value, (number, number))


def _quantity(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(_measures(value, found) for found in quantities(node))


def _text(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(_starts(value, text) for text in strings(node))


def _text_exact(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(text == value.text for text in strings(node))


def _text_contains(_: Criterion, value: Any, node: Any, base: str) -> bool:
    wanted = plain(value.text)
    return any(wanted in plain(text) for text in strings(node))


def _uri(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return bool(node == value.text)


def _uri_below(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return isinstance(node, str) and below(value.text, node)


def below(upper: str, uri: str) -> bool:
    """Whether a URI is the other one, or stands below it in its path."""
    return uri == upper or uri.startswith(below_prefixes(upper))


def below_prefixes(upper: str) -> tuple[str, ...]:
    """What every URI below this one begins with: a boundary (hub.search.values.URI_BOUNDARIES) follows."""
    return (upper,) if upper.endswith("/") else tuple(f"{upper}{sign}" for sign in "/|#")


def _near(_: Criterion, value: Any, node: Any, base: str) -> bool:
    return any(is_near(value, *found) for found in positions(node))


def is_near(value: NearValue, x: float, y: float, z: float) -> bool:
    across, along, up = x - value.x, y - value.y, z - value.z
    return across * across + along * along + up * up <= value.chord * value.chord


def _composite(criterion: Criterion, value: Any, pair: Pair, base: str) -> bool:
    firsts, *rest = pair
    return any(_is(value.first, token) for token in firsts) and all(
        any(SECOND[component.type](wanted, one) for one in found)
        for component, wanted, found in zip(criterion.parameter.components[1:], value.rest, rest, strict=True)
    )


SECOND: Mapping[str, Callable[[Any, Any], bool]] = {
    "token": _is,
    "reference": _points_at,
    "date": lambda value, found: PREFIX[value.prefix](value, found),
    "string": _starts,
    "quantity": _measures,
    "number": lambda value, found: NUMBER_PREFIX[value.prefix](value, found),
}

TESTS: Mapping[tuple[str, str], Callable[[Criterion, Any, Any, str], bool]] = {
    ("token", ""): _token,
    ("token", "text"): _token_text,
    ("token", "of-type"): _token_of_type,
    ("token", "below"): _token_below,
    ("reference", ""): _reference,
    ("reference", "identifier"): _reference_identifier,
    ("date", ""): _date,
    ("string", ""): _text,
    ("string", "exact"): _text_exact,
    ("string", "contains"): _text_contains,
    ("uri", ""): _uri,
    ("uri", "below"): _uri_below,
    ("number", ""): _number,
    ("quantity", ""): _quantity,
    ("special", ""): _near,
    ("composite", ""): _composite,
}
