"""search inside a compartment: `GET /Patient/1/Observation?…`, `GET /Patient/1/*`.

Rules: https://hl7.org/fhir/R4/http.html#vsearch, https://hl7.org/fhir/R4/compartmentdefinition.html
Refuses: types without a compartment and types that are never in it (404 `unknown-type`), forbidden types (403).
Finds no Group of a patient who is not there for the client.
"""

from dataclasses import replace

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.rest.asked import Answer, Asked
from hub.rest.hub import Hub
from hub.rest.search import answer, with_form
from hub.rest.search_all import types_of
from hub.search import merged, withheld
from hub.search.chains import Condition, Keys, Some, condition
from hub.search.compartments import COMPARTMENTS, ITSELF, compartment_key, member_types, membership
from hub.search.edges import address
from hub.search.query import parse, parse_types
from hub.store.sight import related

ANY = "*"
GROUP = "Group"
WITH_ROWS = "Patient"  # the compartment that has index rows of its own


def search_compartment(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A searchset Bundle of what the search finds in the compartment."""
    asked.check_id()
    _check(asked)
    path = f"{asked.type}/{asked.id}/{asked.member}"
    if asked.member == ANY:
        types = types_of(asked, access, member_types(asked.type))
        query = parse_types(types, asked.pairs, hub.limits, asked.lenient, path)
        parts = [_inside(connection, asked, access, name) for name in types]
        inside: Condition = Some(tuple(part for part in parts if _is_told(part, access)))
        if asked.type == WITH_ROWS:
            inside = Keys(frozenset(each for part in parts if isinstance(part, Keys) for each in part.keys))
    else:
        query = replace(parse(asked.member, asked.pairs, hub.limits, asked.lenient), path=path)
        inside = _inside(connection, asked, access, asked.member)
    return answer(hub, connection, asked, access, replace(query, conditions=(inside, *query.conditions)))


def search_compartment_post(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    return search_compartment(hub, connection, with_form(asked), access)


def _check(asked: Asked) -> None:
    if asked.type not in COMPARTMENTS:
        message = f"R4 has compartments of {', '.join(COMPARTMENTS)}; {asked.type} has none"
        raise Problem("unknown-type", message)
    if asked.member != ANY and asked.member not in resource_types():
        raise Problem("unknown-type", "There is no such resource type in FHIR R4")
    if asked.member != ANY and asked.member not in member_types(asked.type):
        raise Problem("unknown-type", f"{asked.member} is never in the compartment of a {asked.type}")


def _is_told(part: Condition, access: Access) -> bool:
    """Of all types, those by which the client may not search are left out."""
    try:
        withheld.check(iter((part,)), iter(()), access.sight)
    except Problem:
        return False
    return True


def _inside(connection: Connection, asked: Asked, access: Access, member: str) -> Condition:
    if asked.type == WITH_ROWS:
        # a Group is there for who sees some of its members: that another patient is one, is not told
        patient = merged.member_of(asked.id)
        is_theirs = member != GROUP or related(connection, access.sight, (address(WITH_ROWS, patient),))
        return Keys(frozenset((compartment_key(WITH_ROWS, patient if is_theirs else "", member),)))
    codes = sorted(membership(asked.type, member) - {ITSELF})
    found = [condition(member, code, f"{asked.type}/{asked.id}") for code in codes]
    if member == asked.type:
        found.append(condition(member, "_id", asked.id))
    return Some(tuple(found))
