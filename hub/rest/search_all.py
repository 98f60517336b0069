"""search over all types, or those that `_type` names. https://hl7.org/fhir/R4/http.html#search, search.html#type

A parameter must be one of every type that is searched; without `_type` those are all types that the caller may
search.
Refuses: a named type that is none (`value`) or may not be searched (`forbidden`).
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.rest.asked import Answer, Asked
from hub.rest.hub import Hub
from hub.rest.search import answer, with_form
from hub.search.query import parse_types

SEARCH = "search-type"


def search_system(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A searchset Bundle."""
    types = types_of(asked, access, resource_types())
    query = parse_types(types, asked.pairs, hub.limits, asked.lenient)
    return answer(hub, connection, asked, access, query)


def search_system_post(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    return search_system(hub, connection, with_form(asked), access)


def types_of(asked: Asked, access: Access, every: Iterable[str]) -> Sequence[str]:
    """The types searched: each `_type` narrows; otherwise those of `every` that may be searched."""
    named = [frozenset(value.split(",")) for name, value in asked.pairs if name == "_type"]
    possible = sorted(every)
    for names in named:
        for name in sorted(names - resource_types()):
            raise Problem("value", f"_type names '{name[:64]}', which is no resource type", "_type")
        possible = [name for name in possible if name in names]
    if not named:
        granted = [name for name in possible if access.may(SEARCH, name)]
        if not granted:
            access.require(SEARCH, possible[0])
        return granted
    for name in possible:
        access.require(SEARCH, name)
    return possible
