"""Reads of what a page of a search includes. Nothing here writes.

Each takes Access first: types that may not be read are not there. https://hl7.org/fhir/R4/search.html#include
The statements are the driver's own: a page needs one more, and putting it together would cost more than running it.
Each has one shape for any number of resources (an array, or a JSON array with SQLite).
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.search.inclusions import ANY, Content, Inclusion, Wanted, answers, brings, plan
from hub.search.withheld import shown
from hub.sight import Sight
from hub.store import arrays
from hub.store.engine import driver, mark
from hub.store.keyed import COLUMNS
from hub.store.read import Stored
from hub.store.sight import condition

MOST = 1000  # resources added to a page
MOST_LEVELS = 10  # of :iterate
CHUNK = 1000  # identities or keys a statement

_SELECT = f"SELECT {', '.join(f'resource.{column.name}' for column in COLUMNS)}"

# the identities drive (CROSS JOIN keeps SQLite from walking the resources)
_BY_IDENTITY = {
    "sqlite": " FROM json_each(?) AS wanted CROSS JOIN resource"
    " ON resource.type = json_extract(wanted.value, '$[0]') AND resource.id = json_extract(wanted.value, '$[1]')"
    " WHERE NOT resource.deleted{also}",
    "postgresql": " FROM unnest(%s::text[], %s::text[]) AS wanted (type, id)"
    " JOIN resource ON resource.type = wanted.type AND resource.id = wanted.id WHERE NOT resource.deleted{also}",
}
# the index drives, and as many resources are read as may be added (of those that are there for the caller)
_BY_KEY = {
    "sqlite": " FROM (SELECT DISTINCT rid FROM index_token"
    " WHERE hash IN (SELECT value FROM json_each(?)) ORDER BY rid{inner}) AS found"
    " CROSS JOIN resource ON resource.rid = found.rid WHERE NOT resource.deleted{also}"
    " ORDER BY resource.rid{outer}",
    "postgresql": " FROM (SELECT DISTINCT rid FROM index_token"
    " WHERE hash = ANY(%s::bigint[]) ORDER BY rid{inner}) AS found"
    " JOIN resource ON resource.rid = found.rid WHERE NOT resource.deleted{also} ORDER BY resource.rid{outer}",
}


def require(access: Access, searched: str, inclusions: Sequence[Inclusion]) -> None:
    """403 before any query where an inclusion could only bring what may not be read; whatever is stored."""
    for found in inclusions:
        interaction = "search-type" if found.reverse else "read"
        types = brings(found)
        if types and not any(access.may(interaction, name) for name in types):
            access.require(interaction, min(types))
        if found.source not in (ANY, searched) and not access.may("search-type", found.source):
            access.require("read", found.source)


def included(
    connection: Connection,
    access: Access,
    inclusions: Sequence[Inclusion],
    matches: Sequence[Content],
    base: str,
) -> tuple[list[Stored], bool]:
    """What the matches bring with them, each once; and whether some of it was left out for its number. Elements
    that the caller is not shown bring nothing: the answer would tell them."""
    seen = {(match["resourceType"], match["id"]) for match in matches}
    found: list[Stored] = []
    again = [inclusion for inclusion in inclusions if inclusion.iterate]
    sight = access.sight
    active, resources = list(inclusions), [shown(match, sight) for match in matches]
    for level in range(MOST_LEVELS + 1):
        wanted = plan(active, resources, lambda name: access.may("read", name), base)
        rows = list(islice(_rows(connection, sight, wanted, active, seen, base), MOST + 1 - len(found)))
        if level == MOST_LEVELS:
            return found, bool(rows)
        found += rows
        if len(found) > MOST:
            return found[:MOST], True
        if not again or not rows:
            break
        active, resources = again, [shown(json.stored(row.body or b"{}"), sight) for row in rows]
    return found, False


def _rows(
    connection: Connection,
    sight: Sight,
    wanted: Wanted,
    inclusions: Sequence[Inclusion],
    seen: set[Any],
    base: str,
) -> Iterator[Stored]:
    """The resources wanted that were not seen yet; from then on they are."""
    fresh = [identity for identity in wanted.identities if identity not in seen]
    for row in _by_identity(connection, sight, fresh):
        seen.add((row.type, row.id))
        yield row
    for row in _by_key(connection, sight, list(wanted.keys), len(seen)):
        content = shown(json.stored(row.body or b"{}"), sight)
        if (row.type, row.id) not in seen and answers(wanted, inclusions, content, base):
            seen.add((row.type, row.id))
            yield row


def named(connection: Connection, access: Access, identities: Sequence[tuple[str, str]]) -> list[Stored]:
    """The resources of these types and ids that are there and may be read, in the order asked for."""
    asked = [each for each in identities if access.may("read", each[0])]
    return list(_by_identity(connection, access.sight, asked))


def _by_identity(connection: Connection, sight: Sight, identities: Sequence[Any]) -> Iterator[Stored]:
    """In the order asked for."""
    name = connection.dialect.name
    also, more = condition(connection, sight, "resource")
    for start in range(0, len(identities), CHUNK):
        chunk = identities[start : start + CHUNK]
        if name == "sqlite":
            values: tuple[Any, ...] = (json.write(chunk).decode(),)
        else:
            values = tuple(arrays.columns(("text", "text"), chunk))
        statement = _SELECT + _BY_IDENTITY[name].format(also=also)
        found = driver(connection).execute(statement, (*values, *more)).fetchall()
        rows = {(row[1], row[2]): row for row in found}
        yield from (Stored(*rows[identity]) for identity in chunk if identity in rows)


def _by_key(connection: Connection, sight: Sight, keys: Sequence[int], seen: int) -> Iterator[Stored]:
    """Some of them may have been seen: so many more are read."""
    name = connection.dialect.name
    also, more = condition(connection, sight, "resource")
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        listed = json.write(chunk).decode() if name == "sqlite" else arrays.numbers(chunk)
        limit = f" LIMIT {mark(connection)}"
        limits = {"inner": "", "outer": limit} if also else {"inner": limit, "outer": ""}
        statement = _SELECT + _BY_KEY[name].format(also=also, **limits)
        rows = driver(connection).execute(statement, (listed, *more, MOST + 1 + seen)).fetchall()
        yield from (Stored(*row) for row in rows)
