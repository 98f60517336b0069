"""search of one type, by GET and by POST _search, in pages.

Rules: https://hl7.org/fhir/R4/search.html, https://hl7.org/fhir/R4/http.html#search and #paging
The next page's link holds a signed position behind the last entry, not a number of entries to skip: what others
write meanwhile neither hides an entry nor shows one twice.
"""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.problems import Issue, Problem, outcome
from hub.rest.asked import FORM, Answer, Asked, negotiate
from hub.rest.hub import Hub
from hub.search.cursor import seal, unseal
from hub.search.match import matches
from hub.search.query import MAX_PAIRS, Query, parse
from hub.store import read as store
from hub.store.read import Stored


def search_type(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A searchset Bundle."""
    query = parse(asked.type, asked.pairs, hub.limits, lenient=asked.prefer("handling") == "lenient")
    found = _page(hub, connection, query, access)
    shown = [row for row in found[: query.count] if _still_matches(query, row, hub.base)]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if query.total != "none":
        bundle["total"] = _total(hub, connection, query, access)
    bundle["link"] = _links(hub, query, access, found)
    entries = [_entry(hub.base, row) for row in shown]
    if query.ignored:
        entries.append(_ignored(query))
    if entries:
        bundle["entry"] = entries
    return Answer(200, json.write(bundle))


def search_post(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """POST _search: parameters of the form and of the URL all apply."""
    if asked.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem("media-type", f"_search takes {FORM}", "Content-Type")
    if asked.body.count(b"&") > MAX_PAIRS:
        raise Problem("search-too-long", f"A search has at most {MAX_PAIRS} parameters")
    try:
        pairs = parse_qsl(asked.body.decode("utf-8"), keep_blank_values=True)
    except ValueError:
        raise Problem("value", "The form is not UTF-8") from None
    merged = Asked("GET", asked.type, pairs=(*asked.pairs, *pairs), headers=asked.headers)
    negotiate(merged)
    return search_type(hub, connection, merged, access)


def _page(hub: Hub, connection: Connection, query: Query, access: Access) -> list[Stored]:
    """One entry more than the page holds, which tells whether there is a next one."""
    if query.count == 0:
        access.require("search-type", query.type)
        return []
    after: list[int] = []
    if query.cursor:
        after = unseal(hub.secret, query.cursor, access.who, _identity(query), int(hub.now().timestamp()))
    return store.page(connection, access, query, after, query.count + 1)


def _total(hub: Hub, connection: Connection, query: Query, access: Access) -> int:
    """How many match. The index does not know case and accents, so `:exact` is counted in the resources."""
    if not any(criterion.modifier == "exact" for criterion in query.criteria):
        return store.total(connection, access, query)
    count, after = 0, list[int]()
    while rows := store.page(connection, access, query, after, hub.limits.most):
        count += sum(_still_matches(query, row, hub.base) for row in rows)
        after = store.position(query, rows[-1])
    return count


def _identity(query: Query) -> str:
    return f"{query.type}?{urlencode(query.pairs)}"


def _still_matches(query: Query, row: Stored, base: str) -> bool:
    """The index found a hash; the resource itself decides."""
    return row.body is not None and (not query.criteria or matches(query.criteria, json.stored(row.body), base))


def _links(hub: Hub, query: Query, access: Access, found: list[Stored]) -> list[dict[str, str]]:
    path = f"{hub.base}/{query.type}?"
    pairs = [*query.pairs, ("_count", str(query.count))]
    links = [{"relation": "self", "url": path + urlencode(pairs, quote_via=quote)}]
    if len(found) > query.count > 0:
        expires = int(hub.now().timestamp()) + hub.cursor_seconds
        last = store.position(query, found[query.count - 1])
        cursor = seal(hub.secret, access.who, _identity(query), last, expires)
        links.append({"relation": "next", "url": path + urlencode([*pairs, ("_cursor", cursor)], quote_via=quote)})
    return links


def _entry(base: str, row: Stored) -> dict[str, Any]:
    return {
        "fullUrl": f"{base}/{row.type}/{row.id}",
        "resource": msgspec.Raw(row.body or b"null"),
        "search": {"mode": "match"},
    }


def _ignored(query: Query) -> dict[str, Any]:
    """Lenient handling names what it left out. https://hl7.org/fhir/R4/search.html#errors"""
    issues = [Issue("not-supported", f"'{name[:64]}' was left out", name[:64], "warning") for name in query.ignored]
    return {"resource": outcome(issues), "search": {"mode": "outcome"}}
