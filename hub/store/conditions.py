"""What the condition of a conditional interaction, or of a conditional reference, finds.

Rules: https://hl7.org/fhir/R4/http.html#ccreate, #cond-update, #3.1.0.7.1 and #trules
Refuses: conditions that narrow nothing (`invalid`), and those that find several resources (412).
"""

from collections.abc import Collection, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.search.match import matches
from hub.search.query import Limits, Query, parse
from hub.store import read
from hub.store.read import Stored

CANDIDATES = 10  # read at a time
Identity = tuple[str, str]  # type, id
Found = TypeVar("Found")


def word(resource_type: str, condition: str) -> str:
    """What a condition asks, the same however it was escaped and ordered."""
    return f"{resource_type}?{urlencode(sorted(_pairs(condition)))}"


def query_of(resource_type: str, condition: str, base: str) -> Query:
    """The condition as a search. Raises Problem."""
    query = parse(resource_type, _pairs(condition), Limits(base=base))
    if not query.criteria:
        raise Problem("invalid", "A conditional interaction needs a search that narrows")
    return query


def _pairs(condition: str) -> list[tuple[str, str]]:
    return parse_qsl(condition, keep_blank_values=True)


def candidates(
    connection: Connection, access: Access, query: Query, besides: Collection[Identity | None], base: str
) -> list[Stored]:
    """What a condition finds, but those `besides`; no more than it takes to see that there are several."""
    after: list[int] = []
    found: list[Stored] = []
    while len(found) < 2 and (rows := read.page(connection, access, query, after, CANDIDATES)):
        found += [row for row in rows if (row.type, row.id) not in besides and _answers(query, row, base)]
        after = read.position(query, rows[-1])
    return found


def _answers(query: Query, row: Stored, base: str) -> bool:
    """The index found a hash; the resource itself decides."""
    return row.body is not None and matches(query.criteria, json.stored(row.body), base)


def only(query: Query, found: Sequence[Found]) -> Found | None:
    """The one that was found, or None. Raises Problem where there are several."""
    if len(found) > 1:
        raise Problem("multiple-matches", f"The condition on {query.type} finds several resources")
    return found[0] if found else None
