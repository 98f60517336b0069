"""`_sort`: the order of the matches, and the place of a resource in it.

Rules: https://hl7.org/fhir/R4/search.html#sort. Ascending goes by the lowest of several values, descending by the
highest; a date counts by its beginning, then by its end; a text is compared as search compares it, a token by its
code, a reference by type and id. What has no value comes last in both directions. Equal places are ordered by row
number.
Refuses: unknown parameters and those without an order (`not-supported`), an empty or doubled sign (`value`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.problems import Problem
from hub.search.index import MAX_STRING
from hub.search.numbers import numbers, quantities
from hub.search.parameters import Parameter, parameters_of
from hub.search.values import dates, plain, references, strings, tokens

MAX_KEYS = 5


@dataclass(frozen=True, slots=True)
class SortKey:
    parameter: Parameter
    descending: bool

    @property
    def code(self) -> str:
        return self.parameter.code


@dataclass(frozen=True, slots=True)
class Down:
    """A value that sorts the other way round."""

    value: Any

    def __lt__(self, other: "Down") -> bool:
        return bool(other.value < self.value)


def sort_keys(resource_type: str, text: str) -> tuple[SortKey, ...]:
    """The keys of `_sort=a,-b`."""
    parts = text.split(",")
    if len(parts) > MAX_KEYS:
        raise Problem("too-costly", f"_sort takes at most {MAX_KEYS} keys", "_sort")
    return tuple(_key(resource_type, part) for part in parts)


def _key(resource_type: str, text: str) -> SortKey:
    code = text.removeprefix("-")
    if not code or code.startswith("-"):
        raise Problem("value", "_sort takes names of parameters, with '-' for descending", "_sort")
    parameter = parameters_of(resource_type).get(code)
    if parameter is None or parameter.type not in VALUES:
        raise Problem("not-supported", f"_sort: {resource_type} is not sorted by '{code[:64]}' here", "_sort")
    return SortKey(parameter, text.startswith("-"))


def _dates(node: Any) -> Iterator[tuple[int, int]]:
    return iter(dates(node))


def _strings(node: Any) -> Iterator[tuple[str]]:
    return ((plain(text)[:MAX_STRING],) for text in strings(node))


def _tokens(node: Any) -> Iterator[tuple[str]]:
    return ((code,) for _, code in tokens(node))


def _references(node: Any) -> Iterator[tuple[str, str]]:
    return ((target or "", value) for target, value in references(node))


def _uris(node: Any) -> Iterator[tuple[str]]:
    return iter([(node,)] if isinstance(node, str) else [])


def _numbers(node: Any) -> Iterator[tuple[float, float]]:
    return iter(numbers(node))


def _quantities(node: Any) -> Iterator[tuple[float, float]]:
    return ((quantity.low, quantity.high) for quantity in quantities(node))


VALUES: Mapping[str, Callable[[Any], Iterator[Any]]] = {
    "date": _dates,
    "string": _strings,
    "token": _tokens,
    "reference": _references,
    "uri": _uris,
    "number": _numbers,
    "quantity": _quantities,
}


def value_of(key: SortKey, resource: Mapping[str, Any], last_updated: int) -> Any:
    """The value that decides a resource's place, as a tuple; None where it has none."""
    if key.code == "_lastUpdated":
        return (last_updated,)
    if key.code == "_id":
        return (resource.get("id"),)
    found = [v for node in key.parameter.walk(dict(resource)) for v in VALUES[key.parameter.type](node)]
    return (max if key.descending else min)(found, default=None)


def place(keys: Sequence[SortKey], resource: Mapping[str, Any], last_updated: int, rid: int) -> tuple[Any, ...]:
    """Where a resource stands; smaller comes first, and no two are equal."""
    parts: list[Any] = []
    for key in keys:
        value = value_of(key, resource, last_updated)
        parts += [value is None, Down(value) if key.descending and value is not None else value]
    return (*parts, Down(rid) if keys[0].descending else rid)
