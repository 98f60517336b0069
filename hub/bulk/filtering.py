"""`_typeFilter`: of the resources of a window those that one of its searches finds.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#_typefilter-query-parameter; several searches of one type
are alternatives. A search without chains is asked of the resources themselves; others of the index, in this window.
Refuses: what a search refuses, and parameters that say what is shown or in which order (`not-supported`).
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search.match import matches
from hub.search.query import Limits, Query, parse
from hub.store import chosen
from hub.store.chosen import Brief
from hub.store.exact import settled
from hub.store.matching import walked
from hub.store.sight import named
from hub.store.tables import resource

MOST = 50  # searches in one export
# what shapes or orders an answer, or brings more than it finds
OTHERS = (
    "_include",
    "_revinclude",
    "_sort",
    "_count",
    "_elements",
    "_summary",
    "_total",
    "_cursor",
    "_type",
    "_format",
)
_NEXT = re.compile(r",(?=[A-Z][A-Za-z]+\?)")


def filters(texts: Iterable[str], access: Access, limits: Limits) -> dict[str, list[str]]:
    """The searches by type. Raises Problem."""
    found: dict[str, list[str]] = {}
    for text in (part for whole in texts for part in _NEXT.split(whole)):
        kind, sign, query = text.partition("?")
        if not sign or kind not in resource_types():
            raise Problem("value", "A _typeFilter is a search such as Task?status=accepted", "_typeFilter")
        _query(kind, query, limits).granted(access)
        found.setdefault(kind, []).append(query)
    if sum(map(len, found.values())) > MOST:
        raise Problem("too-costly", f"At most {MOST} searches in _typeFilter", "_typeFilter")
    return found


def _query(kind: str, text: str, limits: Limits) -> Query:
    pairs = parse_qsl(text, keep_blank_values=True)
    for name, _ in pairs:
        if name.partition(":")[0] in OTHERS:
            raise Problem("not-supported", f"A _typeFilter takes no '{name[:64]}'", "_typeFilter")
    return parse(kind, pairs, limits)


def answering(
    connection: Connection, access: Access, kind: str, texts: Sequence[str], rows: list[Brief], limits: Limits
) -> list[Brief]:
    """Those that a search finds; all of them where there is none. Raises Problem."""
    if not texts or not rows:
        return rows
    left: set[int] = set()
    bodies = chosen.whole(connection, access.sight, [row.rid for row in rows])
    contents = {rid: json.stored(found.body) for rid, found in bodies.items() if found.body}
    for text in texts:
        query = _query(kind, text, limits).granted(access)
        answers = [rid for rid, content in contents.items() if matches(query.criteria, content, limits.base)]
        left.update(_answering_all(connection, query, answers) if query.conditions else answers)
    return [row for row in rows if row.rid in left]


def _answering_all(connection: Connection, query: Query, rids: Sequence[int]) -> list[int]:
    asked = walked(settled(connection, query)).where(resource.c.rid.in_(rids))
    return [row.rid for row in connection.execute(asked, named(query.sight))]
