"""What the condition of a conditional interaction, or of a conditional reference, finds; and what is there.

Rules: https://hl7.org/fhir/R4/http.html#ccreate, #cond-update, #3.1.0.7.1 and #trules
Refuses: conditions that narrow nothing (`invalid`), those with parameters that a search shows its results by
(`not-supported`: `_count=1` would not make the one of several), and those that find several resources (412).
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection, bindparam, select, tuple_

from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.search.inclusions import NAMES
from hub.search.match import matches
from hub.search.query import CONTROLS, Limits, Query, parse
from hub.store import keyed, read
from hub.store.read import Stored
from hub.store.sight import named, seen
from hub.store.tables import resource

CANDIDATES = 10  # read at a time
AT_ONCE = 400
Identity = tuple[str, str]  # type, id
Found = TypeVar("Found")

_PRESENT = select(resource.c.type, resource.c.id).where(
    tuple_(resource.c.type, resource.c.id).in_(bindparam("identities", expanding=True)),
    resource.c.deleted.is_(False),
)


@lru_cache(maxsize=1024)  # a commit asks twice
def word(resource_type: str, condition: str) -> str:
    """What a condition asks, the same however it was escaped and ordered."""
    return f"{resource_type}?{urlencode(sorted(_pairs(condition)))}"


def query_of(resource_type: str, condition: str, base: str) -> Query:
    """The condition as a search. Raises Problem."""
    pairs = _pairs(condition)
    for name, _ in pairs:
        if name in CONTROLS or name.startswith(NAMES):
            raise Problem("not-supported", f"A condition does not take '{name[:64]}'", name[:64])
    query = parse(resource_type, pairs, Limits(base=base))
    if not (query.criteria or query.conditions):
        raise Problem("invalid", "A conditional interaction needs a search that narrows")
    return query


def _pairs(condition: str) -> list[tuple[str, str]]:
    return parse_qsl(condition, keep_blank_values=True)


class Ahead:
    """What the conditions of a whole commit find, asked with one statement: those of one key each, of a writer who
    sees everything. Of the others, and of those that find many, it knows nothing."""

    def __init__(self, connection: Connection, access: Access, queries: Iterable[Query]):
        lone = {keys[0] for query in queries if len(keys := read.keys_of(query)) == 1}
        self._rows: dict[int, list[Stored]] = {}
        if access.sight.everything and len(lone) > 1:
            self._rows = {key: [] for key in lone}
            for key, row in keyed.of_any(connection, access.sight, lone, CANDIDATES):
                self._rows[key].append(Stored(*row))

    def of(self, query: Query) -> list[Stored] | None:
        """All that may answer it, or None where somebody must ask."""
        keys = read.keys_of(query) if self._rows else []
        rows = self._rows.get(keys[0]) if len(keys) == 1 else None
        return rows if rows is not None and len(rows) < CANDIDATES else None


def candidates(
    connection: Connection,
    access: Access,
    query: Query,
    besides: Collection[Identity | None],
    base: str,
    most: int = 1,
    ahead: Ahead | None = None,
) -> list[Stored]:
    """What a condition finds, but those `besides`; no more than it takes to see that there are more than `most`."""
    access.require("search-type", query.type)
    if ahead is not None and (known := ahead.of(query)) is not None:
        return [row for row in known if (row.type, row.id) not in besides and answers(query, row, base)]
    after: list[int] = []
    found: list[Stored] = []
    limit = max(CANDIDATES, most + 1)
    while len(found) <= most and (rows := read.page(connection, access, query, after, limit)):
        found += [row for row in rows if (row.type, row.id) not in besides and answers(query, row, base)]
        after = read.position(rows[-1])
    return found


def answers(query: Query, row: Stored, base: str) -> bool:
    """Whether this version is what the condition asks for. The index finds a hash; the resource itself decides."""
    return row.body is not None and matches(query.criteria, json.stored(row.body), base)


def only(query: Query, found: Sequence[Found]) -> Found | None:
    """The one that was found, or None. Raises Problem where there are several."""
    if len(found) > 1:
        raise Problem("multiple-matches", f"The condition on {query.type} finds several resources")
    return found[0] if found else None


def present(connection: Connection, access: Access, identities: Iterable[Identity]) -> set[Identity]:
    """Which of these are there, and may be seen: one query for all of them, or for each 400."""
    wanted = sorted({identity for identity in identities if access.may("read", identity[0])})
    found: set[Identity] = set()
    asked = _PRESENT.where(seen(resource, access.sight))
    for start in range(0, len(wanted), AT_ONCE):
        rows = connection.execute(asked, named(access.sight, identities=wanted[start : start + AT_ONCE]))
        found |= {(row.type, row.id) for row in rows}
    return found
