"""search of one type, by GET and by POST _search, in pages.

Rules: https://hl7.org/fhir/R4/search.html, https://hl7.org/fhir/R4/http.html#search and #paging
The next page's link holds a signed position behind the last entry, not a number of entries to skip: what others
write meanwhile neither hides an entry nor shows one twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.leaving import Leaving, leaving
from hub.problems import Problem
from hub.rest import searchset
from hub.rest.asked import FORM, Answer, Asked
from hub.rest.hub import Hub
from hub.rest.rendering import is_form
from hub.search.cursor import seal, unseal
from hub.search.match import matches
from hub.search.query import MAX_PAIRS, Query, parse
from hub.store import inclusions
from hub.store import read as store
from hub.store.order import Page, page_of
from hub.store.read import Stored


def search_type(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A searchset Bundle."""
    query = parse(asked.type, asked.pairs, hub.limits, asked.lenient)
    return answer(hub, connection, asked, access, query)


def answer(hub: Hub, connection: Connection, asked: Asked, access: Access, query: Query) -> Answer:
    """The searchset of any query."""
    inclusions.require(access, query.type, query.inclusions)
    found = _page(hub, connection, query, access)
    total = None if query.total == "none" else _total(hub, connection, query, access)
    entries, left = _entries(hub, connection, query, access, found.rows)
    following = _following(hub, query, access, found)
    links = searchset.links(f"{hub.base}/{query.path or query.type}", query, asked.style.asked, following)
    return Answer(200, searchset.searchset(total, links, entries, left.security()), released=left.rows)


def search_post(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """POST _search."""
    return search_type(hub, connection, with_form(asked), access)


def with_form(asked: Asked) -> Asked:
    """What a form asks: parameters of the form and of the URL all apply."""
    if not is_form(asked.headers.get("content-type", "")):
        raise Problem("media-type", f"_search takes {FORM}", "Content-Type")
    if asked.body.count(b"&") > MAX_PAIRS:
        raise Problem("search-too-long", f"A search has at most {MAX_PAIRS} parameters")
    try:
        pairs = parse_qsl(asked.body.decode("utf-8"), keep_blank_values=True)
    except ValueError:
        raise Problem("value", "The form is not UTF-8") from None
    return replace(asked, method="GET", pairs=(*asked.pairs, *pairs), query="", body=b"")


def _entries(
    hub: Hub, connection: Connection, query: Query, access: Access, rows: Sequence[Stored]
) -> tuple[list[dict[str, Any]], Leaving]:
    """The matches, what they include, what must travel with them, and what was left out."""
    matched = list(_matched(query, rows, hub.base))
    more: list[Stored] = []
    bounded = False
    if query.inclusions and matched:
        contents = [content for _, content in matched]
        more, bounded = inclusions.included(connection, access, query.inclusions, contents, hub.base)
    left = leaving(connection, access, [*(row for row, _ in matched), *more], hub.base)
    matches_ = {row.rid for row, _ in matched}
    entries = [
        (searchset.match if row.rid in matches_ else searchset.include)(hub.base, query, row) for row in left.rows
    ]
    return entries + left.notices() + searchset.warnings(query.ignored, bounded), left


def _page(hub: Hub, connection: Connection, query: Query, access: Access) -> Page:
    if query.count == 0:
        query.granted(access)
        return Page([], [])
    after: list[int] = []
    if query.cursor:
        after = unseal(hub.secret, query.cursor, access.who, _identity(query), int(hub.now().timestamp()))
    return page_of(connection, access, query, after, query.count)


def _total(hub: Hub, connection: Connection, query: Query, access: Access) -> int:
    """How many match. The index does not know case and accents, so `:exact` is counted in the resources."""
    if not any(criterion.modifier == "exact" for criterion in query.criteria):
        return store.total(connection, access, query)
    count, after, query = 0, list[int](), replace(query, sort=())
    while rows := store.page(connection, access, query, after, hub.limits.most):
        count += sum(1 for _ in _matched(query, rows, hub.base))
        after = store.position(rows[-1])
    return count


def _identity(query: Query) -> str:
    return f"{query.path or query.type}?{urlencode(query.pairs)}"


def _matched(query: Query, rows: Sequence[Stored], base: str) -> Iterator[tuple[Stored, dict[str, Any]]]:
    """The index found a hash; the resource itself decides. Its content comes along where it was looked at."""
    looked_at = bool(query.criteria or query.inclusions or not query.type) or searchset.is_shaped(query)
    for row in rows:
        if row.body is not None:
            content = json.stored(row.body) if looked_at else {}
            criteria = query.criteria_of(row.type)
            if not criteria or matches(criteria, content, base):
                yield row, content


def _following(hub: Hub, query: Query, access: Access, found: Page) -> str:
    """The cursor of the next page; empty where this is the last one."""
    if not found.following:
        return ""
    expires = int(hub.now().timestamp()) + hub.cursor_seconds
    return seal(hub.secret, access.who, _identity(query), found.following, expires)
