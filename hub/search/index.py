"""The index rows of a resource: pure, and the same for every database.

Rules: https://hl7.org/fhir/R4/search.html
A token is found by code, by system and code, by system, and (without a system) by `|code`; where no token of a
parameter ever has a system, by code alone (hub.search.parsing asks for nothing else then). A reference is found by
Type/id and by id; a quantity by its number, with or without its unit: hence several keys a value. A row of a
composite has the first component in its key, and the second one as the value.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hub.search import custom
from hub.search.compartments import compartment_keys
from hub.search.edges import edge, reference_key
from hub.search.hashes import key
from hub.search.numbers import Interval, Quantity, numbers, positions, quantities
from hub.search.pairs import Pair, pairs
from hub.search.parameters import IN_COLUMNS, UNIONS, Parameter, indexed_of
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
from hub.search.wanted import Form

MAX_STRING = 400  # characters of a text that are indexed; longer ones are found by their beginning
MIME_CODES = frozenset(("contenttype", "content-type"))
Name = tuple[str, ...]  # type and code, with the first component's form behind them in a composite


@dataclass(slots=True)
class IndexRows:
    """What a resource adds to the index tables."""

    tokens: set[int] = field(default_factory=set)
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    strings: set[tuple[int, str]] = field(default_factory=set)
    edges: set[int] = field(default_factory=set)
    numbers: set[tuple[int, float, float]] = field(default_factory=set)
    # who may see it, and what it says of who may see others: hub.rights.facts
    patients: set[int] = field(default_factory=set)
    relations: set[tuple[int, int, int, int, int]] = field(default_factory=set)
    consents: set[tuple[Any, ...]] = field(default_factory=set)
    about: set[int] = field(default_factory=set)


def index_rows(resource: dict[str, Any], base: str = "") -> IndexRows:
    """Every row for every indexed parameter of the resource's type. `base` is the hub's own FHIR base URL."""
    return _rows(resource, base, _plan(resource["resourceType"]), resource)


def index_change(before: dict[str, Any], now: dict[str, Any], base: str = "") -> tuple[IndexRows, IndexRows]:
    """The rows of two versions of a resource, but for rows that are the same in both because the members that they
    come from are."""
    plan = _plan(now["resourceType"])
    changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    if plan.linked & changed:  # an address may be referred to by other members, too
        return _rows(before, base, plan, before), _rows(now, base, plan, now)
    return _rows(before, base, plan, changed), _rows(now, base, plan, changed)


def _rows(resource: dict[str, Any], base: str, plan: "_Plan", members: Collection[str]) -> IndexRows:
    """The rows that come from these members, and all marks of what is usual but for theirs."""
    rows = IndexRows()
    marks = set(plan.usual)
    for parameter, its_mark in plan.of(members):
        found: list[Any] = parameter.walk(resource)
        if found and parameter.components:
            found = list(pairs(parameter, found, resource, base))
        if found:
            marks ^= {its_mark}  # takes away what a usual one has, and adds what another one has not
            ADD[parameter.type](rows, parameter, found, base)
    rows.tokens |= marks
    if members is resource:
        rows.tokens |= compartment_keys(resource, base)
    return rows


def rows_of_own(resource: dict[str, Any], parameter: Parameter, base: str = "") -> IndexRows:
    """The rows of one parameter of this deployment (hub.search.custom): neither usual nor composite."""
    rows = IndexRows()
    if found := parameter.walk(resource):
        rows.tokens.add(mark((parameter.base, parameter.code)))
        ADD[parameter.type](rows, parameter, found, base)
    return rows


Planned = tuple[Parameter, int]  # with its mark


@dataclass(frozen=True, slots=True)
class _Plan:
    """The parameters of a type: those to ask always, those to ask where the resource has a member, and the marks
    of those that are usual; `linked` are the members that references come from."""

    always: tuple[Planned, ...]
    by_member: Mapping[str, tuple[Planned, ...]]
    usual: frozenset[int]
    linked: frozenset[str]

    def of(self, members: Iterable[str]) -> Iterable[Planned]:
        """The parameters that may have something to say of these members, each once."""
        found = dict.fromkeys(self.always)
        for member in members:
            if member in self.by_member:
                found |= dict.fromkeys(self.by_member[member])
        return found


@custom.renewed
@cache
def _plan(resource_type: str) -> _Plan:
    planned = [
        (parameter, mark((resource_type, code)))
        for code, parameter in indexed_of(resource_type).items()
        if code not in IN_COLUMNS and (resource_type, code) not in UNIONS
    ]
    by_member: dict[str, list[Planned]] = {}
    for one in planned:
        for member in one[0].walk.first:
            by_member.setdefault(member, []).append(one)
    return _Plan(
        tuple(one for one in planned if one[0].walk.always),
        {name: tuple(found) for name, found in by_member.items()},
        frozenset(its_mark for parameter, its_mark in planned if parameter.usual),
        frozenset(name for name, found in by_member.items() if any(map(_is_linked, found))),
    )


def _is_linked(planned: Planned) -> bool:
    parameter, _ = planned
    return "reference" in (parameter.type, *(component.type for component in parameter.components))


def mark(name: Name) -> int:
    """The row by which `:missing` is answered: it tells the rarer thing, that a usual parameter is not there, or
    that another one is."""
    return key(*name, "mark")


def _add_tokens(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    name = (parameter.base, parameter.code)
    for node in nodes:
        for token in tokens(node):
            if parameter.systemless:
                rows.tokens.add(key(*name, "c", token[1]))
            else:
                rows.tokens.update(token_keys(name, token))
        if isinstance(node, dict):
            rows.tokens.update(key(*name, "ot", *typed) for typed in typed_identifiers(node))
            rows.strings.update((key(*name, "text"), plain(text)[:MAX_STRING]) for text in words(node))
        elif parameter.code in MIME_CODES:
            rows.tokens.update(key(*name, "mt", text) for text in mime_types(str(node)))


def _add_references(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    name = (parameter.base, parameter.code)
    for node in nodes:
        for found in references(node, base):
            rows.tokens.update(reference_keys(name, found))
            rows.edges.update(edge(found))
        for token in identifiers(node):
            rows.tokens.update(token_keys((*name, "id"), token))


def _add_uris(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    name = (parameter.base, parameter.code)
    for text in nodes:
        if isinstance(text, str):
            rows.tokens.add(key(*name, "u", text))
            rows.strings.add((key(*name, "below"), text[:MAX_STRING]))


def _add_dates(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    param = key(parameter.base, parameter.code)
    rows.dates.update((param, low, high) for node in nodes for low, high in dates(node))


def _add_strings(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    param = key(parameter.base, parameter.code)
    rows.strings.update((param, plain(text)[:MAX_STRING]) for node in nodes for text in strings(node))


def _add_numbers(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    param = key(parameter.base, parameter.code)
    rows.numbers.update((param, low, high) for node in nodes for low, high in numbers(node))


def _add_quantities(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    name = (parameter.base, parameter.code)
    for node in nodes:
        for found in quantities(node):
            rows.numbers.update((key(*name, *form), found.low, found.high) for form in unit_forms(found))


def _add_positions(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    name = (parameter.base, parameter.code)
    for node in nodes:
        for x, y, z in positions(node):
            rows.numbers.update(((key(*name, "xy"), x, y), (key(*name, "z"), z, z)))


def _add_pairs(rows: IndexRows, parameter: Parameter, found: list[Pair], base: str) -> None:
    for firsts, *rest in found:
        for first in firsts:
            for form in token_forms(first):
                if form[0] != "s":
                    name = (parameter.base, parameter.code, *form)
                    SECOND[parameter.components[-1].type](rows, name, *rest)


def _second_tokens(rows: IndexRows, name: Name, found: list[Token]) -> None:
    rows.tokens.update(k for token in found for k in token_keys(name, token))


def _second_references(rows: IndexRows, name: Name, found: list[Reference]) -> None:
    for target, value in found:
        rows.tokens.update(key(*name, *form) for form in reference_forms(target, value))


def _second_dates(rows: IndexRows, name: Name, found: list[tuple[int, int]]) -> None:
    rows.dates.update((key(*name), low, high) for low, high in found)


def _second_strings(rows: IndexRows, name: Name, found: list[str]) -> None:
    rows.strings.update((key(*name), plain(text)[:MAX_STRING]) for text in found)


def _second_quantities(rows: IndexRows, name: Name, found: list[Quantity]) -> None:
    rows.numbers.update((key(*name, *form), one.low, one.high) for one in found for form in unit_forms(one))


def _second_numbers(rows: IndexRows, name: Name, starts: list[Interval], ends: list[Interval]) -> None:
    """Two numbers share a row: the second component is its low end, the third one its high end."""
    rows.numbers.update((key(*name), start, end) for start, _ in starts for end, _ in ends)


Adder = Callable[[IndexRows, Parameter, list[Any], str], None]
ADD: Mapping[str, Adder] = {
    "token": _add_tokens,
    "reference": _add_references,
    "uri": _add_uris,
    "date": _add_dates,
    "string": _add_strings,
    "number": _add_numbers,
    "quantity": _add_quantities,
    "composite": _add_pairs,
    "special": _add_positions,
}
SECOND: Mapping[str, Callable[..., None]] = {
    "token": _second_tokens,
    "reference": _second_references,
    "date": _second_dates,
    "string": _second_strings,
    "quantity": _second_quantities,
    "number": _second_numbers,
}


def token_forms(token: Token) -> Iterator[Form]:
    system, code = token
    yield "c", code
    if system:
        yield "sc", system, code
        yield "s", system
    else:
        yield "nc", code


def token_keys(name: Name, token: Token) -> Iterator[int]:
    return (key(*name, *form) for form in token_forms(token))


def reference_forms(target: str | None, value: str) -> Iterator[Form]:
    if target:
        yield "r", target, value
        yield "i", value
    else:
        yield "u", value
        if "|" in value:  # a canonical is also found without its version
            yield "u", value.split("|")[0]


def reference_keys(name: tuple[str, str], reference: Reference) -> Iterator[int]:
    target, value = reference
    for form in reference_forms(target, value):
        yield reference_key(name, str(target), value) if form[0] == "r" else key(*name, *form)


def unit_forms(quantity: Quantity) -> Iterator[Form]:
    yield ("v",)
    for text in quantity.codes:
        yield "c", text
    if quantity.system and quantity.code:
        yield "sc", quantity.system, quantity.code
