"""The index rows of a resource: pure, and the same for every database.

Rules: https://hl7.org/fhir/R4/search.html
A token is found by code, by system and code, by system, and (without a system) by `|code`; a reference by
Type/id and by id; hence several keys a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hub.search.hashes import key
from hub.search.parameters import IN_COLUMNS, Parameter, parameters_of
from hub.search.values import Reference, Token, dates, plain, references, strings, tokens

MAX_STRING = 400  # characters of a text that are indexed; longer ones are found by their beginning


@dataclass(slots=True)
class IndexRows:
    """What a resource adds to the three index tables."""

    tokens: set[int] = field(default_factory=set)
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    strings: set[tuple[int, str]] = field(default_factory=set)


def index_rows(resource: dict[str, Any], base: str = "") -> IndexRows:
    """Every row for every indexed parameter of the resource's type. `base` is the hub's own FHIR base URL."""
    rows = IndexRows()
    for parameter in parameters_of(resource["resourceType"]).values():
        if parameter.code not in IN_COLUMNS:
            nodes = parameter.walk(resource)
            if nodes:
                _add(rows, parameter, nodes, base)
    return rows


def _add(rows: IndexRows, parameter: Parameter, nodes: list[Any], base: str) -> None:
    name = (parameter.base, parameter.code)
    for node in nodes:
        match parameter.type:
            case "token":
                rows.tokens.update(k for token in tokens(node) for k in token_keys(name, token))
            case "reference":
                rows.tokens.update(k for found in references(node, base) for k in reference_keys(name, found))
            case "uri":
                rows.tokens.update(key(*name, "u", text) for text in (node,) if isinstance(text, str))
            case "date":
                rows.dates.update((key(*name), low, high) for low, high in dates(node))
            case "string":
                rows.strings.update((key(*name), plain(text)[:MAX_STRING]) for text in strings(node))


def token_keys(name: tuple[str, str], token: Token) -> Iterator[int]:
    system, code = token
    yield key(*name, "c", code)
    if system:
        yield key(*name, "sc", system, code)
        yield key(*name, "s", system)
    else:
        yield key(*name, "nc", code)


def reference_keys(name: tuple[str, str], reference: Reference) -> Iterator[int]:
    target, value = reference
    if target:
        yield key(*name, "r", target, value)
        yield key(*name, "i", value)
    else:
        yield key(*name, "u", value)
        if "|" in value:  # a canonical is also found without its version
            yield key(*name, "u", value.split("|")[0])
